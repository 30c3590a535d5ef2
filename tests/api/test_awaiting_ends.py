"""Coroutines at a queue when something ends under them: struck anywhere, an interpreter closed, a queue destroyed."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

import pytest
from loops import desk, only_the_loop_is_found, run, start, turns
from struck import Struck
from waiting import GETTER, PUTTER, sleepers, wait_for_sleeper

import interp_api
from interp_api import QueueNotFoundError, create_queue
from interp_api._runtime.cpython import queue_destroy
from interp_api._wakeup import awaiting
from interp_api._wakeup.awaiting import Desk, Line
from interp_api._wakeup.seats import Seat

FILES = {str(Path(awaiting.__file__).with_name(name)) for name in ("awaiting.py", "loops.py")}


class Strikes:
    """Raises at a number of the points of this protocol where CPython runs signal handlers, counted from 0."""

    TOOL = sys.monitoring.OPTIMIZER_ID  # of which there is none; what watches for the exit may have one of the others

    def __init__(self, numbers):
        self._numbers = {*numbers}
        self.count, self.at = 0, []

    def __enter__(self):
        events, here = sys.monitoring.events, self._reach
        sys.monitoring.use_tool_id(self.TOOL, "strikes")
        for event, callback in {
            events.PY_START: here,
            events.PY_RESUME: here,
            events.CALL: lambda *_: None,
            events.C_RETURN: here,
            events.JUMP: lambda code, offset, target: here(code, offset) if target < offset else None,
        }.items():
            sys.monitoring.register_callback(self.TOOL, event, callback)
        sys.monitoring.set_events(self.TOOL, events.PY_START | events.PY_RESUME | events.CALL | events.JUMP)

    def __exit__(self, *_):
        sys.monitoring.set_events(self.TOOL, 0)
        sys.monitoring.free_tool_id(self.TOOL)

    def _reach(self, code, offset, *_):
        if code.co_filename not in FILES:
            return
        self.count += 1
        if self.count - 1 in self._numbers:
            self.at.append((code.co_qualname, offset))
            raise Struck


async def get_under_strikes(numbers):
    """Have two coroutines get, one of them cancelled at first; return how many points there were."""
    queue, strikes = create_queue(), Strikes(numbers)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    with strikes:
        tasks = await start(queue.aget(), queue.aget(), queue.aget())
        queue.put("first")
        tasks[0].cancel()
        await turns()
    for number in range(4):
        if all(task.done() for task in tasks):
            break
        queue.put(number)
        await turns()
    assert all(task.done() for task in tasks), f"struck at {numbers}: {strikes.at} {tasks}"
    assert {type(task.exception()) for task in tasks if not task.cancelled()} <= {Struck, type(None)}
    assert sleepers(queue) == 0
    assert not any(desk.lines for desk in awaiting._desks.values())
    return strikes.count


async def put_under_strikes(numbers):
    """Likewise, for a queue with a bound."""
    queue, strikes = create_queue(1), Strikes(numbers)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    queue.put("full")
    with strikes:
        tasks = await start(queue.aput(1), queue.aput(2), queue.aput(3))
        queue.get()
        tasks[0].cancel()
        await turns()
    while not queue.empty():
        queue.get()
        await turns()
    assert all(task.done() for task in tasks), f"struck at {numbers}: {strikes.at} {tasks}"
    assert sleepers(queue, PUTTER) == 0
    queue.put_nowait("room")
    return strikes.count


@pytest.mark.parametrize("scenario", [get_under_strikes, put_under_strikes])
@pytest.mark.parametrize("distance", [None, 1, 3])
def test_exception_at_any_point_leaves_nobody_waiting(scenario, distance):
    """And at another one soon after."""
    count = asyncio.run(scenario(()))
    assert count > 60
    for number in range(count):
        asyncio.run(scenario((number,) if distance is None else (number, number + distance)))
    gc.collect()


def test_interpreter_that_is_closed_under_its_loop_is_no_sleeper(interpreter):
    """Nobody may ring its bell, whose descriptor can be somebody's file by then."""
    queue = create_queue()
    other = interp_api.create()
    other.prepare_main(queue=queue)
    other.exec(
        "import asyncio\n"
        "loop = asyncio.new_event_loop()\n"
        "task = loop.create_task(queue.aget())\n"
        "task._log_destroy_pending = False\n"
        "loop.call_later(0.001, loop.stop)\n"
        "loop.run_forever()\n"
    )
    assert sleepers(queue) == 1
    other.close()
    assert sleepers(queue) == 0
    queue.put("item")
    assert queue.get() == "item"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # whoever holds it cannot release it
