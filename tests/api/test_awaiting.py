"""Coroutines at a queue: each step of the protocol in `_wakeup/README.md` (A, B, L), by forced interleavings."""

from __future__ import annotations

import asyncio
import threading

import pytest
from loops import desk, only_the_loop_is_found, queued, ring_now, run, start, turns
from waiting import JOINER, PUTTER, sleepers, wait_for_sleeper

from interp_api import QueueEmpty, ShutDown, create_queue
from interp_api._wakeup.awaiting import Desk, Line


def before_arming(monkeypatch, *steps):
    """Have something done just before a line's byte is set: nothing at first, then these, one each time."""
    waiting = [*steps]
    arm = Line.arm

    def late(self):
        if waiting and (step := waiting.pop(0)) is not None:
            step()
        arm(self)

    monkeypatch.setattr(Line, "arm", late)


def test_waiting_coroutine_is_rung():
    """A2, A4, B2."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        assert sleepers(queue) == 1
        queue.put("item")
        return await getting

    assert run(main()) == "item"


def test_item_that_came_before_the_byte_was_set_is_found(monkeypatch):
    """1. The first look. 2. An item. 3. A2. 4. A3 finds it."""
    queue = create_queue()
    before_arming(monkeypatch, lambda: queue.put("early"))
    assert run(queue.aget()) == "early"


def test_coroutine_woken_in_vain_is_rung_again():
    """1. A ring. 2. Somebody else takes the item. 3. A5, A6. 4. Another item."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        queue.put("taken")
        assert queue.get() == "taken"
        await turns()
        assert not getting.done()
        assert sleepers(queue) == 1
        queue.put("item")
        return await getting

    assert run(main()) == "item"


def test_item_that_came_while_a_woken_one_had_not_set_the_byte_yet_is_found(monkeypatch):
    """1. A ring, in vain. 2. An item; the byte is 0. 3. A5. 4. A6 finds it."""

    async def main():
        queue = create_queue()
        before_arming(monkeypatch, None, lambda: queue.put("early"))
        (getting,) = await start(queue.aget())
        queue.put("taken")
        queue.get()
        return await getting

    assert run(main()) == "early"


def test_bell_is_read_and_the_loop_sleeps_on(monkeypatch):
    """B1: a bell that still rings would keep the loop awake."""
    rings = []
    on_ring = Desk.on_ring
    monkeypatch.setattr(Desk, "on_ring", lambda self: (rings.append(None), on_ring(self))[1])

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        queue.put("item")
        await getting
        await turns()
        return len(rings)

    assert run(main()) == 1


def test_only_the_line_that_was_rung_is_woken():
    """B2, with one seat for all queues."""

    async def main():
        queues = [create_queue() for _ in range(100)]
        getting = await start(*(queue.aget() for queue in queues))
        assert len({line._position - line._slot.first for line in desk().lines.values()}) == 1
        queues[70].put("item")
        ring_now()
        woken = [queue.id for queue in queues if next(iter(desk().lines[queue.id].waiting.values())).done()]
        assert woken == [queues[70].id]
        await turns()
        assert [task.done() for task in getting] == [queue is queues[70] for queue in queues]
        for queue in queues:
            queue.shutdown()
        await asyncio.wait(getting)
        assert [task.exception() is None for task in getting] == [queue is queues[70] for queue in queues]

    run(main())


def test_one_ring_serves_as_many_as_there_are_items():
    """L2: two items, and one ring, as the byte is 0 at the second."""

    async def main():
        queue = create_queue()
        getting = await start(*(queue.aget() for _ in range(3)))
        queue.put(1)
        queue.put(2)
        await turns()
        assert [task.done() for task in getting] == [True, True, False]
        assert sleepers(queue) == 1
        queue.put(3)
        return await asyncio.gather(*getting)

    assert run(main()) == [1, 2, 3]


def test_woken_one_that_is_cancelled_wakes_the_next():
    """The classic lost wake-up: 1. A ring. 2. B2 wakes the first. 3. It is cancelled before it looks. 4. L2."""

    async def main():
        queue = create_queue()
        first, second = await start(queue.aget(), queue.aget())
        queue.put("item")
        ring_now()
        first.cancel()
        await turns()
        assert first.cancelled()
        return await second

    assert run(main()) == "item"


