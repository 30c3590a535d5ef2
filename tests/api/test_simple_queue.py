"""SimpleQueue: items, looking before sleeping, relieving a sleeper.

S1 to S5 and P1a are the steps of `interp_api._simple_queue`, the others those of `interp_api._channel`.
"""

from __future__ import annotations

import threading
from collections import deque

import pytest
import tasks

from interp_api import NotShareableError, QueueError, QueueNotFoundError, SimpleQueue, _doorbell, _simple_queue
from interp_api._channel import QueueRefs
from interp_api._cpython import queue_append, queue_count, queue_create, queue_get


class Struck(BaseException):
    """What a signal handler raises."""


class Sleeper:
    """Another thread, asleep on a queue."""

    def __init__(self, queue):
        self.bell = _doorbell.Doorbell()
        queue_append(queue._sleepers, self.bell.address)

    def is_rung(self):
        return self.bell.wait(0.0)


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
    # S1; P1 and P1a run in place of the first yield of S2; S3; S4 finds the item; S5: nothing is left.
    monkeypatch.setattr(_simple_queue, "_yield", lambda: queue.put("item"))
    assert queue.get(spin=60.0) == "item"
    assert not sleeper.is_rung()
    assert queue_count(queue._lookers) == 0
    queue_get(queue._sleepers)


def test_items_put_while_somebody_looks_ring_a_sleeper_for_the_rest(monkeypatch):
    queue = SimpleQueue()
    sleepers = [Sleeper(queue), Sleeper(queue)]

    def put_three():
        for number in range(3):
            queue.put(number)

    monkeypatch.setattr(_simple_queue, "_yield", put_three)
    assert queue.get(spin=60.0) == 0
    # S5 of the one who looked; the one it rang would ring the other.
    assert [sleeper.is_rung() for sleeper in sleepers] == [True, False]
    queue_get(queue._sleepers)


def test_getter_that_slept_rings_the_next_for_what_is_left(monkeypatch):
    queue = SimpleQueue()
    putter = SimpleQueue(queue.id)

    def put_two_and_let_another_sleep(wait=_doorbell.Doorbell.wait):
        # Both rings of the putters go to this thread's own address and nowhere.
        putter.put("a")
        putter.put("b")
        sleepers.append(Sleeper(queue))

    sleepers: list[Sleeper] = []
    wait = _doorbell.Doorbell.wait

    def waiting(bell, timeout):
        if not sleepers:
            put_two_and_let_another_sleep()
        return wait(bell, timeout)

    monkeypatch.setattr(_doorbell.Doorbell, "wait", waiting)
    assert queue.get() == "a"
    assert sleepers[0].is_rung()


def test_only_one_looks_at_a_time(monkeypatch):
    queue = SimpleQueue()
    queue_append(queue._lookers, None)  # another one is looking
    monkeypatch.setattr(_simple_queue, "_yield", lambda: pytest.fail("looked all the same"))
    with pytest.raises(QueueError):
        queue.get(0.0, spin=60.0)
    assert queue_count(queue._lookers) == 1


def test_looker_that_is_struck_leaves_no_token_and_rings(monkeypatch):
    queue = SimpleQueue()
    sleeper = Sleeper(queue)

    def strike():
        queue.put("item")  # which rings nobody: somebody looks
        raise Struck

    monkeypatch.setattr(_simple_queue, "_yield", strike)
    with pytest.raises(Struck):
        queue.get(spin=60.0)
    assert queue_count(queue._lookers) == 0
    assert sleeper.is_rung()


def test_wait_leaves_the_item_and_ends_for_another_reason():
    queue = SimpleQueue()
    assert not queue.wait(0.0)
    assert queue.wait(60.0, unless=lambda: True)
    queue.put("item")
    assert queue.wait(60.0)
    assert queue.get_nowait() == "item"


def test_relieved_sleeper_is_not_woken_until_it_is_reinstated():
    queue = SimpleQueue()
    sleeper = Sleeper(queue)
    relieved: list[tuple[int, object]] = []
    queue.relieve(relieved)
    queue.put("item")
    assert not sleeper.is_rung()
    queue.relieve(relieved)  # nobody else sleeps
    assert [item[0] for item in relieved] == [sleeper.bell.address]
    queue.reinstate(sleeper.bell.address)
    queue.ring()
    assert sleeper.is_rung()
