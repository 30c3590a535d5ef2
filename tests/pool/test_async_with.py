"""`async with` over an executor: its end waits in the coroutine, and stops the tasks if that is cancelled."""

from __future__ import annotations

import asyncio
import threading

import pytest
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted


async def begun(started):
    await asyncio.to_thread(started.get, timeout=60)


def test_end_waits_for_tasks_and_not_with_the_loop(gate):
    async def main():
        async with InterpreterPoolExecutor(1) as executor:
            future = gate.submit(executor)
            await begun(gate.started)
            asyncio.get_running_loop().call_soon(gate.open)  # which comes when the loop goes on in the end
        assert future.done()
        with pytest.raises(RuntimeError, match="shutdown"):
            executor.submit(abs, -1)

    asyncio.run(main())
    assert not [thread for thread in threading.enumerate() if thread.name == "interp_pool end"]


@pytest.mark.parametrize("is_view", [False, True])
def test_error_of_the_block_is_raised_when_the_tasks_have_ended(gate, is_view):
    futures = []

    async def use(executor):
        async with executor.options(name="of a view") if is_view else executor as entered:
            futures.append(gate.submit(entered))
            await begun(gate.started)
            asyncio.get_running_loop().call_soon(gate.open)
            raise KeyError("block")

    async def main():
        with pytest.raises(KeyError, match="block"):
            await use(InterpreterPoolExecutor(1))
        assert futures[0].exception(0) is None

    asyncio.run(main())


@pytest.mark.parametrize("place", ["block", "end"])
def test_cancelling_the_block_or_its_end_stops_the_tasks(started, place):
    async def use(entered, futures):
        async with InterpreterPoolExecutor(1) as executor:
            futures += [executor.submit(tasks.spin, started), executor.submit(tasks.spin, started)]
            await begun(started)
            entered.set()
            if place == "block":
                await asyncio.get_running_loop().create_future()

    async def main():
        entered, futures = asyncio.Event(), []
        running = asyncio.ensure_future(use(entered, futures))
        await entered.wait()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert isinstance(futures[0].exception(0), TaskInterrupted)
        assert futures[1].cancelled()

    asyncio.run(main())


def test_cancelled_end_does_not_wait_for_c_code(stuck):
    async def use(executor):
        async with executor:
            pass

    async def main():
        executor = InterpreterPoolExecutor(1)
        future = executor.submit(tasks.call_in_c, *stuck.arguments())
        await asyncio.to_thread(stuck.wait)
        running = asyncio.ensure_future(use(executor))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not future.exception(0).has_stopped

    asyncio.run(main())
    stuck.release()


def test_end_on_a_shared_pool_waits_for_its_own_tasks_alone(gate):
    async def main(pool):
        with InterpreterPoolExecutor(pool=pool) as other:
            gate.hold(other)
            async with InterpreterPoolExecutor(pool=pool) as executor:
                future = executor.submit(abs, -1)
            assert future.result(0) == 1
            gate.open()

    with InterpreterPool(2) as pool:
        asyncio.run(main(pool))


def test_error_of_an_overridden_shutdown_is_raised():
    class Failing(InterpreterPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait, cancel_futures=cancel_futures)
            if wait:
                raise KeyError("end")

    async def main():
        with pytest.raises(KeyError, match="end"):
            async with Failing(1):
                pass

    asyncio.run(main())


def test_coroutine_that_is_closed_in_the_block_stops_the_tasks(started):
    futures = []

    async def use():
        async with InterpreterPoolExecutor(1) as executor:
            futures.append(executor.submit(tasks.spin, started))
            await asyncio.get_running_loop().create_future()

    async def main():
        coroutine = use()
        coroutine.send(None)
        await begun(started)
        coroutine.close()

    asyncio.run(main())
    assert isinstance(futures[0].exception(60), TaskInterrupted)
