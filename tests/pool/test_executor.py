"""submit, cancel, callbacks, shutdown: what every executor promises."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import sys
import threading
import weakref
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
    as_completed,
    wait,
)

import failing_tasks
import pytest
import tasks

import interp_api
import interp_pool._pool.pool
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, TaskPicklingError
from interp_pool._core.states import PoolState
from interp_pool._pool.calls import Calls
from interp_pool._pool.kernel import Kernel
from interp_pool._pool.manager import Manager


def test_submit_positional_and_keyword_arguments_returns_result(executor):
    assert executor.submit(tasks.add, 2, right=3).result() == 5


def test_submit_runs_in_another_interpreter(executor):
    assert executor.submit(tasks.current_id).result() != interp_api.get_current().id


def test_executor_is_a_thread_pool_executor_for_asyncio_and_dask():
    executor = InterpreterPoolExecutor(3, "spam")
    assert isinstance(executor, ThreadPoolExecutor)
    assert (executor._max_workers, executor._thread_name_prefix, executor._threads) == (3, "spam", set())


def test_repr_tells_state_workers_and_queue(executor, gate):
    futures = [*gate.hold(executor, 2), *(gate.submit(executor) for _ in range(3))]
    told = "InterpreterPool running, at most 2 workers: workers 2, busy 2, lent 0, queued 3, "
    assert repr(executor).startswith(f"<InterpreterPoolExecutor on <{told}")
    gate.open(5)
    wait(futures)


def test_what_is_no_context_is_refused_where_processes_start_by_it():
    with pytest.raises(TypeError, match="mp_context must be a context of multiprocessing"):
        InterpreterPoolExecutor(1, mp_context="spawn", fallback="process")


def test_mp_context_is_accepted():
    with InterpreterPoolExecutor(1, mp_context=object()) as executor:
        assert executor.submit(tasks.identity, 1).result() == 1


@pytest.mark.parametrize("second", [None, multiprocessing.get_context("spawn")])
def test_arguments_of_a_process_pool_are_accepted_by_position(second):
    with InterpreterPoolExecutor(1, second, print, ("",)) as executor:
        assert executor._thread_name_prefix.startswith("InterpreterPoolExecutor-")
        assert executor.submit(tasks.identity, 1).result(60) == 1


class Owner:
    """Has its executor, and sends a method of its own."""

    def __init__(self, what):
        self.what = what

    def work(self):
        """Never runs."""


@pytest.mark.parametrize(
    ("of", "remedy"),
    [
        (lambda executor: executor, "current_executor()"),
        (lambda executor: executor.options(timeout=1), "current_executor()"),
        (lambda executor: executor._pool, "current_executor()"),
        (lambda executor: executor.submit(tasks.identity, 1), "send its result()"),
    ],
)
def test_executor_in_what_is_sent_is_told(executor, of, remedy):
    """noxdafox/pebble#60: the owner of a pool sends its own method, and the pool goes along."""
    error = executor.submit(Owner(of(executor)).work).exception(60)
    assert isinstance(error, TaskPicklingError)
    assert "which stays in its interpreter" in str(error)
    assert remedy in str(error)


