"""What a pool makes of its books after steps that were torn: each case is what an exception may leave behind."""

from __future__ import annotations

import threading

import tasks
from struck import Struck
from waiting import wait_until

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._core.lease import Lease
from interp_pool._core.task import Task
from interp_pool._futures.task_future import TaskFuture


def tear(pool, change):
    """Take a step that changes something and is then struck."""

    def step():
        change()
        raise Struck

    try:
        pool._kernel.step(step)
    except Struck:
        pass
    wait_until(pool, lambda: not pool._kernel.is_dirty)


def test_task_that_was_counted_and_not_sent_is_taken_out_and_its_future_ends():
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        pool = executor._pool
        item = Task(TaskFuture(pool), tasks.identity, b"")
        item.work_id = 1000
        tear(pool, lambda: pool._kernel.tasks.in_flight.__setitem__(1000, item))
        assert item.future.cancelled()
        pool.check_invariants()
        assert executor.submit(tasks.identity, 2).result(60) == 2


def test_counts_of_workers_and_ends_are_derived_anew():
    with InterpreterPoolExecutor(2) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        pool = executor._pool

        def change():
            pool._kernel.staff.active, pool._kernel.staff.stop_sentinels, pool._kernel.is_manager_called = 7, 5, True

        tear(pool, change)
        pool.check_invariants()
        assert executor.submit(tasks.identity, 2).result(60) == 2


def test_manager_that_was_not_started_is_replaced():
    with InterpreterPoolExecutor(1) as executor:
        pool = executor._pool

        def change():
            pool._kernel.manager = threading.Thread(target=pool._manager.manage)

        tear(pool, change)
        assert pool._kernel.manager is None
        assert executor.submit(tasks.identity, 2).result(60) == 2


def test_place_of_a_lease_that_is_over_is_free_again():
    with InterpreterPool(1) as pool:
        lease = Lease()
        lease.is_over = True
        tear(pool, lambda: pool._kernel.staff.leases.__setitem__(lease, True))
        with InterpreterPoolExecutor(pool=pool) as executor:
            assert executor.submit(tasks.identity, 1).result(60) == 1


def test_executor_on_a_shared_pool_does_not_wait_for_what_the_pool_does_not_know():
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        tear(pool, lambda: executor.tasks.open_tasks.add(Task(TaskFuture(pool), tasks.identity, b"")))


def test_shutdown_that_was_torn_is_done_after_all():
    executor = InterpreterPoolExecutor(1)
    assert executor.submit(tasks.identity, 1).result(60) == 1
    pool = executor._pool
    tear(pool, lambda: setattr(pool._kernel.core, "refuses", True))
    wait_until(pool, lambda: pool.is_closed)
    executor.shutdown()
