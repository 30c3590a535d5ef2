"""Queues in coroutines of uvloop, Trio and AnyIO: the same as in asyncio's."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import awaiting_tasks
import pytest
import tasks

import interp_api
from interp_api import ShutDown, create_queue
from interp_api._wakeup import awaiting
from interp_api._wakeup.awaiting import Desk
from interp_api._wakeup.slot import GETTER

anyio = pytest.importorskip("anyio")
trio = pytest.importorskip("trio")
uvloop = pytest.importorskip("uvloop")

pytestmark = pytest.mark.hosts

ITEMS = 2_000


def run_asyncio(function, *args):
    return asyncio.run(function(*args))


def run_uvloop(function, *args):
    return uvloop.run(function(*args))


def run_anyio(function, *args):
    return anyio.run(function, *args, backend="asyncio", backend_options={"use_uvloop": True})


RUNS = pytest.mark.parametrize(
    "run", [run_asyncio, run_uvloop, run_anyio, trio.run], ids=["asyncio", "uvloop", "anyio", "trio"]
)


@pytest.fixture(scope="module", autouse=True)
def _descriptors_of_libuv():
    """Have libuv open what it opens once in a process."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def interpreter():
    interpreter = interp_api.create()
    interpreter.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    yield interpreter
    interpreter.close()


@RUNS
def test_there_and_back_to_another_interpreters_loop(run, interpreter, threads):
    there, back = create_queue(3), create_queue(3)
    echoing = threads.submit(interpreter.call, awaiting_tasks.run_echo, there, back)

    async def put_all():
        for number in range(200):
            await there.aput(number)
        await there.ajoin()
        there.shutdown()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(put_all)
            return [await back.aget() for _ in range(200)]

    assert run(main) == list(range(200))
    echoing.result(timeout=60)


@RUNS
@pytest.mark.parametrize("maxsize", [0, 5])
def test_random_cancels_lose_and_double_nothing(run, maxsize, interpreter, threads):
    """Items of another interpreter's loop, taken by coroutines of this one, each of which is cancelled at random."""
    queue = create_queue(maxsize)
    putting = threads.submit(interpreter.call, awaiting_tasks.run_producers, queue, ITEMS // 4, 4, 3)
    rng, taken, cancels = random.Random(1), [[] for _ in range(4)], []

    async def take(own):
        async for item in queue:
            own.append(item)
            queue.task_done()

    async def take_with_cancels(own):
        while True:
            with anyio.CancelScope() as scope:
                scopes[id(own)] = scope
                await take(own)
            if not scope.cancelled_caught:
                return
            cancels.append(None)

    async def cancel():
        while sum(map(len, taken)) < ITEMS:
            await anyio.sleep(rng.random() / 3000)
            scopes[id(rng.choice(taken))].cancel()
        await queue.ajoin()
        queue.shutdown()

    async def main():
        async with anyio.create_task_group() as group:
            for own in taken:
                group.start_soon(take_with_cancels, own)
            await anyio.lowlevel.checkpoint()
            group.start_soon(cancel)

    scopes = {}
    run(main)
    putting.result(timeout=60)
    assert cancels
    assert sorted(item for own in taken for item in own) == list(range(ITEMS))
    for own in taken:
        for first in range(0, ITEMS, ITEMS // 4):
            part = [item for item in own if first <= item < first + ITEMS // 4]
            assert part == sorted(part)


@RUNS
def test_shutdown_ends_all_that_wait(run, threads):
    queue, ended = create_queue(), []

    async def take():
        try:
            await queue.aget()
        except ShutDown:
            ended.append("ShutDown")

    async def iterate():
        async for _ in queue:
            pass
        ended.append("end")

    async def main():
        async with anyio.create_task_group() as group:
            for function in (take, take, iterate):
                group.start_soon(function)
            while not (lines := awaiting_lines(queue)) or len(lines[0].waiting) < 3:
                await anyio.lowlevel.checkpoint()
            threads.submit(queue.shutdown)

    run(main)
    assert sorted(ended) == ["ShutDown", "ShutDown", "end"]


def awaiting_lines(queue):
    return [desk.lines[queue.id] for desk in awaiting._desks.values() if queue.id in desk.lines]


@RUNS
def test_time_limits_of_the_host_end_a_wait(run):
    async def main():
        queue = create_queue(1)
        with anyio.move_on_after(0.001) as scope:
            await queue.aget()
        assert scope.cancelled_caught
        queue.put(1)
        with pytest.raises(TimeoutError), anyio.fail_after(0.001):
            await queue.aput(2)
        return await queue.aget()

    assert run(main) == 1


@RUNS
def test_a_run_leaves_nothing_behind(run):
    async def main():
        with anyio.move_on_after(0.001):
            await create_queue().aget()

    for _ in range(2):
        run(main)
        assert not len(awaiting._desks)


def test_trio_sees_a_checkpoint_in_each_call():
    async def main():
        queue = create_queue(1)
        for call in (lambda: queue.aput(1), queue.aget):
            with trio.testing.assert_checkpoints():
                await call()
        queue.put("kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await queue.aget()
        assert scope.cancelled_caught
        return await queue.aget()

    import trio.testing

    assert trio.run(main) == "kept"


def test_trio_beside_asyncio_in_one_thread_each_has_its_own_seat(monkeypatch):
    """Trio as a guest of an asyncio loop: a coroutine belongs to the one that runs it."""
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)  # of the thread that waits for the guest
    queue = create_queue()

    async def main():
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        async def in_trio():
            return await queue.aget()

        outcomes = []
        trio.lowlevel.start_guest_run(
            in_trio,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: (outcomes.append(outcome), ended.set()),
        )
        getting = asyncio.create_task(queue.aget())
        while len(awaiting_lines(queue)) < 2:
            await asyncio.sleep(0)
        kinds = {type(desk.loop).__name__ for desk in awaiting._desks.values()}
        assert kinds == {"AsyncioLoop", "TrioLoop"}
        queue.put(1)
        queue.put(2)
        await ended.wait()
        return {outcomes[0].unwrap(), await getting}

    assert asyncio.run(main()) == {1, 2}


def test_closed_uvloop_gives_its_seat_back():
    loop = uvloop.new_event_loop()
    task = loop.create_task(create_queue().aget())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert [desk for desk in awaiting._desks.values() if isinstance(desk, Desk)]
    assert (id(loop), GETTER) in awaiting._desks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    del task
    assert not len(awaiting._desks)