def test_cancelled_one_sets_the_byte_for_those_that_stay():
    """1. A ring. 2. The first is woken, and cancelled; its item is gone. 3. L2. 4. Another item."""

    async def main():
        queue = create_queue()
        first, second = await start(queue.aget(), queue.aget())
        queue.put("taken")
        ring_now()
        first.cancel()
        assert queue.get() == "taken"
        await turns()
        assert not second.done()
        assert sleepers(queue) == 1
        queue.put("item")
        return await second

    assert run(main()) == "item"


def test_cancelled_one_finds_what_came_before_the_byte_was_set_for_the_others(monkeypatch):
    """1. The first is woken and cancelled, in vain. 2. An item, while the byte is 0. 3. L2 sets it, and looks."""

    async def main():
        queue = create_queue()
        first, second = await start(queue.aget(), queue.aget())
        before_arming(monkeypatch, lambda: queue.put("early"))
        queue.put("taken")
        ring_now()
        first.cancel()
        queue.get()
        return await second

    assert run(main()) == "early"


def test_who_is_cancelled_in_the_middle_of_the_line_is_passed_over():
    """L1."""

    async def main():
        queue = create_queue()
        getting = await start(*(queue.aget() for _ in range(5)))
        for number in (0, 2, 3):
            getting[number].cancel()
        await turns()
        assert queued(queue) == 2
        queue.put(1)
        queue.put(4)
        assert [await getting[1], await getting[4]] == [1, 4]
        assert not desk().lines

    run(main())


def test_woken_one_that_is_cancelled_alone_rings_a_thread(thread):
    """1. A ring for the loop, whose seat is lower. 2. It is cancelled before it looks. 3. L4 rings the thread."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        threaded = thread.submit(queue.get, timeout=20)
        wait_for_sleeper(queue, count=2)
        with only_the_loop_is_found(queue):
            queue.put("item")
        ring_now()
        getting.cancel()
        await turns()
        return await asyncio.wrap_future(threaded)

    assert run(main()) == "item"


def test_item_that_came_just_before_the_last_one_left_rings_a_thread(monkeypatch, thread):
    """1. A cancel. 2. An item: P2 finds the loop's byte. 3. L3. 4. L4 looks, and rings the thread."""
    disarm, steps = Line.disarm, []

    def late(self):
        if steps:
            steps.pop()()
        disarm(self)

    monkeypatch.setattr(Line, "disarm", late)

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        threaded = thread.submit(queue.get, timeout=20)
        wait_for_sleeper(queue, count=2)

        def put():
            with only_the_loop_is_found(queue):
                queue.put("item")

        steps.append(put)
        getting.cancel()
        await turns()
        return await asyncio.wrap_future(threaded)

    assert run(main()) == "item"


def test_who_takes_the_last_place_off_rings_a_thread_if_more_is_there(thread):
    """L4 of one that has found something: both items came with one ring, for the loop."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        queue.put("first")  # the byte is 0 from now on
        threaded = thread.submit(queue.get, timeout=20)
        assert await asyncio.wrap_future(threaded) == "first"
        threaded = thread.submit(queue.get, timeout=20)
        wait_for_sleeper(queue)
        with only_the_loop_is_found(queue):
            queue.put("second")
            queue.put("third")
        return {await getting, await asyncio.wrap_future(threaded)}

    assert run(main()) == {"second", "third"}


def test_line_that_is_empty_is_no_sleeper():
    """L3: a byte that is left behind would swallow the ring for somebody else."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        getting.cancel()
        await turns()
        assert sleepers(queue) == 0
        (getting,) = await start(queue.aget())
        queue.put(1)
        await getting
        assert sleepers(queue) == 0
        assert not desk().lines

    run(main())


def test_shutdown_ends_all_that_wait_also_behind_one_that_finds_an_item():
    """1. An item; the byte is 0. 2. shutdown() finds no byte to ring. 3. The first takes it: L2 tells the rest."""

    async def main():
        queue = create_queue()
        getting = await start(*(queue.aget() for _ in range(4)))
        queue.put("item")
        queue.shutdown()
        assert await getting[0] == "item"
        return [type(each) for each in await asyncio.gather(*getting[1:], return_exceptions=True)]

    assert run(main()) == [ShutDown] * 3


