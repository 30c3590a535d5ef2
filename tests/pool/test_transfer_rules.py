"""What crosses: copies of everything, but for memory the sender offers."""

from __future__ import annotations

import gc
import pickle
from array import array

import pytest
import tasks
import transfer_tasks

from interp_pool import InterpreterPoolExecutor, close_idle

LARGE = 300_000


def test_argument_is_a_copy_taken_at_submit(executor, gate):
    held = [*gate.hold(executor, 2), gate.submit(executor), gate.submit(executor)]
    items = [1, 2]
    future = executor.submit(tasks.identity, items)
    items.append(3)
    gate.open(4)
    assert future.result(60) == [1, 2]
    assert all(f.result(60) for f in held)


@pytest.mark.parametrize(
    "make", [lambda: [1], lambda: bytearray(b"x"), lambda: bytearray(LARGE), lambda: array("i", [1])]
)
def test_task_changes_its_own_copy_only(executor, make):
    mine = make()
    theirs = executor.submit(transfer_tasks.change, mine).result(60)
    assert theirs[0] == 99
    assert mine == make()
    assert type(theirs) is type(mine)


def test_arguments_keep_what_they_have_in_common(executor):
    one = [1]
    assert executor.submit(transfer_tasks.are_same, one, one).result(60)
    assert executor.submit(transfer_tasks.are_same, left=one, right=one).result(60)
    assert not executor.submit(transfer_tasks.are_same, [1], [1]).result(60)


@pytest.mark.parametrize("size", [1, 10, LARGE])
@pytest.mark.parametrize("kind", [memoryview, pickle.PickleBuffer])
def test_view_argument_is_shared_and_writable(executor, size, kind):
    buffer = bytearray(size)
    executor.submit(tasks.fill, kind(buffer), 7).result(60)
    assert buffer == b"\7" * size


def test_view_anywhere_in_the_arguments_is_shared(executor):
    buffer = bytearray(10)
    executor.submit(transfer_tasks.fill_nested, {"views": [memoryview(buffer)[2:4]]}, 7).result(60)
    assert buffer == b"\0\0\7\7\0\0\0\0\0\0"


def test_view_whose_owner_was_dropped_is_kept_until_the_task_is_done(gate, executor):
    held = gate.hold(executor, 2)
    futures = [executor.submit(transfer_tasks.view_sum, memoryview(bytearray(b"\1" * LARGE))) for _ in range(3)]
    gc.collect()
    gate.open(2)
    assert [future.result(60) for future in futures] == [LARGE] * 3
    assert all(future.result(60) for future in held)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, LARGE])
def test_large_bytes_there_and_back(executor, size):
    data = b"ab" * (size // 2)
    assert executor.submit(tasks.identity, data).result(60) == data
    assert executor.submit(tasks.identity, bytearray(data)).result(60) == bytearray(data)


@pytest.mark.parametrize(
    ("make", "fill"),
    [(tasks.make_x_bytes, b"x"), (transfer_tasks.make_y_bytearray, b"y"), (transfer_tasks.make_picklebuffer, b"z")],
)
def test_result_does_not_point_into_the_memory_of_a_closed_worker(make, fill):
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        results = [future.result(60) for future in [executor.submit(make, LARGE) for _ in range(4)]]
    close_idle()
    for result in results:
        assert bytes(result) == fill * LARGE
        if not isinstance(result, bytes):
            result[0] = 1


def test_result_is_the_callers_own(executor):
    first, second = (executor.submit(transfer_tasks.make_y_bytearray, LARGE).result(60) for _ in range(2))
    first[0] = 0
    assert second[0] == ord("y")
