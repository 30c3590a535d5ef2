"""Tasks that were cancelled while they waited: they count for nobody any more."""

from __future__ import annotations

import asyncio
from concurrent.futures import wait

import pytest

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._core.backlog import PriorityBacklog


@pytest.fixture(params=[0, 5])
def view(request, single):
    yield single.options(priority=request.param)
    del request.node.funcargs["view"]


def test_statistics_do_not_count_cancelled_tasks_as_waiting(single, view, gate):
    gate.hold(single)
    futures = [view.submit(abs, 1) for _ in range(100)]
    cancelled = [future.cancel() for future in futures].count(True)
    statistics = single.statistics()
    assert cancelled > 90
    assert statistics.tasks_waiting == 0
    assert statistics.tasks_ended == cancelled
    assert statistics.tasks_sent == 100 - cancelled
    assert f"queued {100 - cancelled}" in repr(single)
    gate.open()


def test_statistics_add_up_whichever_way_tasks_end(single, gate):
    gate.hold(single)
    futures = [single.submit(abs, 1) for _ in range(100)]
    for future in futures[10:20]:
        future.cancel()
    late = single.options(deadline=0.0)
    assert "deadline" in str(late.submit(abs, 1).exception(60))  # which was never taken
    statistics = single.statistics()
    assert statistics.tasks_waiting + statistics.tasks_sent + statistics.tasks_running + statistics.tasks_ended == 101
    single.shutdown(wait=False, cancel_futures=True)
    gate.open()
    single.shutdown()
    statistics = single.statistics()
    assert (statistics.tasks_waiting, statistics.tasks_sent, statistics.tasks_ended) == (0, 0, 101)


def test_cancelled_tasks_make_room_in_the_backlog(gate):
    with InterpreterPoolExecutor(1, max_backlog=5, when_full="raise") as executor:
        gate.hold(executor)
        futures = [executor.submit(abs, 1) for _ in range(6)]
        assert [future.cancel() for future in futures].count(True) == 6
        assert all(not future.done() for future in [executor.submit(abs, 1) for _ in range(5)])
        gate.open()


def test_waiters_hear_of_a_cancelled_task_whose_statistics_were_asked_for(single, gate):
    gate.hold(single)
    future = [single.submit(abs, 1) for _ in range(9)][-1]
    future.cancel()
    single.statistics()
    assert not wait([future], timeout=60).not_done
    gate.open()


def test_shutdown_on_a_shared_pool_does_not_wait_for_others_when_its_own_tasks_are_cancelled(gate):
    with InterpreterPool(1) as pool:
        other = InterpreterPoolExecutor(pool=pool)
        gate.hold(other)
        futures = [other.submit(abs, 1) for _ in range(5)]
        with InterpreterPoolExecutor(pool=pool) as executor:
            own = [executor.submit(abs, 1) for _ in range(5)]
            assert all(future.cancel() for future in own)
        assert not any(future.done() for future in futures)
        gate.open()


def test_shutdown_on_a_shared_pool_ends_when_its_last_task_is_cancelled_meanwhile(gate):
    with InterpreterPool(1) as pool:
        other = InterpreterPoolExecutor(pool=pool)
        gate.hold(other)
        other.submit(abs, 1)
        executor = InterpreterPoolExecutor(pool=pool)
        last = executor.submit(abs, 1)
        wait_done = executor.tasks.open_tasks.wait_done

        def cancel_and_wait():
            last.cancel()  # after the shutdown has looked
            wait_done()

        executor.tasks.open_tasks = _With(executor.tasks.open_tasks, cancel_and_wait)
        executor.shutdown()
        assert last.cancelled()
        gate.open()


class _With:
    """A open_tasks with another `wait_done`."""

    def __init__(self, open_tasks, wait_done):
        self._open_tasks, self.wait_done = open_tasks, wait_done

    def __getattr__(self, name):
        return getattr(self._open_tasks, name)


def test_task_cancelled_through_asyncio_does_not_count(single, gate):
    async def cancel_one():
        wrapped = [asyncio.wrap_future(single.submit(abs, 1)) for _ in range(9)][-1]
        wrapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wrapped
        await asyncio.sleep(0)  # the wrapped one hears of it now
        return single.statistics()

    gate.hold(single)
    statistics = asyncio.run(cancel_one())
    assert statistics.tasks_waiting + statistics.tasks_sent == 8
    gate.open(2)


def test_cancelled_tasks_start_no_workers(gate):
    with InterpreterPoolExecutor(1) as executor:
        gate.hold(executor)
        futures = [executor.submit(abs, 1) for _ in range(9)]
        for future in futures:
            future.cancel()
        executor.resize(8)
        assert len(executor._threads) <= 2  # one for the task that was sent
        gate.open()


def test_priority_backlog_takes_out_what_is_meant():
    class Item:
        def __init__(self, priority, number):
            self.priority, self.number = priority, number

    items = [Item(number % 3, number) for number in range(30)]
    backlog, taken = PriorityBacklog(items), []
    backlog.take_out(lambda item: item.number % 2 == 0 or item.priority == 1, taken)
    assert sorted(item.number for item in taken) == [n for n in range(30) if n % 2 == 0 or n % 3 == 1]
    assert len(backlog) == 30 - len(taken)
    left = [backlog.popleft().number for _ in range(len(backlog))]
    assert sorted(left) == [n for n in range(30) if n % 2 and n % 3 != 1]
    assert not backlog
