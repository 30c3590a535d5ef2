"""PoolQueue: looking before sleeping, relieving a sleeper.

The steps are those of `interp_api/_wakeup/README.md`.
"""

from __future__ import annotations

import itertools
from collections import deque

import pytest
from struck import Struck
from waiting import GETTER, Sleeper, is_looked_at, sleepers

from interp_api import PoolQueue, QueueError
from interp_api._runtime.cpython import queue_count
from interp_api._wakeup import spinning
from interp_api._wakeup.seats import Seat, own_seat
from interp_api._wakeup.slot import HAS_NEWS, STANDING_BACK


def test_drain_takes_what_is_there_up_to_its_limit():
    queue = PoolQueue()
    for number in range(5):
        queue.put(number)
    taken: deque[tuple[int, object]] = deque()
    queue.drain(taken, 3)
    assert [item[0] for item in taken] == [0, 1, 2]
    queue.drain(taken, 3)
    queue.drain(taken, 3)
    assert [item[0] for item in taken] == [0, 1, 2, 3, 4]


def test_item_put_while_somebody_looks_rings_nobody(monkeypatch):
    queue = PoolQueue()
    sleeper = Sleeper(queue)
    # S1; P1 and P2a run in place of the first yield of S2; S3; S4 finds the item; S5: nothing is left.
    monkeypatch.setattr(spinning, "_yield", lambda: queue.put("item"))
    assert queue.get(spin=60.0) == "item"
    assert not sleeper.is_rung()
    assert not is_looked_at(queue)


def test_items_put_while_somebody_looks_ring_a_sleeper_for_the_rest(monkeypatch):
    queue = PoolQueue()
    both = [Sleeper(queue), Sleeper(queue)]

    def put_three():
        for number in range(3):
            queue.put(number)

    monkeypatch.setattr(spinning, "_yield", put_three)
    assert queue.get(spin=60.0) == 0
    # S5 of the one who looked; the one it rang would ring the other.
    assert [sleeper.is_rung() for sleeper in both] == [True, False]


def test_getter_that_slept_rings_the_next_for_what_is_left(monkeypatch):
    queue = PoolQueue()
    putter = PoolQueue(queue.id)
    own_seat()  # the lowest is rung first
    sleeping: list[Sleeper] = []
    wait = Seat.wait

    def put_two(seat, timeout):
        if not sleeping:
            sleeping.append(Sleeper(queue))
            putter.put("a")  # rings this thread
            putter.put("b")  # rings nobody, as that is on its way
        return wait(seat, timeout)

    monkeypatch.setattr(Seat, "wait", put_two)
    assert queue.get() == "a"
    monkeypatch.undo()
    assert sleeping[0].is_rung()


def test_only_one_looks_at_a_time(monkeypatch):
    queue = PoolQueue()
    queue._region.memory[queue._spinner] = GETTER[0]  # another one is looking
    monkeypatch.setattr(spinning, "_yield", lambda: pytest.fail("looked all the same"))
    with pytest.raises(QueueError):
        queue.get(0.0, spin=60.0)
    assert is_looked_at(queue)


def test_looker_that_is_struck_leaves_no_token_and_rings(monkeypatch):
    queue = PoolQueue()
    sleeper = Sleeper(queue)

    def strike():
        queue.put("item")  # which rings nobody: somebody looks
        raise Struck

    monkeypatch.setattr(spinning, "_yield", strike)
    with pytest.raises(Struck):
        queue.get(spin=60.0)
    assert not is_looked_at(queue)
    assert sleeper.is_rung()


def test_wait_leaves_the_item_and_ends_for_another_reason():
    queue = PoolQueue()
    assert not queue.wait(0.0)
    assert queue.wait(60.0, unless=lambda: True)
    queue.put("item")
    assert queue.wait(60.0)
    assert queue.get_nowait() == "item"


def test_looker_calls_the_runtime_once_however_long_it_looks(monkeypatch):
    queue, counts, looks = PoolQueue(), [], []

    def count(qid):
        counts.append(qid)
        return queue_count(qid)

    def look_on():
        looks.append(None)
        if len(looks) == 1000:
            queue._region.memory[queue._slot.base + HAS_NEWS] = 1

    monkeypatch.setattr(spinning, "queue_count", count)
    monkeypatch.setattr(spinning, "_yield", look_on)
    spinning._look(queue._slot, 60.0)
    assert len(counts) == 1


def test_item_put_between_the_first_try_and_s1_is_not_looked_for_in_vain(monkeypatch):
    queue = PoolQueue()
    monkeypatch.setattr(spinning, "perf_counter", lambda: (queue.put("item"), 0.0)[1])
    monkeypatch.setattr(spinning, "_yield", lambda: pytest.fail("there is an item"))
    spinning._look(queue._slot, 60.0)


def test_relieved_sleeper_is_not_woken_until_it_is_reinstated():
    queue = PoolQueue()
    sleeper = Sleeper(queue)
    relieved: list[int] = []
    queue.relieve(relieved)
    queue.put("item")
    assert not sleeper.is_rung()
    queue.relieve(relieved)  # nobody else sleeps
    assert relieved == [sleeper.place]
    assert list(queue.reinstatement()) == [None]
    queue.ring()
    assert sleeper.is_rung()
    assert list(queue.reinstatement()) == [None]  # nobody is relieved any more
    assert sleepers(queue) == 0


def test_sleeper_that_is_rung_while_it_stands_back_rings_who_reads_in_its_place(monkeypatch):
    """A ring was on its way when it was relieved; it may have been for an item that the other one sleeps for."""
    queue = PoolQueue()
    own_seat()
    is_led, waits, other = [True], [], []
    wait = Seat.wait

    def come_back(seat, timeout):
        if timeout == 0.0:
            return wait(seat, timeout)  # is_rung
        waits.append(sleepers(queue, STANDING_BACK))
        if len(waits) == 1:
            other.append(Sleeper(queue))
            return True  # a late ring
        assert other[0].is_rung()
        queue.put("item")
        is_led.clear()
        assert list(queue.reinstatement()) == [None]
        queue.ring()
        return wait(seat, timeout)

    monkeypatch.setattr(Seat, "wait", come_back)
    assert queue.wait(stands_back=is_led.__len__)
    assert waits == [1, 1]


@pytest.mark.parametrize("has_processors", [False, True])
def test_who_only_waits_gives_the_interpreter_away_only_where_there_is_one_processor(monkeypatch, has_processors):
    """Another thread of it would keep it for a switch interval, and the item comes from another interpreter."""
    queue, yields = PoolQueue(), []
    seconds = itertools.count()

    def give_away() -> None:
        yields.append(True)
        queue.put("item")

    def now() -> float:
        number = next(seconds)
        if has_processors and number == 3:  # while it looks
            queue.put("item")
        return float(number)

    monkeypatch.setattr(spinning, "_HAS_PROCESSORS", has_processors)
    monkeypatch.setattr(spinning, "_yield", give_away)
    monkeypatch.setattr(spinning, "perf_counter", now)
    assert queue.wait(60.0, spin=60.0)
    assert len(yields) == (not has_processors)
    assert next(seconds) < 10  # it did not look on
