"""What tests of coroutines at queues send to other interpreters."""

from __future__ import annotations


def run_echo(there, back):
    """In an event loop of this interpreter: send back what comes, until the queue is shut down."""
    import asyncio

    async def echo():
        async for item in there:
            await back.aput(item)
            there.task_done()

    asyncio.run(echo())


def run_consumers(queue, count, seed, is_done):
    """In an event loop of this interpreter: take items with so many coroutines, any of which may be cancelled.

    Returns:
        A list of what each coroutine took, in order, with those that took its place.
    """
    import asyncio
    import random

    rng = random.Random(seed)
    taken = [[] for _ in range(count)]

    async def take(own):
        async for item in queue:
            own.append(item)
            queue.task_done()
            if is_done is not None and item == is_done:
                queue.shutdown()

    async def consume():
        running = [asyncio.create_task(take(own)) for own in taken]
        while not all(task.done() for task in running):
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            number = rng.randrange(count)
            if not running[number].done():
                running[number].cancel()
                await asyncio.wait([running[number]])
            if running[number].cancelled():
                running[number] = asyncio.create_task(take(taken[number]))
        await asyncio.gather(*running)

    asyncio.run(consume())
    return taken


def run_producers(queue, per_coroutine, count, seed):
    """In an event loop of this interpreter: put numbers with so many coroutines; a cancelled put is made again."""
    import asyncio
    import random

    rng = random.Random(seed)

    async def produce(first):
        for number in range(first, first + per_coroutine):
            while True:
                putting = asyncio.create_task(queue.aput(number))
                for _ in range(rng.randrange(3)):
                    await asyncio.sleep(0)
                if rng.random() < 0.3:
                    putting.cancel()
                await asyncio.wait([putting])
                if not putting.cancelled():
                    putting.result()
                    break

    async def produce_all():
        await asyncio.gather(*(produce(n * per_coroutine) for n in range(count)))

    asyncio.run(produce_all())


def loaded_after_a_queue_was_used():
    import sys

    from interp_api import create_queue

    queue = create_queue(1)
    queue.put(1)
    queue.get()
    return set(sys.modules)
