"""How many workers there are and stay, how many tasks may wait, and the counts of all that."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from time import monotonic

import pytest
import tasks
from waiting import wait_until as wait_for
from waiting import watch_waiters

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor, QueueFull
from interp_pool._core.states import WorkerState


def test_min_workers_start_at_once_and_are_replaced():
    with InterpreterPool(3, min_workers=2) as pool:
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 2)
        with InterpreterPoolExecutor(pool=pool) as executor:
            executor.submit(tasks.damage_worker, "modules").exception(60)
        wait_for(pool, lambda: pool._kernel.staff.active == 2)
        pool.check_invariants()


def test_idle_workers_end_down_to_min_workers_and_come_back():
    with InterpreterPool(3, min_workers=1, idle_timeout=0.02) as pool:
        with InterpreterPoolExecutor(pool=pool) as executor:
            assert sorted(executor.map(tasks.identity, range(20), chunksize=1)) == [*range(20)]
            wait_for(pool, lambda: len(pool._kernel.staff.workers) == 1)
            assert sorted(executor.map(tasks.identity, range(20), chunksize=1)) == [*range(20)]
        pool.check_invariants()


def test_busy_worker_does_not_count_as_idle(gate):
    with InterpreterPoolExecutor(2, idle_timeout=0.01) as executor:
        (held,) = gate.hold(executor)
        executor.submit(tasks.identity, 1).result(60)
        pool = executor._pool
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 1)
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


def end_idle(pool):
    """Do now what the timer is about to do, in its place: it would keep the pool alive until then."""
    with pool._kernel.lock:
        if pool._sizing._idle_call is not None:
            pool._sizing._idle_call.cancel()
    pool._sizing._end_idle()


def start(executor, gate, count):
    """Have so many workers started, and ready as the pool knows."""
    held = gate.hold(executor, count)
    gate.open(count)
    for future in held:
        future.result(60)
    wait_ready(executor._pool, count)


def wait_ready(pool, count):
    """Wait until so many are ready, of which nobody is notified."""
    end = monotonic() + 60
    while counted(pool) != count and monotonic() < end:
        pass
    assert counted(pool) == count


def counted(pool):
    return sum(worker.state is WorkerState.READY for worker in pool._kernel.staff.workers.values())


def test_workers_without_a_task_end_while_tasks_go_on(gate):
    with InterpreterPoolExecutor(4, idle_timeout=1000, reuse=False) as executor:
        pool = executor._pool
        start(executor, gate, 4)
        end_idle(pool)  # all of them had one
        assert counted(pool) == 4
        first, second = gate.hold(executor, 2)
        end_idle(pool)
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 2)
        gate.open(2)
        kept = {first.result(60), second.result(60)}
        assert {executor.submit(tasks.current_id).result(60) for _ in range(20)} <= kept
        pool.check_invariants()
        assert executor.statistics().restarts == 0
        assert pool._kernel.staff.stop_sentinels == 0


def test_workers_that_end_are_those_that_were_idle_longest(gate):
    with InterpreterPoolExecutor(3, idle_timeout=1000, min_workers=1, reuse=False) as executor:
        pool = executor._pool
        start(executor, gate, 3)
        last = executor.submit(tasks.current_id).result(60)
        end_idle(pool)
        end_idle(pool)
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 1)
        assert executor.submit(tasks.current_id).result(60) == last


def test_worker_that_begins_with_a_task_when_it_is_to_retire_goes_on(gate, monkeypatch):
    """Between T1 and W1: it has taken the task, and the cell speaks of the one before."""
    with InterpreterPoolExecutor(1, idle_timeout=1000, reuse=False) as executor:
        pool = executor._pool
        first = executor.submit(tasks.current_id).result(60)
        wait_ready(pool, 1)
        (worker,) = pool._kernel.staff.workers.values()
        worker.look_whether_idle()
        (held,) = gate.hold(executor)
        worker.retire()
        gate.open()
        assert held.result(60) == first
        pool._kernel.calls.queue.ring_all()
        assert executor.submit(tasks.current_id).result(60) == first


def test_worker_that_is_told_to_retire_and_takes_an_end_counts_as_that(gate):
    with InterpreterPoolExecutor(2, idle_timeout=1000, reuse=False) as executor:
        pool = executor._pool
        start(executor, gate, 2)
        with pool._kernel.lock:
            for worker in pool._kernel.staff.workers.values():
                worker.look_whether_idle()
                worker.retire()  # and nobody is rung
            pool._kernel.calls.send_ends(1)
            pool._kernel.calls.queue.ring_all()
        wait_for(pool, lambda: not pool._kernel.staff.workers)
        assert pool._kernel.staff.stop_sentinels in (0, 1)  # the other one may have been the first to look
        assert executor.submit(tasks.identity, 1).result(60) == 1
        pool.check_invariants()


def test_retired_worker_gives_its_interpreter_to_the_reserve():
    with InterpreterPoolExecutor(1, idle_timeout=1000) as executor:
        pool = executor._pool
        first = executor.submit(tasks.current_id).result(60)
        wait_ready(pool, 1)
        end_idle(pool)
        end_idle(pool)
        wait_for(pool, lambda: not pool._kernel.staff.workers)
        assert executor.submit(tasks.current_id).result(60) == first


def test_workers_that_retire_leave_as_many_as_min_workers_and_resize_counts_on(gate):
    with InterpreterPoolExecutor(4, idle_timeout=1000, min_workers=2, reuse=False) as executor:
        pool = executor._pool
        start(executor, gate, 4)
        end_idle(pool)
        end_idle(pool)
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 2)
        executor.resize(4, min_workers=3)
        wait_ready(pool, 3)
        executor.resize(1, min_workers=0)
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 1)
        pool.check_invariants()


def test_light_load_keeps_few_of_many_workers(gate):
    with InterpreterPoolExecutor(16, idle_timeout=1000, reuse=False) as executor:
        pool = executor._pool
        start(executor, gate, 16)
        end_idle(pool)
        ran = Counter(executor.submit(tasks.current_id).result(60) for _ in range(1000))
        end_idle(pool)
        wait_for(pool, lambda: len(pool._kernel.staff.workers) <= len(ran))
        # Another one is woken where the last one's processor is somebody else's for a moment.
        assert sum(count for _, count in ran.most_common(3)) > 500  # 188, if all were woken in turn


@pytest.mark.parametrize("options", [{"max_leftover_threads": 0}, {"max_tasks_per_child": 1}, {"idle_timeout": 0.0}])
def test_interpreters_that_wait_for_leftover_threads_are_bounded_and_tasks_go_on(gate, options):
    """As many as there may be workers; then those go on, though beyond their limit."""
    count = 12
    with InterpreterPoolExecutor(2, reuse=False, **options) as executor:
        before = len(interp_api.list_all())
        for _ in range(count):
            executor.submit(tasks.leave_thread, gate.exits).result(60)
            if "idle_timeout" in options:
                end_idle(executor._pool)
            assert len(interp_api.list_all()) - before <= 4
            executor._pool.check_invariants()
        pool = executor._pool
        if "idle_timeout" not in options:
            assert len(interp_api.list_all()) - before == 3  # one at a time was busy
        gate.open(count)
        if "idle_timeout" not in options:
            # They are replaced again, once others are closed.
            wait_for(
                pool,
                lambda: not any(worker.state is WorkerState.LEFT for worker in pool._kernel.staff.workers.values()),
            )
            last = executor.submit(tasks.current_id).result(60)
            if "max_tasks_per_child" in options:
                assert executor.submit(tasks.current_id).result(60) != last


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
        wait_for(pool, lambda: len(pool._kernel.staff.workers) == 1)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        assert executor._max_workers == 1


# A backlog with a limit.


def fill(executor, gate):
    """Hold the only worker and fill what is sent ahead; what is submitted next waits in the backlog."""
    gate.hold(executor)
    pool = executor._pool
    while len(pool._kernel.tasks.in_flight) < pool._kernel.tasks.window:
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

        wait_for_waiters = watch_waiters(executor._pool)
        thread = threading.Thread(target=submit_many)
        thread.start()
        wait_for_waiters()
        assert len(executor._pool._kernel.tasks.backlog) == 2
        assert done.empty()
        gate.open()
        assert done.get(timeout=60) == [*range(50)]
        thread.join()


def test_many_threads_that_submit_keep_to_the_limit(gate):
    with InterpreterPoolExecutor(1, max_backlog=3) as executor:
        fill(executor, gate)
        pool = executor._pool
        wait_for_waiters = watch_waiters(pool)
        threads = [threading.Thread(target=executor.submit, args=(tasks.identity, n)) for n in range(20)]
        for thread in threads:
            thread.start()
        wait_for_waiters(17)
        assert len(pool._kernel.tasks.backlog) == 3
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

    wait_for_waiters = watch_waiters(executor._pool)
    thread = threading.Thread(target=submit)
    thread.start()
    wait_for_waiters()
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
        wait_for_waiters = watch_waiters(executor._pool)
        thread = threading.Thread(target=lambda: submitted.put(executor.submit(tasks.identity, 1)))
        thread.start()
        wait_for_waiters()
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


# Statistics.
