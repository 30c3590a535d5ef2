"""SimpleQueue, chains and addresses."""

from __future__ import annotations

import threading

import pytest
import tasks

from interp_api import NotShareableError, QueueError, QueueNotFoundError, SimpleQueue, create_queue
from interp_api._channel import QueueRefs, check_timeout, create_chain, create_linked, follow_chain, linked_number
from interp_api._cpython import queue_create


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
        SimpleQueue().get(timeout, spin=3)


@pytest.mark.parametrize("timeout", [-1, float("-inf"), float("nan")])
def test_impossible_timeout_is_refused(timeout):
    with pytest.raises(ValueError, match="non-negative number of seconds"):
        check_timeout(timeout)


def test_infinite_timeout_means_none():
    assert check_timeout(float("inf")) is None
    assert check_timeout(0.25) == 0.25


def test_unshareable_item_is_refused_and_nothing_put():
    queue = SimpleQueue()
    with pytest.raises((NotShareableError, TypeError, ValueError)):
        queue.put([])
    assert queue.qsize() == 0


def test_drain_takes_what_is_there_up_to_its_limit():
    queue = SimpleQueue()
    for number in range(5):
        queue.put(number)
    assert queue.drain(3) == [0, 1, 2]
    assert queue.drain(3) == [3, 4]
    assert queue.drain(3) == []


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


def test_chain_is_followed_from_its_address_only():
    refs = QueueRefs([])
    ids = create_chain(3, 7, refs)
    assert follow_chain(ids[0], 3) == (ids, 7)
    assert follow_chain(ids[1], 3) is None
    assert follow_chain(ids[0], 2) is None
    linked = create_linked(5)
    refs.add(linked)
    assert linked_number(linked) == 5


def test_user_queue_with_negative_size_carries_no_number():
    queue = create_queue(-5)
    assert queue.maxsize == -5
    assert linked_number(queue._held) is None
