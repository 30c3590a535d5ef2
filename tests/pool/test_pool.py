"""InterpreterPool: shared by several executors, lent, limited."""

from __future__ import annotations

import logging
import sys
import threading

import pytest
import tasks

import interp_api
from interp_api import InterpreterError
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor
from interp_pool._core.states import PoolState
from interp_pool._pool.process_hooks import all_pools
from interp_pool._workers.reserve import reserve


def test_repr_tells_workers_busy_lent_and_queued(gate):
    with InterpreterPool(3) as pool:
        assert repr(pool) == "<InterpreterPool running, at most 3 workers: workers 0, busy 0, lent 0, queued 0>"
        executor = InterpreterPoolExecutor(pool=pool)
        gate.hold(executor, 2)
        with pool.lease():
            gate.submit(executor)
            told = "<InterpreterPool running, at most 3 workers: workers 2, busy 2, lent 1, queued 1, "
            assert repr(pool).startswith(told)
            pool.check_invariants()
        gate.open(3)
    assert repr(pool) == f"<InterpreterPool closed, at most 3 workers: {pool.statistics().describe()}>"


def test_executors_on_one_pool_shut_down_each_for_itself(gate):
    with InterpreterPool(2) as pool:
        first, second = InterpreterPoolExecutor(pool=pool), InterpreterPoolExecutor(pool=pool)
        (held,) = gate.hold(first)
        assert second.submit(tasks.identity, 1).result(60) == 1
        second.shutdown()  # does not wait for the other's task
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            second.submit(tasks.identity, 1)
        gate.open()
        first.shutdown()
        assert held.done()
        assert InterpreterPoolExecutor(pool=pool).submit(tasks.identity, 2).result(60) == 2


def test_shutdown_cancel_futures_on_shared_pool_cancels_only_its_own(gate):
    with InterpreterPool(1) as pool:
        first, second = InterpreterPoolExecutor(pool=pool), InterpreterPoolExecutor(pool=pool)
        sent = [*gate.hold(first), gate.submit(first)]
        mine, others = first.submit(tasks.identity, 1), second.submit(tasks.identity, 2)
        first.shutdown(wait=False, cancel_futures=True)
        assert mine.cancelled()
        gate.open(2)
        assert others.result(60) == 2
        first.shutdown()
        assert all(future.done() for future in sent)


def test_pool_shutdown_ends_all_its_executors():
    with InterpreterPool(1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)
        future = executor.submit(tasks.identity, 1)
    assert future.result(0) == 1
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(tasks.identity, 1)
    executor.shutdown()


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_workers": 1},
        {"thread_name_prefix": "x"},
        {"initializer": tasks.initialize},
        {"initargs": (1,)},
        {"max_tasks_per_child": 1},
        {"reuse": False},
        {"idle_timeout": 3.0},
        {"exit_timeout": 3.0},
    ],
)
def test_pool_with_arguments_that_describe_workers_is_refused(arguments):
    with pytest.raises(TypeError, match="pool cannot be combined with arguments that describe workers"):
        InterpreterPoolExecutor(pool=InterpreterPool(1), **arguments)


def test_no_task_is_open_after_submit_was_refused():
    pool = InterpreterPool(1)
    executor = InterpreterPoolExecutor(pool=pool)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        executor.submit(tasks.identity, 1)
    executor.shutdown()  # would wait for ever


def test_lease_lends_an_initialized_interpreter_exclusively():
    with InterpreterPool(2, initializer=tasks.initialize, initargs=("key", 5)) as pool:
        with pool.lease() as one, pool.lease() as two:
            assert one.id != two.id
            assert one.call(tasks.look_up, "key") == 5
        with pool.lease() as again:
            assert again.id in (one.id, two.id)
            assert again.call(tasks.look_up, "runs") == 1


