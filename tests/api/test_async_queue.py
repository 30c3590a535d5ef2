"""Queue's methods for coroutines: between loops of several interpreters, under cancels, with errors, at odd moments."""

from __future__ import annotations

import asyncio
import random
import sys

import awaiting_tasks
import pytest
import tasks
from loops import desk, start, turns
from waiting import GETTER

import interp_api
from interp_api import (
    UNBOUND,
    UNBOUND_ERROR,
    UNBOUND_REMOVE,
    ItemInterpreterDestroyed,
    NotShareableError,
    Queue,
    QueueFull,
    ShutDown,
    create_queue,
)


@pytest.fixture
def interpreters(interpreter):
    """Two interpreters that find `tasks`."""
    other = interp_api.create()
    other.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    yield [interpreter, other]
    other.close()


def test_methods_do_what_the_blocking_ones_do():
    async def main():
        queue = create_queue(2)
        await queue.aput([1])
        await queue.aput(None)
        with pytest.raises(QueueFull):
            queue.put_nowait(3)
        assert [await queue.aget(), await queue.aget()] == [[1], None]
        for _ in range(2):
            queue.task_done()
        await queue.ajoin()
        queue.shutdown()
        for coroutine in (queue.aget(), queue.aput(1)):
            with pytest.raises(ShutDown):
                await coroutine
        await queue.ajoin()

    asyncio.run(main())


@pytest.mark.parametrize("maxsize", [0, 1, 7])
def test_two_loops_of_two_interpreters_there_and_back(maxsize, interpreter, threads):
    there, back = create_queue(maxsize), create_queue(maxsize)
    echoing = threads.submit(interpreter.call, awaiting_tasks.run_echo, there, back)

    async def put_all():
        for number in range(200):
            await there.aput(number)
        await there.ajoin()

    async def main():
        putting = asyncio.create_task(put_all())
        items = [await back.aget() for _ in range(200)]
        await putting
        there.shutdown()
        return items

    assert asyncio.run(main()) == list(range(200))
    echoing.result(timeout=60)


