"""`await executor.run(...)` that is cancelled, or whose task is: what stops, and who waits for that."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
import time

import pytest
import stopping_tasks
import tasks
from loops import begun

from interp_api import create_queue
from interp_pool import (
    InterpreterPoolExecutor,
    TaskInterrupted,
)


def test_cancelled_coroutine_interrupts_its_task_and_waits_for_that(single, started):
    ended = create_queue()

    async def main():
        running = asyncio.ensure_future(single.run(stopping_tasks.spin_and_say_when_it_ends, started, ended))
        await begun(started)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended.get_nowait() == "finally"  # it has ended by now
        thread = await single.run(threading.get_native_id)
        assert await single.run(threading.get_native_id) == thread

    asyncio.run(main())
    assert single.statistics().interrupts == 1
    assert single.statistics().abandoned == 0


def test_cancelled_coroutine_cancels_a_task_that_waits(single, gate):
    async def main():
        gate.hold(single)
        waits = asyncio.ensure_future(single.run(tasks.hold, gate.started, gate.exits))
        await asyncio.sleep(0)  # it is submitted now
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        gate.open()

    asyncio.run(main())
    assert single.submit(gate.started.qsize).result(60) == 0


def test_cancelled_coroutine_gives_up_a_task_that_does_not_stop_after_its_grace(single, stuck):
    async def main():
        running = asyncio.ensure_future(single.run(tasks.call_in_c, *stuck.arguments()))
        await asyncio.to_thread(stuck.wait)
        before = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return time.monotonic() - before

    seconds = asyncio.run(main())
    statistics = single.statistics()
    stuck.release()
    assert statistics.abandoned == 1
    assert seconds >= 0.2


def test_cancelled_coroutine_waits_for_the_end_without_interrupting(single, gate):
    view = single.options(interrupt_on_cancel=False)

    async def main():
        running = asyncio.ensure_future(view.run(tasks.hold, gate.started, gate.exits))
        await begun(gate.started)
        for _ in range(3):  # also when it is cancelled again
            running.cancel()
            await asyncio.sleep(0)
            assert not running.done()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert single.statistics().interrupts == 0


def test_timeout_of_asyncio_interrupts(single, started):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await single.run(tasks.spin, started)

    asyncio.run(main())
    assert single.submit(abs, -1).result(60) == 1


def test_failing_sibling_interrupts(executor, started):
    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(executor.run(tasks.spin, started))
            await begun(started)
            group.create_task(executor.run(tasks.fail, ValueError("x")))

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert [repr(exc) for exc in caught.value.exceptions] == ["ValueError('x')"]
    assert executor.statistics().interrupts == 1


def test_error_of_a_task_that_answers_the_interrupt_is_not_logged(single, started, logged):
    async def main():
        running = asyncio.ensure_future(single.run(stopping_tasks.fail_when_interrupted, started))
        await begun(started)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    single.submit(abs, 1).result(60)
    assert not logged


def test_closed_coroutine_interrupts_its_task(single, started):
    async def main():
        call = single.run(tasks.spin, started)
        call.send(None)
        await begun(started)
        call.close()

    asyncio.run(main())
    assert single.submit(abs, -1).result(60) == 1


def test_interrupt_from_elsewhere_is_what_run_raises(single, started):
    async def main():
        running = asyncio.ensure_future(single.run(tasks.spin, started))
        await begun(started)
        (item,) = single._pool.list_tasks()
        await asyncio.to_thread(item.future.interrupt)
        with pytest.raises(TaskInterrupted):
            await running

    asyncio.run(main())


def test_cancelled_by_the_executor_is_no_cancelling_of_the_coroutine(gate):
    async def main():
        with InterpreterPoolExecutor(1) as executor:
            gate.hold(executor)
            waits = [asyncio.ensure_future(executor.run(tasks.identity, n)) for n in range(200)]
            await asyncio.sleep(0)
            executor.shutdown(wait=False, cancel_futures=True)
            outcomes = await asyncio.gather(*waits, return_exceptions=True)
            gate.open()
        return outcomes

    assert {type(each) for each in asyncio.run(main())} == {concurrent.futures.CancelledError}


@pytest.mark.stress
def test_cancelled_at_any_moment(executor, stress):
    """Nothing is left behind, and nobody is disturbed."""
    dice = random.Random(12)

    async def use(n):
        if n % 3:
            return await executor.run(tasks.identity, n)
        return [each async for each in executor.amap(tasks.identity, range(n), ordered=bool(n % 2))]

    async def main():
        for _ in range(100 * stress):
            calls = [asyncio.ensure_future(use(dice.randrange(30))) for _ in range(6)]
            for _ in range(dice.randrange(6)):
                await asyncio.sleep(0)
            for call in calls[:5]:
                call.cancel()
            *cancelled, kept = await asyncio.gather(*calls, return_exceptions=True)
            assert not isinstance(kept, BaseException), kept
            assert all(not isinstance(each, Exception) for each in cancelled), cancelled
        assert await executor.run(abs, -1) == 1

    asyncio.run(main())
    executor.shutdown()  # the last to be cancelled may just be accounted for
    assert not executor._pool.list_tasks()
    executor._pool.check_invariants()
    assert executor.statistics().abandoned == 0
