"""How many workers there are and stay, how many tasks may wait, and the counts of all that."""

from __future__ import annotations

import queue
import threading

import pytest
import tasks

from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, QueueFull, Statistics
from interp_pool._lifecycle import WorkerState


def wait_for(pool, condition):
    with pool._changed:
        assert pool._changed.wait_for(condition, 60)


def test_min_workers_start_at_once_and_are_replaced():
    with InterpreterPool(3, min_workers=2) as pool:
        wait_for(pool, lambda: len(pool._workers) == 2)
        with InterpreterPoolExecutor(pool=pool) as executor:
            executor.submit(tasks.damage_worker, "modules").exception(60)
        wait_for(pool, lambda: pool._active == 2)
        pool.check_invariants()


def test_idle_workers_end_down_to_min_workers_and_come_back():
    with InterpreterPool(3, min_workers=1, idle_timeout=0.02) as pool:
        with InterpreterPoolExecutor(pool=pool) as executor:
            assert sorted(executor.map(tasks.identity, range(20), chunksize=1)) == [*range(20)]
            wait_for(pool, lambda: len(pool._workers) == 1)
            assert sorted(executor.map(tasks.identity, range(20), chunksize=1)) == [*range(20)]
        pool.check_invariants()


def test_busy_worker_does_not_count_as_idle(gate):
    with InterpreterPoolExecutor(2, idle_timeout=0.01) as executor:
        (held,) = gate.hold(executor)
        executor.submit(tasks.identity, 1).result(60)
        pool = executor._pool
        wait_for(pool, lambda: len(pool._workers) == 1)
        assert not held.done()
        gate.open()
        held.result(60)


@pytest.mark.parametrize("seconds", [None, float("inf"), 1e300])
def test_idle_timeout_that_never_comes_keeps_the_workers(seconds):
    with InterpreterPoolExecutor(1, idle_timeout=seconds) as executor:
        worker = executor.submit(tasks.current_id).result(60)
        assert executor.submit(tasks.current_id).result(60) == worker


def test_worker_that_leaves_a_thread_behind_is_replaced_at_once(gate):
    """Its interpreter cannot be closed before that thread ends, and is nobody's place meanwhile."""
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        first = executor.submit(tasks.leave_thread, gate.exits).result(60)
        assert executor.submit(tasks.current_id).result(60) != first
        gate.open()


@pytest.mark.parametrize("most", [0, 1])
def test_worker_whose_tasks_leave_too_many_threads_is_replaced(most, gate):
    """Threads that were waited for do not count, and the others go on in the old interpreter."""
    with InterpreterPoolExecutor(1, max_leftover_threads=most) as executor:
        first = executor.submit(tasks.join_thread).result(60)
        leaving = [executor.submit(tasks.leave_thread, gate.exits).result(60) for _ in range(most + 1)]
        assert leaving == [first] * (most + 1)
        second = executor.submit(tasks.join_thread).result(60)
        assert second != first
        assert executor.submit(tasks.current_id).result(60) == second
        assert executor.statistics().restarts == 1
        gate.open(most + 1)


def test_worker_goes_on_beside_leftover_threads_without_a_limit(gate):
    with InterpreterPoolExecutor(1) as executor:
        first = executor.submit(tasks.leave_thread, gate.exits).result(60)
        assert executor.submit(tasks.current_id).result(60) == first
        gate.open()


def test_resize_up_and_down(gate):
    with InterpreterPoolExecutor(1) as executor:
        futures = [gate.submit(executor) for _ in range(3)]
        gate.started.get(timeout=60)
        assert gate.started.qsize() == 0
        executor.resize(3)
        for _ in range(2):
            gate.started.get(timeout=60)
        executor.resize(1)
        gate.open(3)
        for future in futures:
            future.result(60)
        pool = executor._pool
        wait_for(pool, lambda: len(pool._workers) == 1)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        assert executor._max_workers == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0,), ValueError, "max_workers must be greater than 0"),
        (("2",), TypeError, "max_workers must be an int"),
        ((2, 3), ValueError, "min_workers must be from 0 to max_workers, which is 2, got 3"),
        ((2, -1), ValueError, "min_workers must be from 0"),
        ((2, 1.0), TypeError, "min_workers must be an int"),
    ],
)
def test_wrong_sizes_are_refused_at_once(arguments, error, text):
    most, *least = arguments
    with pytest.raises(error, match=text):
        InterpreterPool(most, min_workers=least[0] if least else 0)
    with InterpreterPool(4) as pool, pytest.raises(error, match=text):
        pool.resize(most, min_workers=least[0] if least else None)