def test_submit_from_many_threads_at_once_loses_nothing(executor):
    futures: list[Future[int]] = []
    start = threading.Barrier(8)

    def submit(base):
        start.wait()
        futures.extend([executor.submit(tasks.identity, base + i) for i in range(50)])

    threads = [threading.Thread(target=submit, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(f.result() for f in futures) == sorted(1000 * n + i for n in range(8) for i in range(50))


def test_cancel_of_waiting_task_keeps_it_from_running(executor, gate):
    ran = interp_api.create_queue()
    held = gate.hold(executor, 2)
    ahead = [gate.submit(executor) for _ in range(2)]  # fill the window
    waiting = [executor.submit(tasks.put_and_return, ran, i) for i in range(3)]
    assert all(future.cancel() for future in waiting)
    assert not held[0].cancel()
    gate.open(4)
    wait(held + ahead)
    done, not_done = wait(waiting, timeout=60)
    assert not not_done
    assert all(future.cancelled() for future in done)
    assert ran.empty()


def test_shutdown_cancel_futures_cancels_what_waits_and_finishes_the_rest(executor, gate):
    running = gate.hold(executor, 2)
    waiting = [gate.submit(executor) for _ in range(5)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    gate.open(2)
    assert all(future.result() for future in running)


def test_shutdown_waits_for_everything_and_then_refuses(gate):
    executor = InterpreterPoolExecutor(1)
    futures = [*gate.hold(executor), executor.submit(tasks.identity, 5)]
    gate.open()
    executor.shutdown()
    assert futures[1].done()
    assert executor._threads == set()
    assert executor._pool._kernel.core.state is PoolState.CLOSED
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(tasks.identity, 1)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(tasks.identity, tasks.NoPickle())
    executor.shutdown()


def test_shutdown_of_unused_executor_starts_no_thread():
    before = threading.enumerate()
    InterpreterPoolExecutor(2).shutdown()
    assert threading.enumerate() == before


def test_callback_may_submit_cancel_and_shut_down(executor):
    outcome: Future[int] = Future()

    def callback(future):
        again = executor.submit(tasks.identity, future.result() + 1)
        executor.submit(tasks.identity, 0).cancel()
        executor.shutdown(wait=True)  # cannot wait here, and must not try
        again.add_done_callback(lambda f: outcome.set_result(f.result()))

    executor.submit(tasks.identity, 1).add_done_callback(callback)
    assert outcome.result(60) == 2


def test_callback_on_shared_pool_may_shut_its_executor_down():
    done = threading.Event()
    with InterpreterPool(1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)

        def callback(future):
            executor.submit(tasks.identity, 2)
            executor.shutdown(wait=True)
            done.set()

        executor.submit(tasks.identity, 1).add_done_callback(callback)
        assert done.wait(60)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_callback_that_raises_base_exception_does_not_end_the_pool(executor, logged, kind):
    def callback(future):
        raise kind("from a callback")

    executor.submit(tasks.identity, 1).add_done_callback(callback)
    assert executor.submit(tasks.identity, 2).result(60) == 2
    executor.shutdown()
    assert [(level, raised) for level, _, raised in logged] == [(logging.CRITICAL, kind)]


def test_callback_that_raises_is_logged_and_the_pool_goes_on(executor, logged):
    executor.submit(tasks.identity, 1).add_done_callback(lambda future: 1 / 0)
    assert executor.submit(tasks.identity, 2).result(60) == 2
    executor.shutdown()
    assert [raised for _, _, raised in logged] == [ZeroDivisionError]


def test_callback_that_blocks_delays_only_settling(executor):
    blocked, go_on, ran = threading.Event(), threading.Event(), interp_api.create_queue()

    def callback(future):
        blocked.set()
        assert go_on.wait(60)

    executor.submit(tasks.identity, 1).add_done_callback(callback)
    assert blocked.wait(60)
    futures = [executor.submit(tasks.put_and_return, ran, i) for i in range(3)]
    assert sorted(ran.get(timeout=60) for _ in futures) == [0, 1, 2]
    go_on.set()
    assert [future.result(60) for future in futures] == [0, 1, 2]


def test_future_settled_by_somebody_else_does_not_end_the_pool(executor, gate, logged):
    (held,) = gate.hold(executor)
    held.set_result("mine")
    gate.open()
    assert executor.submit(tasks.identity, 2).result(60) == 2
    executor.shutdown()
    assert held.result() == "mine"
    assert [raised for _, _, raised in logged] == [InvalidStateError]


def test_manager_failure_fails_every_future_loudly(gate, logged, monkeypatch):
    executor = InterpreterPoolExecutor(1)
    futures = [*gate.hold(executor), *(executor.submit(tasks.identity, i) for i in range(3))]
    monkeypatch.setattr(Manager, "_note_result", lambda *args: 1 / 0)
    gate.open()
    wait(futures, 60)  # leaves the results to the manager
    for future in futures:
        with pytest.raises(BrokenInterpreterPool, match="before the task was done: ZeroDivisionError: division by"):
            future.result(60)
    with pytest.raises(BrokenInterpreterPool, match="division by zero") as info:
        executor.submit(tasks.identity, 1)
    assert isinstance(info.value.__cause__, ZeroDivisionError)
    executor.shutdown()
    executor._pool.check_invariants()
    assert logged == [(logging.CRITICAL, "the manager thread of a pool failed:", ZeroDivisionError)]
    executor._pool._kernel.core.broken = None  # its traceback holds the pool, as long as somebody holds the error


def test_no_thread_for_manager_fails_submit_and_the_next_one_works(executor, monkeypatch):
    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", NoThread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            executor.submit(tasks.identity, 1)
    executor._pool.check_invariants()
    assert executor.submit(tasks.identity, 2).result(60) == 2


def test_no_thread_for_any_worker_breaks_the_pool_loudly(monkeypatch, logged):
    executor = InterpreterPoolExecutor(1)
    monkeypatch.setattr(
        interp_pool._workers.handle.Worker, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no thread"))
    )
    with pytest.raises(BrokenInterpreterPool, match="a worker could not start: no thread"):
        executor.submit(tasks.identity, 1).result(60)
    executor.shutdown()
    assert [message for _, message, _ in logged] == ["No worker thread can start:"]


@pytest.mark.parametrize("where", ["send", "want_workers", "wake_manager"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_submit_struck_by_keyboard_interrupt_loses_nothing_else(executor, monkeypatch, where, moment):
    assert executor.submit(tasks.identity, 0).result(60) == 0
    kind = Calls if where == "send" else Kernel
    original = getattr(kind, where)
    strikes = iter([True])

    def struck(self, *args):
        strike = threading.current_thread() is threading.main_thread() and next(strikes, False)
        if strike and moment == "before":
            raise KeyboardInterrupt
        original(self, *args)
        if strike:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(kind, where, struck)
        futures = []
        try:
            futures += [executor.submit(tasks.identity, i) for i in range(5)]
        except KeyboardInterrupt:
            pass
        futures = [executor.submit(tasks.identity, i) for i in range(5)]
        assert [future.result(60) for future in futures] == list(range(5))
    executor.shutdown()
    executor._pool.check_invariants()
    assert executor._pool._kernel.core.state is PoolState.CLOSED


def test_wait_and_as_completed_see_results_and_failures(executor, gate):
    held = gate.hold(executor)[0]
    good, bad = executor.submit(tasks.identity, 1), executor.submit(tasks.fail, ValueError("x"))
    assert wait([held, good], return_when=FIRST_COMPLETED).done == {good}
    assert bad in wait([held, bad], return_when=FIRST_EXCEPTION).done
    gate.open()
    assert wait([held, good, bad], return_when=ALL_COMPLETED).not_done == set()
    assert set(as_completed([held, good, bad], timeout=60)) == {held, good, bad}


def test_result_and_argument_are_not_kept_alive(executor):
    class Argument(bytearray):
        pass

    source = failing_tasks.WithAttribute("argument")
    sent = weakref.ref(source)
    future = executor.submit(tasks.identity, source)
    result = weakref.ref(future.result(60))
    del source, future
    executor.submit(tasks.identity, 1).result(60)  # the manager has come round
    gc.collect()
    assert sent() is None
    assert result() is None


@pytest.mark.skipif(sys.version_info < (3, 14), reason="gh-132776: 3.13 keeps the exporter of a sent memoryview")
def test_shared_memory_is_released_once_the_future_is_done(executor):
    buffer = bytearray(100)
    executor.submit(tasks.fill, memoryview(buffer), 7).result(60)
    executor.submit(tasks.identity, 1).result(60)
    buffer.append(1)  # BufferError while anybody exports it
    assert buffer[:100] == b"\7" * 100


@pytest.mark.parametrize(
    "submit",
    [
        lambda ex: ex.submit(tasks.fail, failing_tasks.WithAttribute("x")),
        lambda ex: ex.submit(tasks.identity, tasks.NoPickle()),
        lambda ex: ex.submit(tasks.make_unpicklable),
        lambda ex: ex.submit(tasks.make_one_that_cannot_be_unpickled),
    ],
)
def test_exception_is_in_no_reference_cycle(executor, submit):
    future = submit(executor)
    exception = weakref.ref(future.exception(60))
    executor.submit(tasks.identity, 1).result(60)
    gc.collect()
    gc.disable()
    try:
        del future
        assert exception() is None
    finally:
        gc.enable()


def test_exception_of_unpicklable_task_does_not_keep_its_arguments(executor):
    argument = failing_tasks.WithAttribute("kept?")
    kept = weakref.ref(argument)
    future = executor.submit(tasks.add, argument, tasks.NoPickle())
    assert future.exception(60)
    del argument
    gc.collect()
    assert kept() is None


def test_forgotten_executor_finishes_its_tasks_and_ends(gate):
    executor = InterpreterPoolExecutor(1)
    (held,) = gate.hold(executor)
    threads = [*executor._threads, executor._pool._kernel.manager]
    del executor
    gc.collect()
    gate.open()
    assert held.result(60)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_forgotten_executor_in_cycle_is_finalized_while_the_lock_is_held(gate):
    """A collection can strike in any thread, the one that holds the pool's lock included."""
    executor = InterpreterPoolExecutor(1)
    assert executor.submit(tasks.identity, 1).result(60) == 1
    executor.cycle = executor
    pool, manager = executor._pool, executor._pool._kernel.manager
    with pool._kernel.lock:
        del executor
        gc.collect()
    manager.join(60)
    assert pool._kernel.core.state is PoolState.CLOSED


def test_executor_forgotten_before_use_is_collected():
    executor = InterpreterPoolExecutor(1)
    pool = weakref.ref(executor._pool)
    del executor
    gc.collect()
    assert pool() is None


def test_nested_executor_works_in_a_task(executor):
    assert executor.submit(tasks.sum_in_nested_pool, [1, 2, 3]).result(60) == 6


def test_nested_executor_that_is_forgotten_does_not_hold_the_worker_up(executor):
    assert executor.submit(tasks.forget_nested_pool, 5).result(60) == 5


def test_uncallable_function_fails_its_future(executor):
    assert isinstance(executor.submit("spam").exception(60), TypeError)


def test_task_may_run_asyncio(executor):
    assert executor.submit(tasks.run_asyncio, 5).result(60) == 5
