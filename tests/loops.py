"""Event loops in tests: letting them turn, and who waits at which queue."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from interp_api._wakeup import awaiting
from interp_api._wakeup.slot import GETTER


def run(coroutine):
    """Run a coroutine in a loop of its own; who waits in vain is an error, not a hang."""

    async def limited():
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(limited())


async def turns(count=8):
    """Let the loop turn so often: what is ready now has run then, and what that has made ready."""
    for _ in range(count):
        await asyncio.sleep(0)


async def begun(started):
    """Wait until a task says that it runs, and let the loop go on meanwhile."""
    await asyncio.to_thread(started.get, timeout=60)


async def collect(results):
    return [result async for result in results]


async def start(*coroutines):
    """Make tasks, and return them once each waits."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    await turns()
    return tasks


def desk(kind=GETTER):
    """Return the seat of the running loop."""
    return awaiting._desks[id(asyncio.get_running_loop()), kind]


def queued(queue, kind=GETTER):
    """Return how many coroutines of the running loop wait in a queue's line."""
    line = desk(kind).lines.get(queue.id)
    return 0 if line is None else len(line.waiting)


def ring_now(kind=GETTER):
    """Do at once what the loop does when it finds that the bell has rung: who is woken has not run yet."""
    desk(kind).on_ring()


@contextmanager
def only_the_loop_is_found(queue, kind=GETTER):
    """Have no byte but the running loop's found meanwhile, as if its seat were the lowest."""
    memory, own = queue._slot.region.memory, queue._slot.first + desk(kind).number
    others = [n for n in range(queue._slot.first, queue._slot.end) if memory[n] == kind[0] and n != own]
    for place in others:
        memory[place] = 0
    yield
    for place in others:
        memory[place] = kind[0]
