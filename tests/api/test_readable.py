"""Queue.fileno(): a descriptor that is readable while there is something to get."""

from __future__ import annotations

import asyncio
import select

import pytest
import tasks

from interp_api import QueueEmpty, ShutDown, create_queue


def test_fileno_is_readable_while_something_is_there(interpreter):
    queue = create_queue()
    assert select.select([queue], [], [], 0) == ([], [], [])
    interpreter.call(tasks.put_all, queue, [1, 2])
    assert select.select([queue], [], [], 60)[0] == [queue]
    assert queue.get() == 1
    assert select.select([queue], [], [], 0)[0] == [queue]
    assert queue.get() == 2
    assert select.select([queue], [], [], 0) == ([], [], [])
    assert queue.fileno() == queue.fileno()
    queue.shutdown()
    assert select.select([queue], [], [], 60)[0] == [queue]


def test_fileno_of_a_queue_with_items_is_readable_at_once():
    queue = create_queue()
    queue.put(1)
    assert select.select([queue], [], [], 0)[0] == [queue]


def test_fileno_is_a_hint_when_another_interpreter_was_faster(interpreter):
    queue = create_queue()
    queue.fileno()
    queue.put(1)
    assert interpreter.call(tasks.get_by_id, queue.id) == 1
    assert select.select([queue], [], [], 0)[0] == [queue]
    with pytest.raises(QueueEmpty):
        queue.get_nowait()
    assert select.select([queue], [], [], 0) == ([], [], [])


def test_fileno_serves_an_event_loop(interpreter):
    async def collect(queue):
        loop, items, done = asyncio.get_running_loop(), [], asyncio.Event()

        def on_readable():
            try:
                while True:
                    items.append(queue.get_nowait())
            except ShutDown:
                done.set()
            except QueueEmpty:
                pass

        loop.add_reader(queue.fileno(), on_readable)
        thread = interpreter.call_in_thread(tasks.put_all_and_shut_down, queue, range(10))
        await done.wait()
        loop.remove_reader(queue.fileno())
        thread.join()
        return items

    assert asyncio.run(collect(create_queue())) == list(range(10))
