"""SimpleQueue: items, looking before sleeping, relieving a sleeper.

The steps are those of `interp_api/_wakeup/README.md`.
"""

from __future__ import annotations

import threading
from collections import deque

import pytest
import tasks
from waiting import GETTER, sleepers

from interp_api import NotShareableError, QueueError, QueueNotFoundError, SimpleQueue
from interp_api._runtime.cpython import queue_count, queue_create
from interp_api._wakeup import parking, simple_queue
from interp_api._wakeup.arena import tables
from interp_api._wakeup.channel import QueueRefs
from interp_api._wakeup.seats import Seat, own_seat
from interp_api._wakeup.slot import HAS_NEWS, STANDING_BACK


class Struck(BaseException):
    """What a signal handler raises."""


class Sleeper:
    """Another thread, asleep on a queue."""

    def __init__(self, queue):
        self.seat = Seat()
        slot = queue._slot
        self.place = slot.first + self.seat.number
        slot.region.memory[self.place] = GETTER[0]
        tables.cells[parking.SEAT_PLACES + self.seat.number] = slot.id * 8 + GETTER[0]

    def is_rung(self):
        return self.seat.wait(0.0)


def is_looked_at(queue):
    return queue._region.memory[queue._spinner] == GETTER[0]


def test_smoke():
    queue = SimpleQueue()
    queue.put(("a", 1, None))
    assert queue.qsize() == 1
    assert queue.get() == ("a", 1, None)
    with pytest.raises(QueueError):
        queue.get_nowait()


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_get_of_nothing_ends_with_its_time(timeout):
    with pytest.raises(QueueError, match=f"no item arrived in {timeout} seconds"):
        SimpleQueue().get(timeout, spin=1e-6)


def test_unshareable_item_is_refused_and_nothing_put():
    queue = SimpleQueue()
    with pytest.raises((NotShareableError, TypeError, ValueError)):
        queue.put([])
    assert queue.qsize() == 0


def test_drain_takes_what_is_there_up_to_its_limit():
    queue = SimpleQueue()
    for number in range(5):
        queue.put(number)
    taken: deque[tuple[int, object]] = deque()
    queue.drain(taken, 3)
    assert [item[0] for item in taken] == [0, 1, 2]
    queue.drain(taken, 3)
    queue.drain(taken, 3)
    assert [item[0] for item in taken] == [0, 1, 2, 3, 4]


def test_blocked_get_in_another_interpreter_is_woken_by_a_put_there_and_back(interpreter):
    there, back = SimpleQueue(), SimpleQueue()
    thread = threading.Thread(target=interpreter.call, args=(tasks.echo, there.id, back.id, 200))
    thread.start()
    for number in range(200):
        there.put(number)
        assert back.get(timeout=60) == number
    thread.join()


def test_item_of_a_dead_interpreter_arrives_as_none(interpreter):
    queue = SimpleQueue()
    interpreter.call(tasks.put_simply, queue.id, "item")
    interpreter.close()
    assert queue.get(timeout=60) is None


def test_queue_ends_with_its_last_holder():
    queue = SimpleQueue()
    id, second = queue.id, SimpleQueue(queue.id)
    del queue
    second.put(1)
    del second
    with pytest.raises(QueueNotFoundError):
        SimpleQueue(id)


def test_foreign_queue_is_refused():
    qid = queue_create(0, 3)
    refs = QueueRefs([qid])
    with pytest.raises(QueueError, match=f"queue {qid} was not created by SimpleQueue"):
        SimpleQueue(qid)
    del refs


def test_item_put_while_somebody_looks_rings_nobody(monkeypatch):
    queue = SimpleQueue()
    sleeper = Sleeper(queue)
    # S1; P1 and P2a run in place of the first yield of S2; S3; S4 finds the item; S5: nothing is left.
    monkeypatch.setattr(simple_queue, "_yield", lambda: queue.put("item"))
    assert queue.get(spin=60.0) == "item"
    assert not sleeper.is_rung()
    assert not is_looked_at(queue)


def test_items_put_while_somebody_looks_ring_a_sleeper_for_the_rest(monkeypatch):
    queue = SimpleQueue()
    both = [Sleeper(queue), Sleeper(queue)]

    def put_three():
        for number in range(3):
            queue.put(number)

    monkeypatch.setattr(simple_queue, "_yield", put_three)
    assert queue.get(spin=60.0) == 0
    # S5 of the one who looked; the one it rang would ring the other.
    assert [sleeper.is_rung() for sleeper in both] == [True, False]


def test_getter_that_slept_rings_the_next_for_what_is_left(monkeypatch):
    queue = SimpleQueue()
    putter = SimpleQueue(queue.id)
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
    queue = SimpleQueue()
    queue._region.memory[queue._spinner] = GETTER[0]  # another one is looking
    monkeypatch.setattr(simple_queue, "_yield", lambda: pytest.fail("looked all the same"))
    with pytest.raises(QueueError):
        queue.get(0.0, spin=60.0)
    assert is_looked_at(queue)


def test_looker_that_is_struck_leaves_no_token_and_rings(monkeypatch):
    queue = SimpleQueue()
    sleeper = Sleeper(queue)

    def strike():
        queue.put("item")  # which rings nobody: somebody looks
        raise Struck

    monkeypatch.setattr(simple_queue, "_yield", strike)
    with pytest.raises(Struck):
        queue.get(spin=60.0)
    assert not is_looked_at(queue)
    assert sleeper.is_rung()


def test_wait_leaves_the_item_and_ends_for_another_reason():
    queue = SimpleQueue()
    assert not queue.wait(0.0)
    assert queue.wait(60.0, unless=lambda: True)
    queue.put("item")
    assert queue.wait(60.0)
    assert queue.get_nowait() == "item"


def test_looker_calls_the_runtime_once_however_long_it_looks(monkeypatch):
    queue, counts, looks = SimpleQueue(), [], []

    def count(qid):
        counts.append(qid)
        return queue_count(qid)

    def look_on():
        looks.append(None)
        if len(looks) == 1000:
            queue._region.memory[queue._slot.base + HAS_NEWS] = 1

    monkeypatch.setattr(simple_queue, "queue_count", count)
    monkeypatch.setattr(simple_queue, "_yield", look_on)
    queue._spin(60.0)
    assert len(counts) == 1


def test_item_put_between_the_first_try_and_s1_is_not_looked_for_in_vain(monkeypatch):
    queue = SimpleQueue()
    monkeypatch.setattr(simple_queue, "perf_counter", lambda: (queue.put("item"), 0.0)[1])
    monkeypatch.setattr(simple_queue, "_yield", lambda: pytest.fail("there is an item"))
    queue._spin(60.0)


def test_relieved_sleeper_is_not_woken_until_it_is_reinstated():
    queue = SimpleQueue()
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
    queue = SimpleQueue()
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
