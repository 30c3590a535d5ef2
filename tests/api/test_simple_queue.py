"""SimpleQueue: items from any interpreter to any other."""

from __future__ import annotations

import threading

import pytest
import tasks

from interp_api import NotShareableError, PoolQueue, QueueError, QueueNotFoundError, SimpleQueue
from interp_api._runtime.cpython import queue_create
from interp_api._wakeup.channel import QueueRefs

BOTH = pytest.mark.parametrize("kind", [SimpleQueue, PoolQueue])


@BOTH
def test_smoke(kind):
    queue = kind()
    queue.put(("a", 1, None))
    assert queue.qsize() == 1
    assert queue.get() == ("a", 1, None)
    with pytest.raises(QueueError):
        queue.get_nowait()


@BOTH
@pytest.mark.parametrize("timeout", [0, 0.001])
def test_get_of_nothing_ends_with_its_time(timeout, kind):
    with pytest.raises(QueueError, match=f"no item arrived in {timeout} seconds"):
        kind().get(timeout)


@BOTH
@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
def test_time_that_is_none_is_refused_and_nothing_taken(timeout, kind):
    queue = kind()
    queue.put("item")
    with pytest.raises((ValueError, TypeError)):
        queue.get(timeout)
    assert queue.get_nowait() == "item"


@BOTH
def test_unshareable_item_is_refused_and_nothing_put(kind):
    queue = kind()
    with pytest.raises((NotShareableError, TypeError, ValueError)):
        queue.put([])
    assert queue.qsize() == 0


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
