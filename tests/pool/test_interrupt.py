"""Stopping tasks that run: `interrupt()`, and that it never hits anything else."""

from __future__ import annotations

import os
import queue
import random
import sys
import threading
from concurrent.futures import CancelledError, Future
from functools import partial
from time import monotonic
from types import SimpleNamespace

import pytest
import stopping_tasks
import tasks
from waiting import wait_until

from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted
from interp_pool._worker import control_thread
from interp_pool._workers import handle

SHORT = 0.02  # seconds for tasks that do not stop; those that do get a minute
LONG = 60.0


@pytest.mark.parametrize("task", [tasks.spin, stopping_tasks.spin_catching_exceptions])
def test_interrupt_ends_the_future_and_keeps_the_worker(single, started, task):
    worker = single.submit(tasks.current_id).result(60)
    future = single.submit(task, started)
    started.get(timeout=60)
    assert future.interrupt(LONG)
    with pytest.raises(TaskInterrupted) as info:
        future.result(60)
    assert info.value.has_stopped
    assert single.submit(tasks.current_id).result(60) == worker


def test_interrupt_tells_where_the_task_was(single, started):
    future = single.submit(tasks.spin, started)
    started.get(timeout=60)
    future.interrupt(LONG)
    text = str(future.exception(60).__cause__)
    assert "tasks.py" in text
    assert "in spin" in text
    assert "_worker_main" not in text


def test_interrupt_runs_finally_blocks(single, started):
    ended = create_queue()
    future = single.submit(stopping_tasks.spin_and_say_when_it_ends, started, ended)
    started.get(timeout=60)
    assert future.interrupt(LONG)
    assert ended.get(timeout=60) == "finally"


def test_interrupt_that_the_runtime_swallows_in_a_finalizer_is_raised_again(single, started):
    future = single.submit(stopping_tasks.spin_in_finalizer_then_in_the_task, started)
    started.get(timeout=60)
    assert future.interrupt(LONG)
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_interrupt_that_comes_while_another_one_is_noted_as_swallowed_is_noted_too(monkeypatch):
    """The control thread is so fast that it strikes the hook itself."""
    rung, noted = [], []

    def ring(address):
        rung.append(address)
        if len(rung) == 1:
            raise TaskInterrupted

    monkeypatch.setattr(control_thread, "ring", ring)
    control = control_thread.Control.__new__(control_thread.Control)
    control._board, control._address, control._lock, control._swallowed = [7], 5, threading.RLock(), noted
    control._note_unraisable(SimpleNamespace(exc_type=TaskInterrupted))
    assert rung == [5, 5]
    assert noted == [7, 7]


def test_interrupt_that_the_task_swallows_leaves_it_its_result(single, started):
    future = single.submit(stopping_tasks.spin_and_swallow, started)
    started.get(timeout=60)
    assert not future.interrupt(LONG)
    assert future.result(60) == "swallowed"


def test_interrupt_that_the_task_answers_with_another_error_shows_that(single, started):
    future = single.submit(stopping_tasks.spin_and_fail_instead, started)
    started.get(timeout=60)
    assert not future.interrupt(LONG)
    assert isinstance(future.exception(60), ValueError)


@pytest.mark.parametrize("task", [stopping_tasks.make_spins_when_pickled, tasks.identity])
def test_interrupt_while_the_task_is_pickled_or_unpickled(single, started, task):
    argument = started if task is stopping_tasks.make_spins_when_pickled else stopping_tasks.SpinsWhenUnpickled(started)
    future = single.submit(task, argument)
    started.get(timeout=60)
    assert future.interrupt(LONG)
    assert isinstance(future.exception(60), TaskInterrupted)
    assert single.submit(tasks.identity, [1]).result(60) == [1]


def test_interrupt_before_the_start_cancels(single, gate):
    (first,) = gate.hold(single)
    others = [single.submit(tasks.identity, n) for n in range(20)]  # some sent to the worker, some in the backlog
    assert [other.running() for other in others[:1]] == [True]
    assert all(other.interrupt(LONG) for other in reversed(others[1:]))
    assert others[0].interrupt(LONG)
    assert all(other.cancelled() for other in others)
    with pytest.raises(CancelledError):
        others[0].result(60)
    gate.open()
    first.result(60)
    assert single.submit(tasks.identity, "next").result(60) == "next"


def test_interrupt_leaves_the_other_tasks_that_wait_in_their_order(single, gate):
    gate.hold(single)
    order = create_queue()
    views = [memoryview(bytearray(b"a")), None]
    futures = [single.submit(tasks.put_name, order, n) for n in range(6)]
    shared = single.submit(tasks.fill, views[0], 66)
    assert futures[3].interrupt(LONG)
    assert futures[0].interrupt(LONG)
    gate.open()
    shared.result(60)
    assert [order.get_nowait() for _ in range(order.qsize())] == [1, 2, 4, 5]
    assert bytes(views[0]) == b"B"


def test_interrupt_of_a_finished_task_changes_nothing(single):
    future = single.submit(tasks.identity, 1)
    assert future.result(60) == 1
    assert not future.interrupt()
    assert future.result() == 1