@pytest.mark.stress
@pytest.mark.parametrize("maxsize", [0, 3])
def test_no_item_is_lost_or_doubled_under_random_cancels(maxsize, interpreters, threads, stress):
    """Items of one loop, taken by coroutines of two others that are cancelled at random, beside a thread that gets."""
    count = 2_000 * stress
    queue = create_queue(maxsize)
    getting = [
        threads.submit(interp.call, awaiting_tasks.run_consumers, queue, 3, seed, None)
        for seed, interp in enumerate(interpreters)
    ]
    threaded = threads.submit(tasks.get_until_shut_down, queue)
    awaiting_tasks.run_producers(queue, count // 4, 4, 5)
    queue.shutdown()
    taken = [items for each in getting for items in each.result(timeout=100)] + [threaded.result()]
    assert sorted(item for items in taken for item in items) == list(range(count))
    for items in taken:  # what one coroutine has put arrives in its order, also across cancels
        for first in range(0, count, count // 4):
            own = [item for item in items if first <= item < first + count // 4]
            assert own == sorted(own)


@pytest.mark.stress
def test_cancels_at_every_moment_of_a_get_lose_nothing(stress):
    """One loop; between a put and a cancel it turns from 0 to 9 times."""

    async def main():
        queue, taken, rng = create_queue(), [], random.Random(7)

        async def take():
            taken.append(await queue.aget())

        for number in range(200 * stress):
            getting = [asyncio.create_task(take()) for _ in range(rng.randrange(1, 4))]
            await turns(rng.randrange(5))
            queue.put(number)
            await turns(number % 10)
            for task in getting:
                task.cancel()
            await asyncio.wait(getting)
            while len(taken) <= number:
                await take()
        assert taken == list(range(200 * stress))
        assert not desk().lines

    asyncio.run(main())


def test_coroutines_and_threads_that_wait_all_get_their_share(threads):
    """Each ends after its share: none waits for ever while items are there, whoever is rung first."""
    queue = create_queue()

    def take_share():
        return [queue.get(timeout=60) for _ in range(20)]

    async def await_share():
        return [await queue.aget() for _ in range(20)]

    async def main():
        threaded = [asyncio.wrap_future(threads.submit(take_share)) for _ in range(3)]
        waiting = await start(*(await_share() for _ in range(3)))
        for number in range(120):
            await queue.aput(number)
            await turns(number % 3)
        shares = await asyncio.gather(*threaded, *waiting)
        assert sorted(item for share in shares for item in share) == list(range(120))
        assert all(share == sorted(share) for share in shares)

    asyncio.run(main())


def test_coroutines_of_one_loop_take_turns():
    async def main():
        queue, order = create_queue(), []

        async def take(name):
            for _ in range(50):
                await queue.aget()
                order.append(name)

        waiting = await start(*(take(name) for name in "abc"))
        for number in range(150):
            queue.put(number)
        await asyncio.gather(*waiting)
        assert order == [*"abc"] * 50

    asyncio.run(main())


def test_timeout_of_the_loop_ends_a_wait_and_takes_nothing():
    async def main():
        queue = create_queue()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await queue.aget()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.aget(), 0.001)
        queue.put(1)
        return await queue.aget()

    assert asyncio.run(main()) == 1


def test_item_whose_interpreter_is_gone_is_what_get_makes_of_it():
    def put_in_another(queue, kind):
        other = interp_api.create()
        other.prepare_main(queue=queue)
        other.exec(f"import interp_api; queue.put('text', unbounditems=interp_api.{kind})")
        other.close()

    async def main():
        queue = create_queue()
        for kind in (UNBOUND, UNBOUND_ERROR, UNBOUND_REMOVE):
            await asyncio.to_thread(put_in_another, queue, repr(kind).partition(".")[2])
        queue.put("last")
        assert await queue.aget() is UNBOUND
        with pytest.raises(ItemInterpreterDestroyed):
            await queue.aget()
        assert await queue.aget() == "last"

    asyncio.run(main())


def test_objects_that_cannot_be_pickled_or_unpickled_are_errors_of_one_call():
    async def main():
        queue = create_queue(1)
        with pytest.raises(NotShareableError, match="cannot send an object of"):
            await queue.aput(tasks.NoPickle())
        first, second = await start(queue.aget(), queue.aget())
        await queue.aput(tasks.NoUnpickle())
        await queue.aput("next")
        with pytest.raises(NotShareableError, match="object could not be unpickled: this one cannot be"):
            await first
        return await second

    assert asyncio.run(main()) == "next"


def test_wrong_kind_of_unbound_item_is_refused():
    with pytest.raises(ValueError, match="unbounditems must be"):
        asyncio.run(create_queue().aput(1, unbounditems="wrong"))


def test_queue_stays_as_long_as_a_coroutine_waits_for_it(interpreter):
    async def main():
        queue = create_queue()
        id = queue.id
        (getting,) = await start(queue.aget())
        del queue
        await asyncio.to_thread(interpreter.call, tasks.put_by_id, id, "item")
        return await getting

    assert asyncio.run(main()) == "item"


def test_readable_descriptor_and_coroutines_share_a_queue():
    async def main():
        queue = create_queue()
        readable = asyncio.Event()
        asyncio.get_running_loop().add_reader(queue.fileno(), readable.set)
        (getting,) = await start(queue.aget())
        queue.put(1)
        await readable.wait()
        asyncio.get_running_loop().remove_reader(queue.fileno())
        return await getting

    assert asyncio.run(main()) == 1


def test_without_a_loop_is_an_error_that_tells_what_to_do():
    getting = create_queue().aget()
    with pytest.raises(RuntimeError, match=r"no event loop runs here: .* or use get\(\) and put\(\)"):
        getting.send(None)


class Blind(asyncio.SelectorEventLoop):
    """Cannot watch descriptors, as the default loop on Windows."""

    def add_reader(self, *args):
        raise NotImplementedError


def test_loop_that_cannot_watch_is_an_error_at_the_first_call():
    queue = create_queue()
    queue.put(1)
    with pytest.raises(
        RuntimeError, match=r"which has no add_reader\(\); await asyncio.to_thread\(queue.get\) instead"
    ):
        asyncio.run(queue.aget(), loop_factory=Blind)
    assert queue.get() == 1


def test_eager_tasks_and_debug_mode():
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        queue = create_queue()
        getting = asyncio.create_task(queue.aget())
        await turns()
        queue.put(1)
        return await getting

    assert asyncio.run(main(), debug=True) == 1


def test_nothing_of_a_host_is_imported_by_the_queue(interpreter):
    loaded = interpreter.call(awaiting_tasks.loaded_after_a_queue_was_used)
    assert not loaded & {"asyncio", "trio", "interp_api._wakeup.awaiting", "interp_api._queues.awaiting"}


def test_ids_are_open_to_coroutines(interpreter):
    async def main():
        queue = create_queue()
        (getting,) = await start(Queue(queue.id).aget())
        await asyncio.to_thread(interpreter.call, tasks.put_by_id, queue.id, "item")
        return await getting

    assert asyncio.run(main()) == "item"


def test_getter_of_a_loop_that_blocks_does_not_hold_later_items_back(threads):
    """It has been rung and cannot look; what is put next rings the thread beside it."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        queue.put("first")
        memory, own = queue._slot.region.memory, queue._slot.first + desk().number
        assert memory[own] != GETTER[0]  # it was rung, and this loop does not turn
        threaded = threads.submit(queue.get, timeout=60)
        assert threaded.result() == "first"
        threaded = threads.submit(queue.get, timeout=60)
        queue.put("second")
        assert threaded.result() == "second"
        queue.put("third")
        return await getting

    assert asyncio.run(main()) == "third"


@pytest.mark.programs
@pytest.mark.skipif(sys.platform == "win32", reason="no fork here")
def test_forked_child_has_loops_of_its_own(run_script):
    ended = run_script("""
import asyncio, os, warnings
from interp_api import create_queue
warnings.simplefilter("ignore")

async def take(queue, puts):
    getting = asyncio.create_task(queue.aget())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for item in puts:
        queue.put(item)
    return await getting

async def main():
    getting = asyncio.create_task(queue.aget())
    for _ in range(5):
        await asyncio.sleep(0)
    pid = os.fork()
    if not pid:
        asyncio.events._set_running_loop(None)
        try:
            print("child", asyncio.run(take(queue, [1])), flush=True)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    print(getting.done())
    queue.put(2)
    print("parent", await getting)

queue = create_queue()
asyncio.run(main())
""")
    assert (ended.status, ended.out, ended.err) == (0, "child 1\nFalse\nparent 2\n", "")


@pytest.mark.programs
def test_program_may_end_while_coroutines_wait(run_script):
    ended = run_script("""
import asyncio
from interp_api import create_queue

async def main():
    task = asyncio.create_task(create_queue().aget())
    await asyncio.sleep(0)

asyncio.run(main())
loop = asyncio.new_event_loop()
task = loop.create_task(create_queue().aget())
task._log_destroy_pending = False
loop.call_soon(loop.stop)
loop.run_forever()
print("end")
""")
    assert (ended.status, ended.out) == (0, "end\n"), ended
