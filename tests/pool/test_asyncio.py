"""asyncio: run_in_executor, set_default_executor, cancelling."""

from __future__ import annotations

import asyncio

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor


def test_run_in_executor_returns_result_and_raises_exception(executor):
    async def main():
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, tasks.add, 1, 2) == 3
        with pytest.raises(ValueError, match="x"):
            await loop.run_in_executor(executor, tasks.fail, ValueError("x"))
        return await asyncio.gather(*(loop.run_in_executor(executor, tasks.identity, i) for i in range(50)))

    assert asyncio.run(main()) == list(range(50))


def test_default_executor_is_shut_down_by_the_loop():
    made = InterpreterPoolExecutor(1)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(made)
        return await loop.run_in_executor(None, tasks.add, 1, 2)

    assert asyncio.run(main()) == 3
    with pytest.raises(RuntimeError, match="after shutdown"):
        made.submit(tasks.identity, 1)


def test_cancelled_awaiter_cancels_the_waiting_task(gate):
    with InterpreterPoolExecutor(1) as executor:
        held = [*gate.hold(executor), gate.submit(executor)]

        async def main():
            waiting = asyncio.get_running_loop().run_in_executor(executor, tasks.hold, gate.started, gate.exits)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        asyncio.run(main())
        gate.open(2)
    assert all(future.done() for future in held)
    assert gate.started.qsize() == 1  # the second held one; the cancelled one never began