def test_interrupt_again_and_from_many_threads_strikes_once(single, started):
    ended = create_queue()
    future = single.submit(stopping_tasks.spin_and_say_when_it_ends, started, ended)
    started.get(timeout=60)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(future.interrupt(LONG))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert future.interrupt(LONG)  # and after the end: it has stopped because of an earlier call
    assert ended.qsize() == 1


def test_interrupt_in_a_callback_does_not_wait(single, started):
    answers = queue.SimpleQueue()
    first = single.submit(tasks.identity, 1)
    victim = single.submit(tasks.spin, started)
    first.add_done_callback(lambda _: answers.put(victim.interrupt(LONG)))
    answers.get(timeout=60)  # whichever: it may have run here, or the task may not have begun
    with pytest.raises((TaskInterrupted, CancelledError)):
        victim.result(60)


def test_interrupt_refuses_a_wrong_timeout_at_once(single, subtests):
    future = single.submit(tasks.identity, 1)
    for wrong in (-1, float("nan"), "1", None):
        with subtests.test(wrong=wrong), pytest.raises((TypeError, ValueError), match="timeout must be"):
            future.interrupt(wrong)
    assert future.result(60) == 1


def test_interrupt_of_another_pools_future_is_refused(single, gate):
    (future,) = gate.hold(single)
    with InterpreterPool(1) as other, pytest.raises(ValueError, match="not a future of"):
        other.interrupt(future, 1.0)
    with InterpreterPool(1) as other, pytest.raises(TypeError, match="future must be one of this pool"):
        other.interrupt(Future(), 1.0)
    gate.open()


# A task that does not stop.


def test_task_in_c_code_is_reported_and_its_worker_replaced_until_it_is_back(single, stuck):
    future = stuck.hold(single)
    assert not future.interrupt(SHORT)
    error = future.exception(60)
    assert isinstance(error, TaskInterrupted)
    assert not error.has_stopped
    assert "task call_in_c() does not stop" in str(error)
    assert single.submit(tasks.identity, 1).result(60) == 1  # there is another worker
    single._pool.check_invariants()
    pool = single._pool
    stuck.release()  # it gets the exception now, and works again, so one of the two ends
    wait_until(pool, lambda: not pool._kernel.staff.stuck and len(pool._kernel.staff.workers) == 1)
    assert single.submit(tasks.identity, 2).result(60) == 2


def test_task_that_keeps_the_interpreters_lock_is_reported_too(single, stuck):
    future = stuck.submit(single, partial(sum, range(30_000_000)))
    assert not future.interrupt(SHORT)
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_long_finally_counts_as_not_stopped(single, started):
    gate = create_queue()
    future = single.submit(tasks.hold_in_finally, started, gate)
    started.get(timeout=60)
    assert not future.interrupt(SHORT)
    assert single.submit(tasks.identity, 1).result(60) == 1
    gate.put(None)


def test_shutdown_does_not_wait_for_an_abandoned_worker(stuck):
    executor = InterpreterPoolExecutor(1)
    future = stuck.hold(executor)
    threads = executor._threads
    assert not future.interrupt(SHORT)
    executor.shutdown()
    assert executor._pool.is_closed
    stuck.release()
    for thread in threads:
        thread.join()


def test_abandoned_worker_that_comes_back_during_the_shutdown_ends(stuck):
    executor = InterpreterPoolExecutor(1)
    assert not stuck.hold(executor).interrupt(SHORT)
    other = stuck.hold(executor)
    executor.shutdown(wait=False)
    stuck.release(2)
    executor.shutdown()
    assert other.done()


def test_lease_gets_the_place_of_an_abandoned_worker(stuck):
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        assert not stuck.hold(executor).interrupt(SHORT)
        with pool.lease() as interpreter:
            assert interpreter.call(tasks.identity, 1) == 1
        stuck.release()


def test_interpreter_of_an_abandoned_worker_is_not_used_again(stuck):
    with InterpreterPoolExecutor(1) as executor:
        (worker,) = [executor.submit(tasks.current_id).result(60)]
        assert not stuck.hold(executor).interrupt(SHORT)
        stuck.release()
    with InterpreterPoolExecutor(2) as executor:
        assert worker not in executor.map(tasks.current_id_of, range(20))


# Races.


@pytest.mark.parametrize("seed", range(3))
def test_interrupts_at_random_moments_hit_nothing_else(seed):
    choice = random.Random(seed)
    with InterpreterPoolExecutor(2) as executor:
        futures = {}
        for n in range(600):
            future = executor.submit(tasks.spend_then_make, choice.choice([0.0, 0.0, 2e-4]), n)
            futures[future] = n
            if choice.random() < 0.3:
                future.interrupt(choice.choice([0.0, LONG]))
            if choice.random() < 0.1:
                choice.choice([*futures]).interrupt(0.0)
        for future, n in futures.items():
            try:
                assert len(future.result(60)) == n
            except (TaskInterrupted, CancelledError):
                pass
        executor._pool.check_invariants()
        assert [executor.submit(tasks.identity, n).result(60) for n in range(50)] == [*range(50)]
        assert not executor._pool._kernel.staff.stuck


