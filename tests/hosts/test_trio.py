"""Trio, AnyIO on both backends, uvloop: `run` and `amap` under each, and `interp_pool.trio`."""

from __future__ import annotations

import asyncio
import inspect
import sys
from contextlib import aclosing
from functools import partial
from itertools import repeat

import map_tasks
import pytest
import stopping_tasks
import tasks
from loops import collect

from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor, TaskInterrupted

trio = pytest.importorskip("trio")
anyio = pytest.importorskip("anyio")
uvloop = pytest.importorskip("uvloop")
trio_parallel = pytest.importorskip("trio_parallel")

pytestmark = pytest.mark.hosts


def run_asyncio(main):
    return asyncio.run(main())


def run_uvloop(main):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


RUNS = {
    "asyncio": run_asyncio,
    "uvloop": run_uvloop,
    "trio": trio.run,
    "anyio on asyncio": partial(anyio.run, backend="asyncio"),
    "anyio on uvloop": partial(anyio.run, backend="asyncio", backend_options={"use_uvloop": True}),
    "anyio on trio": partial(anyio.run, backend="trio"),
}


@pytest.fixture(autouse=True)
def _threads_of_trio_end_at_once(monkeypatch):
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)


@pytest.fixture(scope="module", autouse=True)
def _own_pipe_of_libuv():
    """Let libuv open what it opens once, and keeps."""
    uvloop.new_event_loop().close()


STRUCTURED = {name: run for name, run in RUNS.items() if name not in ("asyncio", "uvloop")}


@pytest.fixture(params=RUNS.values(), ids=RUNS)
def run(request):
    return request.param


@pytest.fixture(params=STRUCTURED.values(), ids=STRUCTURED)
def run_structured(request):
    """Those under which AnyIO's own functions work, as they do under Trio."""
    return request.param


@pytest.fixture
def executor(request):
    with InterpreterPoolExecutor(2) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["executor"]


@pytest.fixture
def started(request):
    yield create_queue()
    del request.node.funcargs["started"]


async def begun(started):
    await anyio.to_thread.run_sync(partial(started.get, timeout=60))


def test_run_returns_result_and_raises_exception(run, executor):
    async def main():
        assert await executor.run(tasks.add, 1, right=2) == 3
        assert await executor.options(name="x").run(tasks.identity, 4) == 4
        with pytest.raises(ValueError, match="x"):
            await executor.run(tasks.fail, ValueError("x"))
        for n in range(100):
            assert await executor.run(tasks.identity, n) == n

    run(main)


@pytest.mark.parametrize("ordered", [True, False])
def test_amap_gives_all_results(run, executor, ordered):
    async def main():
        assert sorted(await collect(executor.amap(abs, range(2000), ordered=ordered))) == [*range(2000)]
        gate = create_queue()
        amap = executor.amap(map_tasks.wait_if_none, repeat(gate), [None, 1, 2], chunksize=1, ordered=ordered)
        if ordered:
            gate.put(0)
        got = [await anext(amap), await anext(amap)]
        gate.put(0)
        return [*got, await anext(amap)]

    assert run(main) == ([None, 1, 2] if ordered else [1, 2, None])


def test_timeout_of_amap(run, executor, started):
    async def main():
        with pytest.raises(TimeoutError):
            await collect(executor.amap(tasks.spin, [started] * 3, timeout=0.02))
        return await executor.run(abs, -1)

    assert run(main) == 1


def test_cancelled_scope_interrupts_and_keeps_the_worker(run_structured, executor, started):
    ended = create_queue()

    async def main():
        threads = {await executor.run(tasks.current_id) for _ in range(9)}
        async with anyio.create_task_group() as group:
            group.start_soon(executor.run, stopping_tasks.spin_and_say_when_it_ends, started, ended)
            await begun(started)
            group.cancel_scope.cancel()
        assert ended.get_nowait() == "finally"
        with anyio.move_on_after(0.02) as scope:
            await executor.run(tasks.spin, started)
        assert scope.cancelled_caught
        return {await executor.run(tasks.current_id) for _ in range(9)} | threads

    assert len(run_structured(main)) <= 2
    assert executor.statistics().interrupts in (1, 2)  # the second one may not have begun


def test_cancelled_scope_waits_without_interrupting(run_structured, executor, started):
    gate = create_queue()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(executor.options(interrupt_on_cancel=False).run, tasks.hold, started, gate)
            await begun(started)
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                turns = 0
                for _ in range(100):
                    await anyio.lowlevel.checkpoint()
                    turns += 1
                gate.put(None)
        return turns

    assert run_structured(main) == 100
    assert executor.statistics().interrupts == 0


def test_cancelled_scope_ends_amap(run_structured, executor, started):
    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(collect, executor.amap(tasks.spin, [started] * 9, chunksize=1))
            await begun(started)
            await begun(started)
            group.cancel_scope.cancel()
        assert not executor._pool.list_tasks()
        async for _ in executor.amap(abs, range(10_000)):
            break
        async with aclosing(executor.amap(tasks.spin, [started])) as amap:
            with anyio.move_on_after(0.02):
                await anext(amap)
        return await executor.run(abs, -1)

    assert run_structured(main) == 1