def test_lease_takes_the_place_of_an_idle_worker():
    with InterpreterPool(1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        with pool.lease() as interpreter:
            assert interpreter.call(tasks.identity, 2) == 2
            waiting = executor.submit(tasks.identity, 3)
            assert not waiting.done()
            pool.check_invariants()
        assert waiting.result(60) == 3


def test_lease_is_not_starved_by_a_backlog(gate):
    """The worker that makes room must not be replaced before the one who waits for it looks."""
    with InterpreterPool(1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)
        held = gate.hold(executor)[0]
        futures = [executor.submit(tasks.identity, i) for i in range(500)]
        leased = threading.Event()

        def take():
            with pool.lease():
                leased.set()

        thread = threading.Thread(target=take)
        with pool._kernel.lock:
            thread.start()
        gate.open()
        assert leased.wait(60)
        assert held.result(60)
        assert [future.result(60) for future in futures] == list(range(500))
        thread.join()


def test_lease_while_pool_shuts_down_still_lets_its_tasks_finish(gate):
    pool = InterpreterPool(1)
    executor = InterpreterPoolExecutor(pool=pool)
    with pool.lease():
        future = executor.submit(tasks.identity, 1)
        pool.shutdown(wait=False)
    assert future.result(60) == 1
    pool.shutdown()
    assert pool._kernel.core.state is PoolState.CLOSED


def test_lease_after_shutdown_is_refused():
    pool = InterpreterPool(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"), pool.lease():
        raise AssertionError("not reached")
    pool.check_invariants()


def test_lease_waiting_when_pool_shuts_down_is_refused(gate):
    pool = InterpreterPool(1)
    outcome = []

    def take():
        try:
            with pool.lease():
                outcome.append("lent")
        except RuntimeError as exc:
            outcome.append(str(exc))

    with pool.lease():
        thread = threading.Thread(target=take)
        thread.start()
        while len(pool._kernel.staff.leases) < 2:
            thread.join(0.001)
        pool.shutdown()
        thread.join(60)
    assert outcome == ["cannot schedule new futures after shutdown"]


def test_lease_that_its_user_closed_is_fine():
    with InterpreterPool(1) as pool:
        with pool.lease() as interpreter:
            interpreter.close()
        assert InterpreterPoolExecutor(pool=pool).submit(tasks.identity, 1).result(60) == 1


def test_lease_that_still_runs_is_told_and_not_kept(gate):
    with InterpreterPool(1) as pool:
        lease = pool.lease()
        interpreter = lease.__enter__()
        thread = interpreter.call_in_thread(tasks.hold, gate.started, gate.exits)
        gate.started.get(timeout=60)
        with pytest.raises(InterpreterError, match="running"):
            lease.__exit__(None, None, None)
        assert len(reserve) == 0
        gate.open()
        thread.join()
        interpreter.close()


def test_max_tasks_per_child_gives_new_interpreters():
    with InterpreterPoolExecutor(1, max_tasks_per_child=2) as executor:
        ids = list(executor.map(tasks.current_id_of, range(5)))
    assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4]


def test_stale_end_does_not_starve_the_pool(gate):
    """An end meant for a worker that reached its task limit first ends the next one, which is replaced."""
    with InterpreterPool(1, max_tasks_per_child=1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)
        held = gate.hold(executor)[0]
        with pool._kernel.lock:
            pool._kernel.calls.send_ends(1)
        gate.open()
        assert held.result(60)
        assert [executor.submit(tasks.identity, i).result(60) for i in range(3)] == [0, 1, 2]
        pool.check_invariants()


def test_pool_without_room_for_interpreters_tells_why(monkeypatch, logged):
    def refuse():
        raise InterpreterError("no room for another interpreter")

    monkeypatch.setattr(interp_api, "create_claimed", refuse)
    told = pytest.raises(BrokenInterpreterPool, match="no room for another interpreter")
    with InterpreterPoolExecutor(1, reuse=False) as executor, told:
        executor.submit(tasks.identity, 1).result(60)
    assert [message for _, message, _ in logged] == ["A worker could not start:"]


def test_logging_handler_that_raises_does_not_end_the_pool(monkeypatch, gate):
    told = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, exc, traceback: told.append(kind))

    def refuse(_record):
        raise ZeroDivisionError

    logger = logging.getLogger("concurrent.futures")
    logger.addFilter(refuse)
    try:
        with InterpreterPoolExecutor(1) as executor:
            (held,) = gate.hold(executor)
            held.add_done_callback(lambda _: sys.exit(3))
            gate.open()
            held.result(60)
            assert executor.submit(tasks.identity, 1).result(60) == 1
    finally:
        logger.removeFilter(refuse)
    assert told == [ZeroDivisionError]


def test_pool_is_not_collected_while_tasks_wait():
    future = InterpreterPoolExecutor(pool=InterpreterPool(1)).submit(tasks.identity, 5)
    assert future.result(60) == 5
    for pool in all_pools():
        pool.shutdown()