def test_resize_after_the_shutdown_is_refused():
    pool = InterpreterPool(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.resize(2)


# A backlog with a limit.


def fill(executor, gate):
    """Hold the only worker and fill what is sent ahead; what is submitted next waits in the backlog."""
    gate.hold(executor)
    pool = executor._pool
    while len(pool._in_flight) < pool._window:
        executor.submit(tasks.identity, 0)


def test_full_backlog_refuses_and_loses_nothing(gate):
    with InterpreterPoolExecutor(1, max_backlog=3, when_full="raise") as executor:
        fill(executor, gate)
        futures = [executor.submit(tasks.identity, n) for n in range(3)]
        with pytest.raises(QueueFull, match="3 tasks wait already, which is max_backlog"):
            executor.submit(tasks.identity, 3)
        gate.open()
        assert [future.result(60) for future in futures] == [0, 1, 2]
        assert executor.submit(tasks.identity, 4).result(60) == 4


def test_full_backlog_makes_submit_wait_until_there_is_room(gate):
    with InterpreterPoolExecutor(1, max_backlog=2) as executor:
        fill(executor, gate)
        done = queue.SimpleQueue()

        def submit_many():
            futures = [executor.submit(tasks.identity, n) for n in range(50)]
            done.put([future.result(60) for future in futures])

        thread = threading.Thread(target=submit_many)
        thread.start()
        wait_for(executor._pool, lambda: executor._pool._room_wanted)
        assert len(executor._pool._backlog) == 2
        assert done.empty()
        gate.open()
        assert done.get(timeout=60) == [*range(50)]
        thread.join()


def test_many_threads_that_submit_keep_to_the_limit(gate):
    with InterpreterPoolExecutor(1, max_backlog=3) as executor:
        fill(executor, gate)
        pool = executor._pool
        threads = [threading.Thread(target=executor.submit, args=(tasks.identity, n)) for n in range(20)]
        for thread in threads:
            thread.start()
        wait_for(pool, lambda: pool._room_wanted == 17)
        assert len(pool._backlog) == 3
        gate.open()
        for thread in threads:
            thread.join()


def end_submit_that_waits(executor):
    """Have a thread wait for room, and shut its executor down."""
    raised = queue.SimpleQueue()

    def submit():
        try:
            executor.submit(tasks.identity, 1)
        except RuntimeError as exc:
            raised.put(exc)

    thread = threading.Thread(target=submit)
    thread.start()
    wait_for(executor._pool, lambda: executor._pool._room_wanted)
    executor.shutdown(wait=False)
    assert "after shutdown" in str(raised.get(timeout=60))
    thread.join()


def test_submit_that_waits_for_room_ends_with_the_pool(gate):
    executor = InterpreterPoolExecutor(1, max_backlog=1)
    fill(executor, gate)
    executor.submit(tasks.identity, 0)
    end_submit_that_waits(executor)
    gate.open()
    executor.shutdown()


def test_cancelled_task_makes_room_at_once(gate):
    with InterpreterPoolExecutor(1, max_backlog=2, when_full="raise") as executor:
        fill(executor, gate)
        futures = [executor.submit(tasks.identity, n) for n in range(2)]
        assert all(future.cancel() for future in futures)
        last = [executor.submit(tasks.identity, n) for n in range(2)]
        with pytest.raises(QueueFull):
            executor.submit(tasks.identity, 3)
        gate.open()
        assert [future.result(60) for future in last] == [0, 1]


def test_cancelled_task_makes_room_for_who_waits(gate):
    with InterpreterPoolExecutor(1, max_backlog=1) as executor:
        fill(executor, gate)
        waiting = executor.submit(tasks.identity, 0)
        submitted = queue.SimpleQueue()
        thread = threading.Thread(target=lambda: submitted.put(executor.submit(tasks.identity, 1)))
        thread.start()
        wait_for(executor._pool, lambda: executor._pool._room_wanted)
        assert waiting.cancel()
        future = submitted.get(timeout=60)
        gate.open()
        assert future.result(60) == 1
        thread.join()


def test_submit_that_waits_for_room_ends_with_its_executor_on_a_shared_pool(gate):
    with InterpreterPool(1, max_backlog=1) as pool:
        other = InterpreterPoolExecutor(pool=pool)
        fill(other, gate)
        waiting = other.submit(tasks.identity, 0)
        executor = InterpreterPoolExecutor(pool=pool)
        end_submit_that_waits(executor)
        gate.open()
        assert waiting.result(60) == 0


def test_submit_in_a_callback_does_not_wait_for_room(gate):
    with InterpreterPoolExecutor(1, max_backlog=1) as executor:
        (held,) = gate.hold(executor)
        futures = queue.SimpleQueue()
        held.add_done_callback(lambda _: [futures.put(executor.submit(tasks.identity, n)) for n in range(20)])
        gate.open()
        assert [futures.get(timeout=60).result(60) for _ in range(20)] == [*range(20)]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"max_backlog": 0}, ValueError, "max_backlog must be greater than 0"),
        ({"max_backlog": 1.5}, TypeError, "max_backlog must be an int"),
        ({"when_full": "wait"}, ValueError, "when_full must be 'block' or 'raise', got 'wait'"),
    ],
)
def test_wrong_limits_are_refused_at_once(options, error, text):
    with pytest.raises(error, match=text):
        InterpreterPoolExecutor(1, **options)


# Statistics.


def test_statistics_count_workers_and_tasks_by_state(gate):
    with InterpreterPoolExecutor(2) as executor:
        assert executor.statistics() == Statistics(*[0] * 18)
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
        (worker,) = executor._pool._workers.values()
        with executor._pool._lock:
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
        wait_for(executor._pool, lambda: not executor._pool._abandoned)
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
    return next(item.future for item in pool._in_flight.values() if item.function is tasks.hold)


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1"])
def test_where_refuses_a_wrong_timeout_at_once(executor, wrong):
    future = executor.submit(tasks.identity, 1)
    with pytest.raises((TypeError, ValueError), match="timeout must be"):
        future.where(wrong)