@pytest.mark.parametrize("limit", [None, SHORT])
def test_worker_of_a_task_that_had_no_chance_to_stop_is_not_abandoned(single, stuck, monkeypatch, limit):
    """On a machine so busy that neither has run since."""
    looks, has_had_it = queue.SimpleQueue(), threading.Event()
    monkeypatch.setattr(handle.Worker, "has_ignored", lambda *_: looks.put(None) or has_had_it.is_set())
    future = stuck.hold(single if limit is None else single.options(timeout=limit))
    if limit is None:
        assert not future.interrupt(0)
    for _ in range(3):  # the last ones when its time was up
        looks.get(timeout=10)
    assert not future.done()
    has_had_it.set()
    assert isinstance(future.exception(60), TaskInterrupted if limit is None else TimeoutError)
    assert single.statistics().abandoned == 1
    stuck.release()


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells a thread's processor time here")
def test_task_has_not_ignored_the_interrupt_before_it_had_the_time_to_stop(single, stuck, started):
    """On a busy machine; which is why a pool then waits longer until it does without a worker."""
    held = stuck.hold(single)
    (worker,) = single._pool._kernel.staff.workers.values()
    asked_at, cpu_seconds = monotonic(), worker.cpu_seconds
    assert not worker.has_ignored(asked_at, cpu_seconds, handle._ENOUGH)  # it has neither been struck nor run
    worker.interrupt(worker.task)
    while not worker.has_ignored(asked_at, cpu_seconds, handle._ENOUGH):
        assert held.running()
    assert monotonic() - asked_at >= handle._ENOUGH  # it was struck so long ago
    stuck.release()
    assert isinstance(held.exception(60), TaskInterrupted)

    spinning = single.submit(tasks.spin, started)
    started.get(timeout=60)
    asked_at, cpu_seconds = monotonic(), worker.cpu_seconds
    while not worker.has_ignored(asked_at, cpu_seconds, handle._ENOUGH):
        assert worker.cpu_seconds - cpu_seconds < 60  # it runs on, and has not been struck
    assert worker.cpu_seconds - cpu_seconds >= handle._ENOUGH
    assert spinning.interrupt(LONG)


def test_interrupt_leaves_no_import_lock_held(single, started):
    """It can strike the import system's own code, and whoever imports next in the interpreter waited for ever."""
    # The first has the control thread import what it needs.
    for task in (tasks.spin, stopping_tasks.spin_with_the_import_lock):
        future = single.submit(task, started)
        started.get(timeout=60)
        assert future.interrupt(LONG)
    assert not single.submit(stopping_tasks.import_lock_is_held).result(60)


def test_interrupt_of_map_comes_in_its_place(started):
    with InterpreterPoolExecutor(1) as executor:
        # What spins is the first of its batch: results before it could come, or not.
        results = executor.map(tasks.spin_on_three, [started] * 6, range(6), chunksize=3)
        assert [next(results), next(results), next(results)] == [0, 1, 2]
        started.get(timeout=60)
        executor._pool.stop_all(LONG)
        with pytest.raises(TaskInterrupted):
            next(results)


def test_stopping_everything_spares_what_is_submitted_afterwards(single, started):
    for n in range(20):
        stopped = single.submit(tasks.spin, started)
        single._pool.stop_at_once()
        assert single.submit(tasks.identity, n).result(60) == n
        with pytest.raises((TaskInterrupted, CancelledError)):
            stopped.result(60)


def test_where_walks_threads_that_come_and_go(single, started):
    """It goes through the interpreter's list of threads, of which those of the task end at any moment."""
    future = single.submit(stopping_tasks.start_threads_until_interrupted, started)
    started.get(timeout=60)
    for _ in range(100):
        assert "start_threads_until_interrupted" in future.where()
    assert future.interrupt(LONG)
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_exit_of_a_worker_waits_for_the_stuck_task_of_a_pool_in_it():
    """Only the process can end without it, not an interpreter within."""
    reader, writer = os.pipe()
    with (
        open(reader, "rb"),
        open(writer, "wb", buffering=0) as gate,
        InterpreterPoolExecutor(1, reuse=False) as executor,
    ):
        assert executor.submit(stopping_tasks.leave_stuck_task, reader).result(60) == "abandoned"
        gate.write(b"x")


def test_package_whose_import_was_struck_can_be_imported_by_the_next_task(single, started, tmp_path, monkeypatch):
    """Its modules stay behind, and would not be bound in the new package (asyncio says: base_events is not defined)."""
    package = tmp_path / "half_imported"
    package.mkdir()
    (package / "base.py").write_text("__all__ = ['name']\nname = 1\n")
    (package / "__init__.py").write_text(
        "import builtins\n"
        "from .base import *\n"
        "if builtins.started is not None:\n"
        "    builtins.started.put(None)\n"
        "    while True:\n"
        "        pass\n"
        "names = base.__all__\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    future = single.submit(stopping_tasks.import_package, package.name, started)
    started.get(timeout=60)
    assert future.interrupt(60)
    assert single.submit(stopping_tasks.import_package, package.name).result(60) == ["name"]
