"""A pool that is shut down and told to stop ends soon, whatever its workers do besides tasks."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
import stopping_tasks
import tasks

from interp_pool import InterpreterPoolExecutor


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
@pytest.mark.parametrize("initializer", [tasks.spin, stopping_tasks.fail_when_interrupted])
def test_initializer_is_interrupted_and_may_fail_then(started, logged, initializer, how):
    executor = InterpreterPoolExecutor(1, initializer=initializer, initargs=(started,))
    future = executor.submit(tasks.identity, 1)
    started.get(timeout=60)
    getattr(executor, how)()
    executor.shutdown()
    assert future.cancelled()
    assert executor._pool.is_closed
    with pytest.raises(RuntimeError):
        executor.submit(tasks.identity, 1)
    assert not logged


def test_initializer_that_does_not_stop_is_left_behind(stuck):
    executor = InterpreterPoolExecutor(1, initializer=tasks.call_in_c, initargs=stuck.arguments())
    future = executor.submit(tasks.identity, 1)
    stuck.wait()
    (thread,) = executor._threads
    executor.terminate_workers()
    executor.shutdown()
    assert future.cancelled()
    assert thread.is_alive()
    stuck.release()
    thread.join()


def test_thread_that_a_task_has_left_is_left_behind(gate):
    executor = InterpreterPoolExecutor(1)
    executor.submit(tasks.leave_thread, gate.exits).result(60)
    (thread,) = executor._threads
    executor.terminate_workers()
    executor.shutdown()
    assert thread.is_alive()
    gate.open()
    thread.join()


def test_one_left_behind_does_not_keep_the_others_from_ending(gate):
    executor = InterpreterPoolExecutor(3)
    executor.submit(tasks.leave_thread, gate.exits).result(60)
    held = gate.hold(executor, 3)
    threads = executor._threads
    executor.kill_workers()
    executor.shutdown()
    assert all(future.done() for future in held)
    gate.open(4)
    for thread in threads:
        thread.join()


def test_initializer_goes_on_in_a_pool_that_is_not_shut_down(gate):
    with InterpreterPoolExecutor(1, initializer=tasks.hold, initargs=(gate.started, gate.exits)) as executor:
        future = executor.submit(tasks.identity, 1)
        gate.started.get(timeout=60)
        executor._pool.stop_at_once()
        with pytest.raises(CancelledError):
            future.result(60)
        gate.open()
        assert executor.submit(tasks.identity, 2).result(60) == 2


def test_messages_of_an_abandoned_worker_are_taken_before_it_may_end(stuck, gate, logged):
    """Its interpreter clears them when it is closed, and the manager failed over what was left."""
    executor = InterpreterPoolExecutor(1)
    entered, go = threading.Event(), threading.Event()
    (first,) = gate.hold(executor)
    first.add_done_callback(lambda _: (entered.set(), go.wait(60)))
    gate.open()
    assert entered.wait(60)  # the manager is busy
    stuck.hold(executor)
    (thread,) = executor._threads
    pool = executor._pool
    executor.kill_workers()
    while not pool.is_closed:
        pass
    stuck.release()
    thread.join(0.1)
    assert thread.is_alive()  # it waits to be let go
    go.set()
    executor.shutdown()
    thread.join()
    assert not logged
