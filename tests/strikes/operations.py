"""The public operations that are struck. Each prepares something up to its `yield`, and is struck in what follows."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from concurrent.futures import as_completed, wait

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor, QueueFull
from interp_pool._pool import renewal
from strikes.worlds import InterpreterWorld, PoolWorld, QueueWorld

OPERATIONS = {}


def operation(make, **options):
    """Note an operation and the world it happens in."""

    def note(function):
        OPERATIONS[function.__name__] = (function, make, options)
        return function

    return note


@operation(PoolWorld)
def submit(world):
    yield
    for _ in range(3):
        world.futures.append(world.executor.submit(abs, -1))


@operation(PoolWorld)
def submit_until_the_window_is_full(world):
    yield
    for _ in range(12):
        world.futures.append(world.executor.submit(abs, -1))


@operation(PoolWorld)
def submit_beside_many_queues(world):
    others = [interp_api.create_queue() for _ in range(20)]
    world.executor._pool._intake._renewal._looked_at = -renewal.SPACING
    yield
    world.futures.append(world.executor.submit(abs, -1))
    del others


@operation(PoolWorld, is_new=True)
def first_submit(world):
    yield
    world.futures.append(world.executor.submit(abs, -1))


@operation(PoolWorld, is_shared=True)
def submit_to_shared_pool(world):
    yield
    world.futures.append(world.executor.submit(abs, -1))


@operation(PoolWorld, max_backlog=2)
def submit_with_limit(world):
    yield
    for _ in range(6):
        world.futures.append(world.executor.submit(abs, -1))


@operation(PoolWorld)
def run_under_asyncio(world):
    """The loop lodges with the pool, once the manager sleeps."""
    loop = _new_loop()
    loop.run_until_complete(_run(world, 3))
    yield
    try:
        loop.run_until_complete(_run(world, 3))
    finally:
        _close(loop)


def _new_loop():
    """Return a loop that does not only log what strikes a callback."""

    def raise_again(context):
        if "exception" in context:
            raise context["exception"]

    loop = asyncio.new_event_loop()
    loop.call_exception_handler = raise_again
    return loop


def _close(loop):
    """Close a loop that a strike may have left running."""
    loop._thread_id = None
    asyncio._set_running_loop(None)
    loop.close()


async def _run(world, count):
    for _ in range(count):
        assert await world.executor.run(abs, -1) == 1


@operation(PoolWorld)
def amap_under_asyncio(world):
    loop = _new_loop()
    yield
    try:
        assert loop.run_until_complete(_amap(world)) == [*range(20)]
    finally:
        _close(loop)


async def _amap(world):
    return [each async for each in world.executor.amap(abs, range(20))]


if importlib.util.find_spec("trio"):

    @operation(PoolWorld)
    def run_under_trio(world):
        _run_trio(_run, world, 1)
        yield
        _run_trio(_run, world, 3)

    @operation(PoolWorld)
    def amap_under_trio(world):
        _run_trio(_run, world, 1)
        yield
        assert _run_trio(_amap, world) == [*range(20)]

    def _run_trio(function, *args):
        import trio

        try:
            return trio.run(function, *args)
        except trio.TrioInternalError as exc:  # what strikes a callback of Trio's loop ends its run so
            error = exc.__cause__
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None


@operation(PoolWorld)
def result(world):
    world.submit()
    yield
    assert world.futures[-1].result() == 1


@operation(PoolWorld)
def result_with_timeout(world):
    world.submit()
    yield
    assert world.futures[-1].result(timeout=30) == 1


@operation(PoolWorld)
def result_that_is_late(world):
    world.submit(time.sleep, 0.003)
    yield
    try:
        world.futures[-1].result(timeout=0.001)
    except TimeoutError:
        pass


@operation(PoolWorld)
def exception(world):
    world.submit()
    yield
    assert world.futures[-1].exception() is None


@operation(PoolWorld)
def wait_for_futures(world):
    world.submit(count=3)
    yield
    assert not wait(world.futures[-3:], 30).not_done


@operation(PoolWorld)
def as_completed_futures(world):
    world.submit(count=3)
    yield
    assert len([*as_completed(world.futures[-3:], 30)]) == 3


@operation(PoolWorld)
def add_done_callback(world):
    world.submit()
    yield
    world.futures[-1].add_done_callback(id)


@operation(PoolWorld)
def map_all(world):
    yield
    assert [*world.executor.map(abs, range(6))] == [*range(6)]


@operation(PoolWorld)
def map_in_chunks(world):
    yield
    assert [*world.executor.map(abs, range(6), chunksize=2, buffersize=4)] == [*range(6)]


@operation(PoolWorld)
def map_that_is_closed(world):
    yield
    results = world.executor.map(abs, range(20), chunksize=1)
    assert next(results) == 0
    results.close()


@operation(PoolWorld, is_shared=True)
def map_on_shared_pool(world):
    yield
    assert [*world.executor.map(abs, range(6))] == [*range(6)]


@operation(PoolWorld)
def cancel(world):
    world.submit(count=8)
    yield
    for future in world.futures[-8:]:
        future.cancel()


@operation(PoolWorld)
def interrupt(world):
    world.submit(time.sleep, 0)
    yield
    world.futures[-1].interrupt()


@operation(PoolWorld)
def interrupt_what_runs(world):
    world.submit(time.sleep, 0.002)
    yield
    world.futures[-1].interrupt(timeout=1.0)


@operation(PoolWorld)
def options(world):
    yield
    world.futures.append(world.executor.options(timeout=20.0, priority=1).submit(abs, -1))
    world.futures[-1].result()


@operation(PoolWorld)
def where(world):
    world.submit(time.sleep, 0.001)
    yield
    world.futures[-1].where(timeout=0.01)


@operation(PoolWorld)
def statistics(world):
    yield
    world.executor.statistics()
    repr(world.executor)


@operation(PoolWorld, most=3)
def resize(world):
    yield
    for most in (1, 3, 2):
        world.executor.resize(most)


@operation(PoolWorld, is_shared=True)
def lease(world):
    yield
    with world.pool.lease() as interpreter:
        interpreter.call(abs, -1)


@operation(PoolWorld, is_ended=True)
def shutdown(world):
    world.submit(count=12)
    yield
    world.executor.shutdown()


@operation(PoolWorld, is_ended=True)
def shutdown_without_waiting(world):
    world.submit(count=12)
    yield
    world.executor.shutdown(wait=False)


@operation(PoolWorld, is_ended=True)
def shutdown_that_cancels(world):
    world.submit(count=40)
    yield
    world.executor.shutdown(cancel_futures=True)


@operation(PoolWorld, is_ended=True)
def shutdown_that_cancels_without_waiting(world):
    world.submit(count=40)
    yield
    world.executor.shutdown(wait=False, cancel_futures=True)


@operation(PoolWorld, is_shared=True, is_ended=True)
def shutdown_of_one_that_shares(world):
    world.submit(count=12)
    yield
    world.executor.shutdown()


@operation(PoolWorld, is_shared=True, is_ended=True)
def shutdown_of_one_that_shares_and_cancels(world):
    world.submit(count=40)
    yield
    world.executor.shutdown(cancel_futures=True)


@operation(PoolWorld, is_shared=True, is_ended=True)
def shutdown_of_shared_pool(world):
    world.submit(count=12)
    yield
    world.pool.shutdown(cancel_futures=True)


@operation(PoolWorld, is_ended=True)
def leave_the_block(world):
    with world.executor:
        world.submit(count=4)
        yield


@operation(PoolWorld)
def make_executor(world):
    yield
    with InterpreterPoolExecutor(1) as another:
        world.futures.append(another.submit(abs, -1))


@operation(PoolWorld, is_shared=True)
def make_pool(world):
    yield
    InterpreterPool(1, min_workers=1).shutdown()


@operation(PoolWorld, max_backlog=1, when_full="raise")
def submit_that_is_refused(world):
    yield
    for _ in range(6):
        try:
            world.futures.append(world.executor.submit(abs, -1))
        except QueueFull:
            pass


@operation(InterpreterWorld, is_new=False)
def create(world):
    yield
    world.interpreter = interp_api.create()


@operation(InterpreterWorld)
def call(world):
    yield
    assert world.interpreter.call(abs, -2) == 2


@operation(InterpreterWorld)
def exec_code(world):
    yield
    world.interpreter.exec("x = 1")


@operation(InterpreterWorld)
def prepare_main(world):
    yield
    world.interpreter.prepare_main(x=1)


@operation(InterpreterWorld)
def close(world):
    yield
    world.interpreter.close()


@operation(QueueWorld, is_new=True)
def create_queue(world):
    yield
    world.queue = interp_api.create_queue(3)


@operation(QueueWorld)
def put(world):
    yield
    for _ in range(2):
        world.queue.put(1)


@operation(QueueWorld, maxsize=3)
def put_bounded(world):
    yield
    for _ in range(2):
        world.queue.put(1)


@operation(QueueWorld, maxsize=3)
def put_when_full(world):
    world.fill(3)
    yield
    try:
        world.queue.put(1, timeout=0.0005)
    except interp_api.QueueFull:
        pass


@operation(QueueWorld)
def get(world):
    world.fill(3)
    yield
    for _ in range(2):
        world.queue.get()


@operation(QueueWorld, maxsize=3)
def get_bounded(world):
    world.fill(3)
    yield
    for _ in range(2):
        world.queue.get()


@operation(QueueWorld)
def get_when_empty(world):
    yield
    try:
        world.queue.get(timeout=0.0005)
    except interp_api.QueueEmpty:
        pass


@operation(QueueWorld, maxsize=3)
def task_done(world):
    world.fill(3)
    for _ in range(3):
        world.queue.get()
    yield
    world.done_at_most = 2
    for _ in range(2):
        world.queue.task_done()


@operation(QueueWorld)
def join(world):
    yield
    world.queue.join()


@operation(QueueWorld, maxsize=3, is_ended=True)
def shutdown_queue(world):
    world.fill(2)
    yield
    world.queue.shutdown()


@operation(QueueWorld, is_ended=True)
def shutdown_queue_immediately(world):
    world.fill(2)
    yield
    world.queue.shutdown(immediate=True)
