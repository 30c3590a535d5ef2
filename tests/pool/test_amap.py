"""`async for result in executor.amap(...)` under asyncio: order, errors, closing, buffers."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import aclosing

import map_tasks
import pytest
import tasks
from loops import begun, collect

from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskPicklingError


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"chunksize": 7}, {"buffersize": 5}, {"buffersize": 300, "chunksize": 10}])
def test_amap_gives_all_results(executor, ordered, sizes):
    async def main():
        one = await collect(executor.amap(tasks.identity, range(1000), ordered=ordered, **sizes))
        two = await collect(executor.amap(tasks.add, range(100), range(50), ordered=ordered, **sizes))
        none = await collect(executor.amap(tasks.identity, (), ordered=ordered, **sizes))
        return one, two, none

    one, two, none = asyncio.run(main())
    if not ordered:
        one.sort(), two.sort()
    assert (one, two, none) == ([*range(1000)], [2 * n for n in range(50)], [])
    executor._pool.check_invariants()


def test_amap_in_order_waits_for_the_first(executor):
    async def main():
        gate = create_queue()
        amap = executor.amap(map_tasks.wait_if_none, itertools.repeat(gate), [None, *range(50)], chunksize=1)
        waits = asyncio.ensure_future(anext(amap))
        await executor.run(tasks.identity, 1)  # behind all of them
        assert not waits.done()
        gate.put(0)
        return [await waits, *[result async for result in amap]]

    assert asyncio.run(main()) == [None, *range(50)]


@pytest.mark.parametrize("sizes", [{}, {"chunksize": 1}, {"chunksize": 3}, {"buffersize": 60}])
def test_amap_without_order_gives_what_is_there(executor, sizes):
    """Also what was in a batch with the slow one, which is split."""

    async def main():
        gate = create_queue()
        amap = executor.amap(
            map_tasks.wait_if_none, itertools.repeat(gate), [*range(20), None, *range(30)], ordered=False, **sizes
        )
        count = 50 - (2 if "chunksize" in sizes and sizes["chunksize"] == 3 else 0)  # which is not split
        first = [await anext(amap) for _ in range(count)]
        gate.put(0)
        return first, [result async for result in amap]

    first, rest = asyncio.run(main())
    assert None not in first
    assert None in rest
    assert sorted(set(first + rest) - {None}) == [*range(30)]


def test_amap_raises_the_error_of_an_item_and_ends(executor):
    async def main():
        amap = executor.amap(tasks.fail_on_three, range(100))
        assert [await anext(amap) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="bad item 3"):
            await anext(amap)
        with pytest.raises(StopAsyncIteration):
            await anext(amap)

    asyncio.run(main())


def test_amap_of_what_cannot_be_pickled_raises(executor):
    async def main():
        with pytest.raises(TaskPicklingError):
            await collect(executor.amap(tasks.identity, [1, tasks.NoPickle()]))
        with pytest.raises(Exception, match="cannot be unpickled"):
            await collect(executor.amap(tasks.identity, [1, tasks.NoUnpickle(), 2], ordered=False))

    asyncio.run(main())


def fail_after(count):
    yield from range(count)
    raise KeyError("from the iterable")


def test_error_of_an_iterable_is_raised(executor):
    async def main():
        with pytest.raises(KeyError, match="from the iterable"):
            executor.amap(tasks.identity, fail_after(10))
        amap = executor.amap(tasks.identity, fail_after(10), buffersize=3)
        assert [await anext(amap) for _ in range(5)] == [*range(5)]
        with pytest.raises(KeyError, match="from the iterable"):
            await collect(amap)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"chunksize": 0}, ValueError, "chunksize must be None or > 0"),
        ({"buffersize": "1"}, TypeError, "buffersize must be an integer or None"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds"),
        ({"ordered": 1}, TypeError, "ordered must be a bool"),
    ],
)
def test_bad_arguments_raise_at_once(executor, arguments, kind, text):
    with pytest.raises(kind, match=text):
        executor.amap(abs, [1], **arguments)


def test_asynchronous_iterable_is_refused_with_the_remedy(executor):
    async def items():
        yield 1

    with pytest.raises(
        TypeError, match=r"iterable 2 of amap\(\) must be a plain one, got async_generator.*executor.run"
    ):
        executor.amap(tasks.add, [1], items())


@pytest.mark.parametrize("ordered", [True, False])
def test_timeout_is_that_of_all_results(executor, started, ordered):
    async def main():
        with pytest.raises(TimeoutError):
            await collect(executor.amap(tasks.spin, [started] * 3, timeout=0.02, ordered=ordered))
        assert await executor.run(abs, -1) == 1  # the workers are free

    asyncio.run(main())


@pytest.mark.parametrize("ordered", [True, False])
def test_cancelled_consumer_interrupts_what_runs(executor, started, ordered):
    async def main():
        consumer = asyncio.ensure_future(
            collect(executor.amap(tasks.spin, [started] * 9, chunksize=1, ordered=ordered))
        )
        await begun(started)
        await begun(started)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert not executor._pool.list_tasks()  # all of it has ended
        assert await executor.run(abs, -1) == 1

    asyncio.run(main())
    assert started.qsize() == 0
    assert executor.statistics().interrupts == 2


@pytest.mark.parametrize("how", ["aclose", "break", "forget", "aclose without a look"])
def test_closing_cancels_what_is_left(executor, started, how):
    async def main():
        amap = executor.amap(tasks.spin_unless_none, [*[None] * 3, *[started] * 20], chunksize=1)
        if how == "break":
            async for _ in amap:
                break
        elif how == "aclose":
            async with aclosing(amap):
                await anext(amap)
                await begun(started)
            with pytest.raises(StopAsyncIteration):
                await anext(amap)
        elif how != "forget":
            await begun(started)
            await amap.aclose()
        del amap
        assert await executor.run(abs, -1) == 1

    asyncio.run(main())
    assert executor.statistics().tasks_waiting == 0


def test_closing_ends_another_coroutine_that_waits(executor, started):
    async def main():
        amap = executor.amap(tasks.spin, [started] * 3)
        waits = asyncio.ensure_future(anext(amap))
        await asyncio.sleep(0)  # it waits: the tasks may have begun already
        await begun(started)
        with pytest.raises(RuntimeError, match="another coroutine waits"):
            await anext(amap)
        await amap.aclose()
        with pytest.raises(StopAsyncIteration):
            await waits
        await amap.aclose()  # again

    asyncio.run(main())
    executor._pool.check_invariants()


def test_without_interrupting_the_end_of_what_runs_is_waited_for(single, gate):
    view = single.options(interrupt_on_cancel=False)

    async def main():
        amap = view.amap(tasks.hold, [gate.started] * 5, [gate.exits] * 5, chunksize=1)
        consumer = asyncio.ensure_future(collect(amap))
        await begun(gate.started)
        consumer.cancel()
        await asyncio.sleep(0)
        consumer.cancel()
        await asyncio.sleep(0)
        assert not consumer.done()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await consumer

    asyncio.run(main())
    assert gate.started.qsize() == 0  # none of the others has begun
    assert single.statistics().interrupts == 0


def test_buffersize_bounds_what_is_taken(executor):
    taken = []

    def items():
        for n in range(100):
            taken.append(n)
            yield n

    async def main():
        count = 0
        async for _ in executor.amap(tasks.identity, items(), buffersize=4):
            count += 1
            assert len(taken) <= count + 4
        return count

    assert asyncio.run(main()) == 100


def test_other_coroutines_have_a_turn_while_results_are_there(executor):
    async def main():
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        async for _ in executor.amap(abs, range(100_000)):
            pass
        counting.cancel()
        return turns

    assert asyncio.run(main()) > 1


def test_amap_on_a_shared_pool_ends_with_its_executor(gate):
    with InterpreterPool(1) as pool:
        executor = InterpreterPoolExecutor(pool=pool)

        async def main():
            amap = executor.amap(tasks.identity, range(100))
            executor.shutdown(wait=False)
            assert await collect(amap) == [*range(100)]  # those that were taken are still done
            with pytest.raises(RuntimeError, match="after shutdown"):
                executor.amap(tasks.identity, [1])

        asyncio.run(main())


def test_several_maps_and_loops_at_once(executor):
    async def main(ordered):
        maps = [collect(executor.amap(tasks.identity, range(300), ordered=ordered)) for _ in range(5)]
        return [sorted(results) for results in await asyncio.gather(*maps)]

    got = []
    threads = [threading.Thread(target=lambda o=o: got.extend(asyncio.run(main(o)))) for o in (True, False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == [[*range(300)]] * 15


class Counting(InterpreterPoolExecutor):
    count = 0

    def submit(self, fn, /, *args, **kwargs):
        self.count += 1
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("ordered", [True, False])
def test_overridden_submit_is_what_amap_uses(ordered, subtests):
    with Counting(2) as executor:
        for sizes, count in (({}, 20), ({"chunksize": 6}, 4), ({"buffersize": 3}, 20)):
            for maps in (executor, executor.options(name="x")):
                with subtests.test(sizes=sizes, maps=maps):
                    executor.count = 0
                    got = asyncio.run(collect(maps.amap(tasks.identity, range(20), ordered=ordered, **sizes)))
                    assert sorted(got) == [*range(20)]
                    assert ordered <= (got == [*range(20)])
                    assert executor.count == count


def test_overridden_submit_is_closed_likewise(started):
    with Counting(1) as executor:

        async def main():
            amap = executor.amap(tasks.spin_unless_none, [None, *[started] * 5])
            assert await anext(amap) is None
            await begun(started)
            await amap.aclose()
            with pytest.raises(ValueError, match="x"):
                await collect(executor.amap(tasks.fail, [ValueError("x")] * 3))

        asyncio.run(main())
        assert executor.statistics().tasks_waiting == 0
