"""Items of a queue whose interpreter is closed: UNBOUND, an error, or nothing at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import tasks
from waiting import PUTTER, wait_for_sleeper

from interp_api import (
    UNBOUND,
    UNBOUND_ERROR,
    UNBOUND_REMOVE,
    ItemInterpreterDestroyed,
    QueueEmpty,
    create_queue,
)


@pytest.mark.parametrize("kind", [UNBOUND, UNBOUND_ERROR, UNBOUND_REMOVE])
def test_default_for_unbound_items_is_read_back_everywhere(kind, interpreter):
    queue = create_queue(unbounditems=kind)
    assert queue.unbounditems is kind
    assert interpreter.call(tasks.unbound_name, queue) == repr(kind)


@pytest.mark.parametrize("kind", [None, 5, "UNBOUND", []])
def test_unknown_kind_of_unbound_items_is_refused(kind):
    with pytest.raises(ValueError, match="unbounditems must be UNBOUND, UNBOUND_ERROR or UNBOUND_REMOVE"):
        create_queue(unbounditems=kind)


def test_unbound_items_of_every_kind_keep_their_places(interpreter):
    queue = create_queue()
    kinds = ["UNBOUND", "UNBOUND_ERROR", "UNBOUND", "UNBOUND_REMOVE", "UNBOUND"]
    interpreter.call(tasks.put_with_kinds, queue, list(enumerate(kinds)))
    assert queue.qsize() == 5
    interpreter.close()
    assert queue.qsize() == 4
    assert queue.get() is UNBOUND
    with pytest.raises(ItemInterpreterDestroyed):
        queue.get()
    assert queue.get() is UNBOUND
    assert queue.get() is UNBOUND
    assert queue.empty()
    with pytest.raises(QueueEmpty):
        queue.get_nowait()


def test_removed_tail_does_not_corrupt_the_queue(interpreter):
    """gh-146427: A here, B there to be removed, close there, C here: the runtime loses C and writes to freed memory."""
    queue = create_queue()
    queue.put("A")
    interpreter.call(tasks.put_with_kinds, queue, [("B", "UNBOUND_REMOVE")])
    interpreter.close()
    queue.put("C")
    assert queue.qsize() == 2
    assert [queue.get(), queue.get()] == ["A", "C"]
    assert queue.empty()


def test_removed_items_free_their_slots_and_their_tasks(interpreter):
    queue = create_queue(2)
    interpreter.call(tasks.put_with_kinds, queue, [(1, "UNBOUND_REMOVE"), (2, "UNBOUND_REMOVE")])
    with ThreadPoolExecutor(1) as threads:
        putting = threads.submit(queue.put, "after", timeout=60)
        wait_for_sleeper(queue, PUTTER)
        interpreter.close()
        putting.result()
    assert queue.get() == "after"
    queue.task_done()
    queue.join()


def test_removable_items_that_were_got_in_time_are_ordinary(interpreter):
    queue = create_queue(unbounditems=UNBOUND_REMOVE)
    interpreter.call(tasks.put_all, queue, [1, [2], 3])
    assert [queue.get(), queue.get()] == [1, [2]]
    interpreter.close()
    assert queue.empty()
    queue.put(4)
    assert queue.get() == 4
    for _ in range(3):
        queue.task_done()
    queue.join()
