"""multiprocessing's locks, events, values and queues reach workers, where a child process would inherit them."""

from __future__ import annotations

import multiprocessing

import pytest
import scripts
import synchronize_tasks as tasks

from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor, TaskPicklingError

CONTEXTS = ["spawn", "forkserver"]


@pytest.fixture(scope="module", autouse=True)
def _own_heap():
    """Let multiprocessing open the memory of its values, which it keeps."""
    multiprocessing.get_context("spawn").RawValue("d", 0)


@pytest.mark.parametrize("method", CONTEXTS)
def test_objects_reach_the_initializer(method):
    context = multiprocessing.get_context(method)
    value, queue, event, array = context.Value("i", 0), context.SimpleQueue(), context.Event(), context.Array("d", 4)
    raw = context.RawValue("i", 0)
    given = context.Lock(), value, queue, event, array, context.BoundedSemaphore(2), raw
    with InterpreterPoolExecutor(2, reuse=False, initializer=tasks.take, initargs=given) as executor:
        results = executor.map(tasks.use_all, range(4), chunksize=1)
        event.set()
        assert [*results] == [0, 1, 2, 3]
    assert value.value == 6
    assert sorted(queue.get() for _ in range(4)) == [0, 1, 2, 3]
    assert array[:] == [0, 1, 4, 9]
    assert raw.value == 7
    queue.close()


@pytest.mark.parametrize("method", CONTEXTS)
def test_objects_reach_tasks(method):
    context = multiprocessing.get_context(method)
    lock, queue = context.RLock(), context.Queue()
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        assert [*executor.map(tasks.enter, [lock] * 4, range(4))] == [0, 1, 2, 3]
        assert executor.submit(tasks.enter, lock, 5).result(60) == 5
        [*executor.map(tasks.fill, [queue] * 3, range(3))]
        assert sorted(queue.get(timeout=60) for _ in range(3)) == [0, 1, 2]
    queue.close()
    queue.join_thread()


def test_objects_cross_queues():
    lock, queue = multiprocessing.get_context("spawn").Lock(), create_queue()
    queue.put(lock)
    received = queue.get(timeout=60)
    with lock:
        assert not received.acquire(block=False)
    assert received.acquire(block=False)
    received.release()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
def test_lock_of_a_context_that_forks_says_why_it_cannot_be_sent():
    lock = multiprocessing.get_context("fork").Lock()
    with InterpreterPoolExecutor(1) as executor:
        with pytest.raises(TaskPicklingError, match=r"has no name.*, or use interp_api.create_queue"):
            executor.submit(tasks.enter, lock, 1).result(60)
        assert executor.submit(abs, -1).result(60) == 1


def test_multiprocessing_is_told_of_no_child_afterwards():
    lock = multiprocessing.get_context("spawn").Lock()
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.enter, lock, 1).result(60) == 1
    assert multiprocessing.context.get_spawning_popen() is None


@pytest.mark.programs
def test_queue_that_workers_keep_holds_up_no_exit(tmp_path):
    """Its thread, in a worker, ends as in a child: not by being a daemon, which the runtime refuses."""
    script = """
import multiprocessing
from interp_pool import InterpreterPoolExecutor

def keep(given):
    global queue
    queue = given

def put(number):
    queue.put(number)

if __name__ == "__main__":
    own = multiprocessing.get_context("spawn").Queue()
    with InterpreterPoolExecutor(2, initializer=keep, initargs=(own,)) as executor:
        list(executor.map(put, range(4)))
    print(sorted(own.get(timeout=60) for _ in range(4)))
"""
    assert scripts.run_text(tmp_path, script) == (0, "[0, 1, 2, 3]\n", "")
