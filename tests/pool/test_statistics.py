"""The counts of a pool, the ends of its workers, and where its tasks are."""

from __future__ import annotations

import pytest
import tasks
from waiting import wait_until as wait_for

from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, Statistics
from interp_pool._core.states import WorkerState


def test_statistics_count_workers_and_tasks_by_state(gate):
    with InterpreterPoolExecutor(2) as executor:
        assert executor.statistics() == Statistics(*[0] * 20)
        futures = gate.hold(executor, 2)
        waiting = [executor.submit(tasks.identity, b"x" * 1000) for _ in range(10)]
        now = executor.statistics()
        assert (now.workers_busy, now.workers_idle, now.tasks_running) == (2, 0, 2)
        assert now.tasks_sent + now.tasks_waiting == 10
        assert "busy 2" in repr(executor)
        assert "queued 10" in repr(executor)
        gate.open(2)
        for future in (*futures, *waiting):
            future.result(60)
        now = executor.statistics()
        assert now.tasks_ended == now.messages_sent == now.messages_received == 12
        assert now.bytes_sent > 10_000
        assert now.tasks_waiting == now.tasks_sent == 0
        assert now.interrupts == now.timeouts == now.abandoned == now.restarts == 0
        told = f"ended 12, messages sent 12, messages received 12, bytes sent {now.bytes_sent}>>"
        assert repr(executor).endswith(told)


def test_worker_that_runs_its_first_task_is_busy_before_the_manager_has_heard_of_it(gate):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(tasks.identity, 1).result(60)
        (held,) = gate.hold(executor)
        (worker,) = executor._pool._kernel.staff.workers.values()
        with executor._pool._kernel.lock:
            worker.state = WorkerState.STARTING  # as it was a moment ago
            now = executor.statistics()
            worker.state = WorkerState.READY
        assert (now.workers_starting, now.workers_busy, now.workers_idle, now.tasks_running) == (0, 1, 0, 1)
        gate.open()
        held.result(60)


def test_statistics_count_what_was_stopped_and_replaced(started, gate):
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.spin, started)
        started.get(timeout=60)
        future.interrupt(60)
        assert executor.options(timeout=0.01).submit(tasks.spin, started).exception(60)
        (stuck,) = gate.hold(executor)
        gate_is_swallowed = executor.submit(tasks.hold_in_finally, started, gate.exits)
        assert gate_is_swallowed
        gate.open()
        stuck.result(60)
        started.get(timeout=60)
        started.get(timeout=60)
        assert not gate_is_swallowed.interrupt(0.02)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        now = executor.statistics()
        assert (now.interrupts, now.timeouts, now.abandoned, now.workers_abandoned) == (2, 1, 1, 1)
        assert now.restarts == 1
        assert (now.tasks_running, now.tasks_ended) == (0, 5)
        told = "abandoned 1, queued 0, ended 5, interrupts 2, timeouts 1, abandonings 1, restarts 1, messages sent 5"
        assert told in repr(executor)
        gate.open()


def test_statistics_after_an_abandoned_worker_is_back(gate, stuck):
    """It was replaced once, and the place it has again is not another one."""
    with InterpreterPoolExecutor(1) as executor:
        assert not stuck.hold(executor).interrupt(0.01)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        stuck.release()
        wait_for(executor._pool, lambda: not executor._pool._kernel.staff.stuck)
        executor.resize(3)
        gate.hold(executor, 3)
        assert executor.statistics().restarts == 1
        gate.open(3)


def test_statistics_count_no_message_for_a_task_that_was_taken_back(gate):
    with InterpreterPoolExecutor(1) as executor:
        (held,) = gate.hold(executor)
        assert executor.submit(tasks.identity, 1).interrupt(60)
        gate.open()
        held.result(60)
        now = executor.statistics()
        assert (now.messages_sent, now.messages_received, now.tasks_ended) == (2, 1, 2)


def test_statistics_of_results_count_their_bytes():
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.identity, [b"x" * 5000]).result(60)
        assert executor.submit(tasks.make_bytes, 1 << 20).result(60)
        assert executor.statistics().bytes_received > 5000 + (1 << 20)


# The end of all workers.


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_workers_end_at_once_and_everything_is_told(how, started):
    executor = InterpreterPoolExecutor(2)
    futures = [executor.submit(tasks.spin, started) for _ in range(30)]
    started.get(timeout=60)
    getattr(executor, how)()
    executor.shutdown()
    assert all(future.done() for future in futures)
    errors = {type(future.exception()).__name__ for future in futures if not future.cancelled()}
    assert errors == {"TaskInterrupted"}
    assert any(future.cancelled() for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(tasks.identity, 1)
    getattr(executor, how)()  # again does no harm


def test_terminate_on_a_shared_pool_leaves_the_others_alone(started, gate):
    with InterpreterPool(2) as pool:
        other = InterpreterPoolExecutor(pool=pool)
        (held,) = gate.hold(other)
        executor = InterpreterPoolExecutor(pool=pool)
        futures = [executor.submit(tasks.spin, started) for _ in range(5)]
        started.get(timeout=60)
        executor.terminate_workers()
        executor.shutdown()
        assert all(future.done() for future in futures)
        assert held.running()
        gate.open()
        held.result(60)
        assert other.submit(tasks.identity, 1).result(60) == 1
        other.shutdown()


def test_terminate_of_a_broken_pool_does_no_harm(logged):
    executor = InterpreterPoolExecutor(1, initializer=tasks.fail_to_initialize, initargs=("x",))
    assert isinstance(executor.submit(tasks.identity, 1).exception(60), BrokenInterpreterPool)
    executor.terminate_workers()
    executor.kill_workers()
    executor.shutdown()


# Where a task is.


def test_where_shows_the_calls_of_a_running_task(started):
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.spin_on_three, started, 3)
        started.get(timeout=60)
        text = future.where()
        assert text.startswith("The task runs in InterpreterPoolExecutor-")
        lines = text.splitlines()
        assert [line.split(" in ")[-1] for line in lines if "File" in line][:2] == ["spin_on_three", "spin"]
        assert "_worker_main" not in text
        assert future.running()
        future.interrupt(60)
        assert future.where() == "The task is done."


def test_where_of_tasks_that_do_not_run(gate):
    with InterpreterPoolExecutor(1) as executor:
        gate.hold(executor)
        futures = [executor.submit(tasks.identity, n) for n in range(20)]
        assert futures[-1].where() == "The task waits in the backlog."
        assert futures[0].where() == "The task is next, once a worker is free, or has just ended."
        assert "hold" in gate_task(executor).where()
        gate.open()


def gate_task(executor):
    pool = executor._pool
    return next(item.future for item in pool._kernel.tasks.in_flight.values() if item.function is tasks.hold)


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1"])
def test_where_refuses_a_wrong_timeout_at_once(executor, wrong):
    future = executor.submit(tasks.identity, 1)
    with pytest.raises((TypeError, ValueError), match="timeout must be"):
        future.where(wrong)
