"""`await executor.run(...)` under asyncio: results, errors, a full backlog, several loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref
from functools import partial

import pytest
import tasks
from loops import begun

from interp_api import QueueFull
from interp_pool import (
    BrokenInterpreterPool,
    InterpreterPool,
    InterpreterPoolExecutor,
    TaskPicklingError,
)
from interp_pool._awaiting.library import make_bell


def test_run_returns_result_and_raises_exception(executor):
    async def main():
        assert await executor.run(tasks.add, 1, right=2) == 3
        with pytest.raises(ValueError, match="x"):
            await executor.run(tasks.fail, ValueError("x"))
        return await asyncio.gather(*(executor.run(tasks.identity, n) for n in range(200)))

    assert asyncio.run(main()) == [*range(200)]


def test_keywords_are_those_of_the_function(executor):
    async def main():
        return await executor.run(dict, fn=1, timeout=2, interrupt=3)

    assert asyncio.run(main()) == {"fn": 1, "timeout": 2, "interrupt": 3}


def test_run_sends_nothing_before_it_is_awaited(executor):
    call = executor.run(tasks.identity, 1)
    assert executor.statistics().messages_sent == 0
    call.close()
    assert executor.statistics().messages_sent == 0


def test_run_without_a_loop_says_so(executor):
    with pytest.raises(RuntimeError, match="no running event loop"):
        executor.run(abs, 1).send(None)


def test_run_of_what_cannot_be_pickled_raises(executor):
    async def main():
        with pytest.raises(TaskPicklingError, match="argument 1"):
            await executor.run(tasks.identity, tasks.NoPickle())
        with pytest.raises(Exception, match="could not be unpickled"):
            await executor.run(tasks.make_one_that_cannot_be_unpickled)

    asyncio.run(main())


def test_run_after_shutdown_raises():
    executor = InterpreterPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        asyncio.run(executor.run(abs, 1))


def test_options_of_a_view_count(single, started):
    async def main():
        with pytest.raises(TimeoutError, match="task 'parse' was stopped"):
            await single.options(name="parse", timeout=0.02).run(tasks.spin, started)
        with pytest.raises(TimeoutError, match="was not started"):
            await single.options(deadline=0.0).run(abs, 1)

    asyncio.run(main())


@pytest.mark.parametrize("is_shared", [False, True])
def test_full_backlog_suspends_the_coroutine_and_not_the_loop(gate, is_shared):
    with (
        InterpreterPool(1, max_backlog=1) as pool,
        InterpreterPoolExecutor(pool=pool) if is_shared else InterpreterPoolExecutor(1, max_backlog=1) as executor,
    ):

        async def main():
            held = gate.hold(executor)
            fill(executor)
            calls = [asyncio.ensure_future(executor.run(tasks.identity, n)) for n in range(20)]
            for _ in range(5):
                await asyncio.sleep(0)
            assert not any(call.done() for call in calls)
            cancelled = calls.pop()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            gate.open()
            assert await asyncio.gather(*calls) == [*range(19)]
            return held

        asyncio.run(main())
        executor._pool.check_invariants()


def fill(executor):
    """Submit until a task waits in the backlog, which has room for one."""
    kernel = executor._pool._kernel
    while not kernel.tasks.backlog:
        executor.submit(tasks.identity, 0)


def test_full_backlog_that_refuses_raises(gate):
    with InterpreterPoolExecutor(1, max_backlog=1, when_full="raise") as executor:

        async def main():
            gate.hold(executor)
            fill(executor)
            with pytest.raises(QueueFull, match="max_backlog"):
                await executor.run(tasks.identity, 1)
            gate.open()

        asyncio.run(main())


def test_shutdown_ends_those_that_wait_for_room(gate):
    with InterpreterPoolExecutor(1, max_backlog=1) as executor:

        async def main():
            gate.hold(executor)
            fill(executor)
            waits = asyncio.ensure_future(executor.run(tasks.identity, 1))
            await asyncio.sleep(0)
            executor.shutdown(wait=False)
            with pytest.raises(RuntimeError, match="after shutdown"):
                await waits
            gate.open()

        asyncio.run(main())


def test_loops_in_several_threads_at_once(executor):
    async def main(first):
        return await asyncio.gather(*(executor.run(tasks.identity, n) for n in range(first, first + 100)))

    got = {}
    threads = [
        threading.Thread(target=lambda first=first: got.update({first: asyncio.run(main(first))}))
        for first in range(0, 400, 100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {first: [*range(first, first + 100)] for first in range(0, 400, 100)}


def test_loop_that_is_closed_meanwhile_disturbs_nobody(single, gate):
    loop = asyncio.new_event_loop()
    forgotten = loop.create_task(single.run(tasks.hold, gate.started, gate.exits))
    loop.run_until_complete(begun(gate.started))
    loop.run_until_complete(loop.shutdown_default_executor())
    forgotten._log_destroy_pending = False
    loop.close()
    gate.open()
    assert single.submit(tasks.identity, 1).result(60) == 1
    assert asyncio.run(single.run(tasks.identity, 2)) == 2
    single._pool.check_invariants()
    forgotten.get_coro().close()


def test_other_threads_wait_for_tasks_meanwhile(executor, gate):
    async def main():
        held = gate.hold(executor)
        running = [asyncio.ensure_future(executor.run(tasks.identity, n)) for n in range(50)]
        others = [asyncio.to_thread(executor.submit(tasks.identity, n).result, 60) for n in range(50)]
        gate.open()
        assert await asyncio.gather(*running, *others) == [*range(50)] * 2
        return held

    asyncio.run(main())


def test_overridden_submit_is_what_run_uses():
    class Counting(InterpreterPoolExecutor):
        count = 0

        def submit(self, fn, /, *args, **kwargs):
            self.count += 1
            return super().submit(fn, *args, **kwargs)

    with Counting(1) as executor:

        async def main():
            assert await executor.run(tasks.add, 1, right=2) == 3
            assert await executor.options(name="x").run(tasks.identity, 4) == 4
            with pytest.raises(ValueError, match="y"):
                await executor.run(tasks.fail, ValueError("y"))

        asyncio.run(main())
    assert executor.count == 3


def test_overridden_submit_with_futures_of_another_kind():
    with InterpreterPoolExecutor(1) as executor, concurrent.futures.ThreadPoolExecutor(1) as threads:
        executor.submit = threads.submit

        async def main():
            assert await executor.run(tasks.identity, 1) == 1
            go = threading.Event()
            running = asyncio.ensure_future(executor.run(go.wait))
            waits = asyncio.ensure_future(executor.run(tasks.identity, 2))
            await asyncio.sleep(0)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            go.set()
            assert await running

        asyncio.run(main())
        del executor.submit


def test_a_struck_ring_rings_again(monkeypatch):
    """The note that the loop is called is taken back: otherwise nobody would call it any more."""

    async def main():
        bell, loop = make_bell(), asyncio.get_running_loop()

        def strike(_):
            raise KeyboardInterrupt

        loop.call_soon_threadsafe = strike
        with pytest.raises(KeyboardInterrupt):
            bell.release()
        del loop.call_soon_threadsafe
        there = []
        loop.call_soon(there.append, 1)
        loop.call_soon(bell.release)
        await bell.wait(lambda: bool(there))

    asyncio.run(main())


def test_run_on_a_broken_pool_raises(logged):
    with InterpreterPoolExecutor(1, initializer=tasks.fail_to_initialize, initargs=("no",)) as executor:

        async def main():
            with pytest.raises(BrokenInterpreterPool):
                await executor.run(tasks.identity, 1)
            with pytest.raises(BrokenInterpreterPool):
                [each async for each in executor.amap(tasks.identity, [1])]

        asyncio.run(main())


def test_run_of_what_goes_to_the_fallback(gate):
    """Also while its backlog is full, and when it is cancelled there, where a thread cannot be stopped."""
    with InterpreterPoolExecutor(
        1, fallback="thread", route=["tasks:current_id", "tasks:hold"], max_backlog=1
    ) as executor:

        async def main():
            assert await asyncio.gather(*(executor.run(tasks.current_id) for _ in range(30))) == [0] * 30
            running = asyncio.ensure_future(executor.run(tasks.hold, gate.started, gate.exits))
            await begun(gate.started)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert await executor.run(tasks.current_id) == 0
            gate.open()

        asyncio.run(main())
        assert executor.statistics().tasks_in_threads == 32


def test_loop_goes_when_its_program_has_done_with_it(executor):
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await executor.run(abs, -1)

    assert asyncio.run(main()) == 1
    gc.collect()
    assert loops[0]() is None


def test_default_executor_that_to_thread_cannot_use_names_the_remedy():
    executor = InterpreterPoolExecutor(1)

    async def main():
        asyncio.get_running_loop().set_default_executor(executor)
        with pytest.raises(
            TaskPicklingError, match=r"cannot send add\(\): asyncio.to_thread\(\).*await executor.run\("
        ):
            await asyncio.to_thread(tasks.add, 1, 2)
        return await asyncio.get_running_loop().run_in_executor(None, partial(tasks.add, 1), 2)

    assert asyncio.run(main()) == 3