def test_shutdown_ends_putters_and_iteration():
    async def main():
        queue = create_queue(1)

        async def collect():
            return [item async for item in queue]

        (collecting,) = await start(collect())
        queue.put(1)
        await turns()
        queue.put(2)
        queue.shutdown()
        items = await collecting
        full = create_queue(1)
        full.put(1)
        putting = await start(full.aput(2), full.aput(3))
        full.shutdown()
        errors = await asyncio.gather(*putting, return_exceptions=True)
        assert [type(each) for each in errors] == [ShutDown] * 2
        with pytest.raises(ShutDown):
            await full.aput(4)
        return items

    assert run(main()) == [1, 2]


def test_putters_are_served_in_their_order_and_keep_the_bound():
    async def main():
        queue = create_queue(2)
        putting = await start(*(queue.aput(n) for n in range(6)))
        assert [task.done() for task in putting] == [True] * 2 + [False] * 4
        assert (queue.qsize(), queued(queue, PUTTER)) == (2, 4)
        got = [queue.get(), queue.get()]  # one ring for both: L2
        await turns()
        assert queue.qsize() == 2
        for _ in range(4):
            got.append(await queue.aget())
            await turns()
        return got

    assert run(main()) == [0, 1, 2, 3, 4, 5]


def test_woken_putter_that_is_cancelled_wakes_the_next():
    async def main():
        queue = create_queue(1)
        queue.put(0)
        first, second = await start(queue.aput(1), queue.aput(2))
        queue.get()
        ring_now(PUTTER)
        first.cancel()
        await second
        assert first.cancelled()
        return queue.get(), queue._store.counter.unfinished()

    assert run(main()) == (2, 2)


def test_woken_putter_that_is_cancelled_alone_rings_a_thread(thread):
    async def main():
        queue = create_queue(1)
        queue.put(0)
        (putting,) = await start(queue.aput(1))
        threaded = thread.submit(queue.put, 2, timeout=20)
        wait_for_sleeper(queue, PUTTER, 2)
        with only_the_loop_is_found(queue, PUTTER):
            queue.get()
        ring_now(PUTTER)
        putting.cancel()
        await asyncio.wrap_future(threaded)
        return queue.get()

    assert run(main()) == 2


def test_all_that_join_are_woken():
    async def main():
        queue = create_queue()
        queue.put(1)
        joining = await start(queue.ajoin(), queue.ajoin(), queue.ajoin())
        assert queued(queue, JOINER) == 3
        queue.get()
        await turns()
        assert not any(task.done() for task in joining)
        queue.task_done()
        await asyncio.gather(*joining)
        await queue.ajoin()

    run(main())


def test_coroutine_that_would_not_wait_does_not_pass_those_that_do():
    """Who comes while others stand in line goes to its end, although an item is there."""

    async def main():
        queue = create_queue()
        getting = await start(queue.aget(), queue.aget())
        queue.put(1)
        getting += [asyncio.create_task(queue.aget())]
        queue.put(2)
        queue.put(3)
        return await asyncio.gather(*getting)

    assert run(main()) == [1, 2, 3]


def test_queue_that_is_never_empty_lets_the_loop_turn():
    async def main():
        queue, is_over = create_queue(), []

        async def consume():
            while not is_over:
                queue.put("more")
                await queue.aget()

        async def end():
            is_over.append(None)

        await asyncio.gather(consume(), end())

    run(main())


def test_one_descriptor_and_no_thread_for_any_number_of_queues_and_coroutines(monkeypatch):
    made = []
    init = Desk.__init__
    monkeypatch.setattr(Desk, "__init__", lambda self, *args: (made.append(None), init(self, *args))[1])

    async def main():
        queues, threads = [create_queue() for _ in range(50)], threading.active_count()
        getting = await start(*(queue.aget() for queue in queues for _ in range(40)))
        assert threading.active_count() == threads
        for queue in queues:
            for item in range(40):
                queue.put(item)
        assert await asyncio.gather(*getting) == [*range(40)] * 50

    run(main())
    assert len(made) == 1


def test_two_loops_in_two_threads_wait_at_one_queue(thread):
    queue = create_queue()
    other = thread.submit(asyncio.run, queue.aget())
    wait_for_sleeper(queue)

    async def main():
        (getting,) = await start(queue.aget())
        assert sleepers(queue) == 2
        queue.put(1)
        queue.put(2)
        return await getting

    assert {run(main()), other.result(timeout=20)} == {1, 2}


def test_no_item_is_left_behind_by_get_nowait_beside_coroutines():
    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        with pytest.raises(QueueEmpty):
            queue.get_nowait()
        queue.put(None)
        return await getting

    assert run(main()) is None