def test_full_backlog_suspends_the_coroutine(run_structured, started):
    gate = create_queue()
    with InterpreterPoolExecutor(1, max_backlog=1) as executor:

        async def main():
            kernel = executor._pool._kernel
            executor.submit(tasks.hold, started, gate)
            await begun(started)
            while not kernel.tasks.backlog:
                executor.submit(tasks.identity, 0)
            async with anyio.create_task_group() as group:
                for n in range(5):
                    group.start_soon(executor.run, tasks.identity, n)
                group.start_soon(anyio.to_thread.run_sync, gate.put, None)

        run_structured(main)


def test_a_loop_of_trio_beside_one_of_asyncio(executor):
    """A coroutine is woken in the loop that runs it, also where Trio is a guest of asyncio's."""

    async def under_trio():
        return [await executor.run(tasks.identity, n) for n in range(20)]

    async def main():
        done = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            under_trio,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=lambda outcome: done.set_result(outcome.unwrap()),
        )
        own = [await executor.run(tasks.identity, n) for n in range(20)]
        return own, await done

    assert asyncio.run(main()) == ([*range(20)], [*range(20)])


# interp_pool.trio


@pytest.fixture
def run_sync():
    from interp_pool.trio import _default, run_sync

    yield run_sync
    if _default._executor is not None:
        _default._executor.shutdown()
        _default._executor = None


def test_run_sync_has_the_parameters_of_trio_parallel(run_sync):
    ours, theirs = inspect.signature(run_sync).parameters, inspect.signature(trio_parallel.run_sync).parameters
    assert [(each.name, each.kind) for each in ours.values()] == [(each.name, each.kind) for each in theirs.values()]


def test_run_sync_returns_result_and_raises_exception(run_sync):
    async def main():
        assert await run_sync(tasks.add, 1, 2) == 3
        with pytest.raises(ValueError, match="x"):
            await run_sync(tasks.fail, ValueError("x"))
        with pytest.raises(TypeError, match="kill_on_cancel must be a bool"):
            await run_sync(abs, 1, kill_on_cancel="yes")

    trio.run(main)


def test_cancelled_run_sync_keeps_the_worker_warm(run_sync, started):
    async def main():
        limiter = trio.CapacityLimiter(1)
        before = await run_sync(tasks.current_id, limiter=limiter)
        with trio.move_on_after(0.02) as scope:
            await run_sync(tasks.spin, started, limiter=limiter)
        assert scope.cancelled_caught
        assert limiter.borrowed_tokens == 0
        return before, await run_sync(tasks.current_id, limiter=limiter)

    before, after = trio.run(main)
    assert before == after


def test_run_sync_waits_if_it_is_not_to_kill(run_sync, started):
    gate = create_queue()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(run_sync, tasks.hold, started, gate, kill_on_cancel=False))
            await trio.to_thread.run_sync(partial(started.get, timeout=60))
            nursery.cancel_scope.cancel()
            gate.put(None)

    trio.run(main)
    assert gate.qsize() == 0


def test_limiter_says_how_many_run_at_once(run_sync, started):
    gate = create_queue()

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(partial(run_sync, tasks.hold, started, gate, limiter=trio.CapacityLimiter(1)))
            for _ in range(4):  # all of them, however few processors there are
                await trio.to_thread.run_sync(partial(started.get, timeout=60))
            for _ in range(4):
                gate.put(None)
        from interp_pool.trio import current_default_worker_limiter

        limiter = current_default_worker_limiter()
        assert limiter is current_default_worker_limiter()
        return limiter.total_tokens

    assert trio.run(main) >= 1


def test_interrupted_elsewhere_is_no_cancelling(run_sync, started):
    async def main():
        from interp_pool.trio import _default

        async with trio.open_nursery() as nursery:

            async def expect():
                with pytest.raises(TaskInterrupted):
                    await run_sync(tasks.spin, started)

            nursery.start_soon(expect)
            await trio.to_thread.run_sync(partial(started.get, timeout=60))
            (item,) = _default._executor._pool.list_tasks()
            item.future.interrupt(0)

    trio.run(main)


def test_without_trio_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trio", None)
    monkeypatch.delitem(sys.modules, "interp_pool.trio", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'interp-pool\[trio\]'"):
        import interp_pool.trio  # noqa: F401


def test_end_of_async_with_does_not_block_the_loop(run_structured, started):
    gate = create_queue()

    async def open_gate():
        gate.put(None)

    async def main():
        async with anyio.create_task_group() as group, InterpreterPoolExecutor(1) as executor:
            future = executor.submit(tasks.hold, started, gate)
            await begun(started)
            group.start_soon(open_gate)
        return future.done()

    assert run_structured(main)


def test_cancelled_scope_stops_what_the_end_of_async_with_waits_for(run_structured, started):
    async def main():
        with anyio.move_on_after(60) as scope:
            async with InterpreterPoolExecutor(1) as executor:
                future = executor.submit(tasks.spin, started)
                await begun(started)
                scope.cancel()
        return future.exception(0)

    assert isinstance(run_structured(main), TaskInterrupted)