def test_queue_that_is_destroyed_is_an_error_for_who_comes_and_can_be_left_by_who_waits():
    """As CPython's own tests do; `interp_api` itself destroys no queue that somebody holds."""

    async def main():
        queue = create_queue()
        waiting = await start(queue.aget(), queue.aget(), queue.aget())
        queue_destroy(queue.id)
        waiting[1].cancel()
        await turns()
        assert waiting[1].cancelled()
        errors = await asyncio.gather(waiting[0], waiting[2], return_exceptions=True)
        assert [type(each) for each in errors] == [QueueNotFoundError] * 2
        for coroutine in (queue.aget(), queue.aput(1), queue.ajoin()):
            with pytest.raises(QueueNotFoundError):
                await coroutine
        assert not desk(GETTER).lines

    asyncio.run(main())


def test_loop_that_is_over_leaves_no_seat_and_another_has_its_own():
    async def main():
        (getting,) = await start(create_queue().aget())
        getting.cancel()
        return desk().number

    assert run(main()) == run(main())
    assert not len(awaiting._desks)


def test_loop_that_was_closed_under_its_coroutines_passes_its_ring_on(thread):
    """1. A ring for the loop, which is closed. 2. L2: nobody in this line will ever look. 3. L4 rings the thread."""
    queue = create_queue()
    loop = asyncio.new_event_loop()
    getting = [loop.create_task(queue.aget()) for _ in range(2)]
    loop.run_until_complete(turns())
    threaded = thread.submit(queue.get, timeout=20)
    wait_for_sleeper(queue, count=2)

    async def put():
        with only_the_loop_is_found(queue):
            queue.put("item")
        loop.stop()  # before it looks at the bell

    loop.run_until_complete(put())
    loop.close()
    for task in getting:
        task._log_destroy_pending = False
        task.get_coro().close()
        assert threaded.result() == "item"
    assert sleepers(queue) == 0


class Still:
    """A loop that does not watch."""

    loop = None

    def watch(self, reader, call):
        self.reader = reader


def test_desk_that_goes_is_no_sleeper_when_its_bell_is_closed():
    """Who finds the byte rings, and the descriptor may be somebody's file by then."""
    queue, loop, seen = create_queue(), Still(), []
    desk = Desk(loop, GETTER)
    line = desk.line(queue._slot, queue._store.may_take)
    line.waiting["me"] = None
    line.arm()
    assert sleepers(queue) == 1

    def close(reader):
        seen.append((reader, sleepers(queue)))
        os.close(reader)

    assert Seat.__del__.__defaults__[0] is os.close
    defaults = Seat.__del__.__defaults__
    try:
        Seat.__del__.__defaults__ = (close, *defaults[1:])
        del desk, line
        gc.collect()
    finally:
        Seat.__del__.__defaults__ = defaults
    assert seen[0] == (loop.reader, 0)


def test_struck_bell_rings_once_more(monkeypatch):
    """1. B1. 2. An exception of a signal handler. 3. The bell rings again, and the next turn of the loop does B2."""

    async def main():
        queue = create_queue()
        (getting,) = await start(queue.aget())
        queue.put("item")
        with monkeypatch.context() as patched:
            patched.setattr(Desk, "_wake_rung", strike)
            with pytest.raises(Struck):
                desk().on_ring()
        return await getting

    assert run(main()) == "item"


def strike(*args):
    raise Struck


def test_struck_coroutine_leaves_the_line_although_it_is_struck_again(monkeypatch):
    async def main():
        queue = create_queue()
        first, second = await start(queue.aget(), queue.aget())
        leave, strikes = Line.leave, [None, None]

        def struck_leave(self, me):
            if strikes:
                strikes.pop()
                raise asyncio.CancelledError  # which a task bears, unlike others of its kind
            leave(self, me)

        monkeypatch.setattr(Line, "leave", struck_leave)
        queue.put(1)
        queue.put(2)
        assert await asyncio.gather(first, second, return_exceptions=True) != [1, 2]
        assert not desk().lines

    run(main())
