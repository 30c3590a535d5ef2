"""Who takes the results: forced interleavings of the manager and of those that stand in for it.

T1 to T6 are the steps of `interp_pool._pool.result_stream`.
"""

from __future__ import annotations

import select

import pytest
from struck import Struck
from waiting import GETTER, sleepers

from interp_api import PoolQueue
from interp_api._wakeup.seats import Seat
from interp_pool._pool.result_stream import ResultReader


class Asleep:
    """A reader whose manager sleeps on the results queue."""

    def __init__(self):
        self.results = PoolQueue()
        self.reader = ResultReader(self.results)
        self.seat = Seat()
        slot = self.results._slot
        slot.region.memory[slot.first + self.seat.number] = GETTER[0]

    def is_manager_rung(self):
        return self.seat.wait(0.0)

    def is_manager_asleep(self):
        """Its address is where a put finds it, once, and the turn is free."""
        return sleepers(self.results) == 1 and not self.reader._turn.locked()

    def take_all(self):
        self.reader.fill(100)
        self.reader.inbox.clear()
        return True


@pytest.fixture
def asleep(request):
    made = Asleep()
    yield made
    del request.node.funcargs["asleep"]  # its queues end before the leak check looks


def test_who_stands_in_takes_the_result_and_the_manager_sleeps_on(asleep):
    arrived: list[object] = []

    def advance():
        if not arrived:
            asleep.results.put("item")  # a worker's: it finds no sleeper
        asleep.reader.fill(100)
        arrived.extend(item[0] for item in asleep.reader.inbox)
        asleep.reader.inbox.clear()
        return True

    asleep.reader.stand_in(lambda: bool(arrived), advance, None, 0.0)
    assert arrived == ["item"]
    assert not asleep.is_manager_rung()
    assert asleep.is_manager_asleep()


def test_what_only_the_manager_may_do_rings_it(asleep):
    def advance():
        asleep.results.put("for the manager")
        asleep.reader.fill(100)
        return False

    asleep.reader.stand_in(lambda: False, advance, None, 0.0)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()
    asleep.reader.inbox.clear()


def test_item_that_comes_when_the_own_result_is_there_rings_the_manager(asleep):
    # It was put after T3 looked and before T5: its worker found no sleeper, so T6 has to ring.
    done: list[bool] = []

    def is_done():
        asleep.results.put("late")
        done.append(True)
        return True

    asleep.reader.stand_in(is_done, lambda: True, None, 0.0)
    assert asleep.is_manager_rung()


def test_nobody_stands_in_for_a_manager_that_is_awake():
    results = PoolQueue()
    reader = ResultReader(results)
    reader.stand_in(lambda: False, lambda: pytest.fail("advanced"), None, 0.0)
    assert not reader._turn.locked()


def test_only_one_stands_in(asleep):
    asleep.reader._turn.acquire()
    asleep.reader.stand_in(lambda: False, lambda: pytest.fail("advanced"), None, 0.0)
    asleep.reader.with_turn(lambda: pytest.fail("called"))
    asleep.reader._turn.release()
    assert asleep.is_manager_asleep()


def test_time_that_is_up_ends_standing_in(asleep):
    asleep.reader.stand_in(lambda: False, asleep.take_all, 0.0, 0.0)
    assert asleep.is_manager_asleep()


@pytest.mark.parametrize("where", ["advance", "is_done", "wait"])
def test_who_is_struck_rings_the_manager_and_gives_the_turn_back(asleep, where, monkeypatch):
    def strike(*args, **kwargs):
        asleep.reader.inbox.append((("taken",), None))
        raise Struck

    calls = {"advance": lambda: True, "is_done": lambda: False}
    if where == "wait":
        monkeypatch.setattr(PoolQueue, "wait", strike)
    else:
        calls[where] = strike
    with pytest.raises(Struck):
        asleep.reader.stand_in(calls["is_done"], calls["advance"], None, 0.0)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()


def test_who_is_struck_in_its_turn_rings_the_manager(asleep):
    def strike():
        raise Struck

    with pytest.raises(Struck):
        asleep.reader.with_turn(strike)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()


# Lodging: L1 to L5.


def is_rung(place):
    return bool(select.select([place.fileno()], [], [], 0)[0])


@pytest.fixture
def place(request, asleep):
    yield asleep.reader.make_place()
    del request.node.funcargs["place"]  # its bell is closed before the leak check looks


def test_put_rings_who_lodges_and_not_the_manager(asleep, place):
    assert asleep.reader.lodge(place)
    assert not is_rung(place)
    asleep.results.put("item")
    assert is_rung(place)
    assert not asleep.is_manager_rung()
    place.read()
    asleep.take_all()
    asleep.reader.lodge_on(place)
    assert not is_rung(place)
    asleep.results.put("another")
    assert is_rung(place)
    asleep.take_all()
    asleep.reader.end_lodging(place)
    assert not asleep.is_manager_rung()
    assert asleep.is_manager_asleep()


def test_item_that_is_there_when_a_loop_lodges_rings_it(asleep, place):
    slot = asleep.results._slot
    at = slot.first + asleep.seat.number
    slot.region.memory[at] = 0
    asleep.results.put("item")  # while the manager is about to sleep
    slot.region.memory[at] = GETTER[0]
    assert asleep.reader.lodge(place)
    assert is_rung(place)
    place.read()
    asleep.reader.lodge_on(place)  # nothing was taken
    assert is_rung(place)
    asleep.take_all()
    asleep.reader.end_lodging(place)


def test_what_is_left_at_the_end_rings_the_manager(asleep, place):
    assert asleep.reader.lodge(place)
    asleep.results.put("item")
    asleep.reader.end_lodging(place)
    assert asleep.is_manager_rung()
    assert not asleep.reader.lodges(place)
    asleep.reader.lodge_on(place)  # L4 after L5
    assert sleepers(asleep.results) == 0  # the manager has been rung, and the place is empty
    asleep.reader.end_lodging(place)  # again
    assert not asleep.reader._turn.locked()
    asleep.take_all()


def test_nobody_lodges_while_the_manager_is_awake_or_another_one_stands_in(asleep, place):
    assert asleep.reader.lodge(place)
    other = asleep.reader.make_place()
    assert not asleep.reader.lodge(other)
    asleep.reader.end_lodging(other)
    assert asleep.reader.lodges(place)
    asleep.reader.end_lodging(place)
    slot = asleep.results._slot
    slot.region.memory[slot.first + asleep.seat.number] = 0
    assert not asleep.reader.lodge(place)
    assert not asleep.reader._turn.locked()
    assert sleepers(asleep.results) == 0


def test_thread_that_stands_in_ends_the_lodging(asleep, place):
    assert asleep.reader.lodge(place)
    asleep.reader.stand_in(lambda: True, asleep.take_all, None, 0.0)
    assert not asleep.reader.lodges(place)
    assert asleep.is_manager_asleep()


def test_loop_that_is_struck_when_it_lodges_gives_the_place_back(asleep, place, monkeypatch):
    def strike(self, found):
        original(self, found)
        raise Struck

    original = PoolQueue.relieve
    monkeypatch.setattr(PoolQueue, "relieve", strike)
    with pytest.raises(Struck):
        asleep.reader.lodge(place)
    assert asleep.is_manager_asleep()
    assert not asleep.reader._owner
