"""The count of unfinished tasks: sums of cells that nobody reads in one moment."""

from __future__ import annotations

import tasks

import interp_api
from interp_api import create_queue
from interp_api._queues import shared_counter
from interp_api._queues.shared_counter import SharedCounter
from interp_api._runtime.cpython import queue_count
from interp_api._wakeup.arena import COLUMN_OWNERS, COLUMNS, tables


def raise_once(counter):
    counted: list[None] = []
    counter.raise_by_one(counted)
    assert len(counted) == 1


def test_new_counter_is_zero():
    queue = create_queue()
    assert queue._store.counter.is_zero()
    assert not queue._store.counter.lower_by_one()


def test_as_many_lowerings_as_raisings_give_zero_whatever_the_number():
    queue = create_queue()
    counter = queue._store.counter
    for _ in range(3000):
        raise_once(counter)
    for _ in range(2999):
        assert counter.lower_by_one()
    assert not counter.is_zero()
    assert counter.lower_by_one()
    assert counter.is_zero()
    assert not counter.lower_by_one()


def test_raising_that_is_undone_is_undone_once():
    queue = create_queue()
    counted: list[None] = []
    queue._store.counter.raise_by_one(counted)
    queue._store.counter.undo(counted)
    queue._store.counter.undo(counted)
    assert queue._store.counter.is_zero()


def test_count_outlives_the_interpreter_that_raised_it(interpreter):
    queue = create_queue()
    interpreter.call(tasks.put_all, queue, range(5))
    interpreter.close()
    for _ in range(5):
        assert queue._store.counter.lower_by_one()
    assert queue._store.counter.is_zero()


def test_interpreter_goes_on_where_the_one_before_it_has_ended():
    queue = create_queue()
    free = [tables.cells[COLUMN_OWNERS + number] for number in range(COLUMNS)].count(0)
    for _ in range(3):
        interpreter = interp_api.create()
        interpreter.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
        interpreter.call(tasks.put_number, queue)
        interpreter.close()
    owners = [tables.cells[COLUMN_OWNERS + number] for number in range(COLUMNS)]
    assert owners.count(0) >= free - 2  # this interpreter, and one of them
    for _ in range(3):
        queue.task_done()
    queue.join()


def test_interpreters_beyond_the_last_row_share_it(monkeypatch):
    queue = create_queue()
    monkeypatch.setattr(shared_counter, "_own", [shared_counter._SHARED])
    used = tables.cells[shared_counter.COLUMNS_USED]
    tables.cells[shared_counter.COLUMNS_USED] = COLUMNS
    others = [SharedCounter(queue._slot) for _ in range(2)]
    for counter in others:
        raise_once(counter)
        raise_once(counter)
    for counter in (*others, *others):
        assert not counter.is_zero()
        assert counter.lower_by_one()
    assert queue._store.counter.is_zero()
    tables.cells[shared_counter.COLUMNS_USED] = used


def test_zero_is_not_read_when_a_task_is_put_and_another_done_between_the_sums(monkeypatch):
    """1. The reader sums what is done: 0. 2. A second task is put, and both are done. 3. It sums what was put: 2."""
    queue = create_queue()
    counter, calls = queue._store.counter, []
    raise_once(counter)

    def count(qid):
        calls.append(qid)
        if len(calls) == 2:  # between the sums
            raise_once(counter)
            counter._count(shared_counter.DONES, [])
        return queue_count(qid)

    monkeypatch.setattr(shared_counter, "queue_count", count)
    assert not counter.is_zero()
