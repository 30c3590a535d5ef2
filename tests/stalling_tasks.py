"""Functions that are sent to workers, submit tasks, and wait for them in ways that run none."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from concurrent.futures import as_completed, wait
from contextlib import suppress

import tasks

from interp_api import create_queue
from interp_pool import current_executor, report


def by_thread(function, *args):
    """Wait in a thread of the task's own, which the task joins."""
    future, got = current_executor().submit(function, *args), []
    thread = threading.Thread(target=lambda: got.append(future.result()))
    thread.start()
    thread.join()
    return got[0]


def by_wait_in_a_thread(function, *args):
    """Do so with the standard library's `wait`."""
    future = current_executor().submit(function, *args)
    thread = threading.Thread(target=wait, args=([future],))
    thread.start()
    thread.join()
    return future.result()


def by_lock(function, *args):
    """Wait for a lock that a callback releases."""
    future, lock = current_executor().submit(function, *args), threading.Lock()
    lock.acquire()
    future.add_done_callback(lambda _: lock.release())
    with lock:
        return future.result()


def by_event(function, *args):
    """Wait for an event that a callback sets."""
    future, event = current_executor().submit(function, *args), threading.Event()
    future.add_done_callback(lambda _: event.set())
    event.wait()
    return future.result()


def by_queue(function, *args):
    """Wait for a queue that a callback puts into."""
    future, got = current_executor().submit(function, *args), queue.SimpleQueue()
    future.add_done_callback(lambda done: got.put(done.result()))
    return got.get()


def by_shared_queue(function, *args):
    """Wait for a queue that the other task puts into: nothing here knows of the future."""
    got = create_queue()
    current_executor().submit(put_result, got, function, *args)
    return got.get()


def put_result(got, function, *args):
    got.put(function(*args))


def by_loop(function, *args):
    """Wait in an event loop."""

    async def main():
        return await asyncio.get_running_loop().run_in_executor(current_executor(), function, *args)

    return asyncio.run(main())


def by_wrapped_future(function, *args):
    async def main():
        return await asyncio.wrap_future(current_executor().submit(function, *args))

    return asyncio.run(main())


def by_looking(function, *args):
    """Look whether it is done, again and again."""
    future, event = current_executor().submit(function, *args), threading.Event()
    while not future.done():
        event.wait(0.01)
    return future.result()


def by_asking(function, *args):
    """Ask whether it is done, without a pause."""
    future = current_executor().submit(function, *args)
    while not future.done():
        pass
    return future.result()


def by_asking_in_a_thread(function, *args):
    future = current_executor().submit(function, *args)
    thread = threading.Thread(target=lambda: [None for _ in iter(future.done, True)])
    thread.start()
    thread.join()
    return future.result()


def by_asking_whether_it_runs(function, *args):
    future = current_executor().submit(function, *args)
    while not future.running() and not future.done():
        pass
    while future.running():
        pass
    return future.result()


def by_asking_for_progress(function, *args):
    future = current_executor().submit(report_and_call, function, *args)
    while future.progress() is None:
        pass
    return future.result()


def report_and_call(function, *args):
    report(1, 1)
    return function(*args)


def by_result_at_once(function, *args):
    future = current_executor().submit(function, *args)
    while True:
        try:
            return future.result(timeout=0)
        except TimeoutError:
            pass


def by_exception_at_once(function, *args):
    future = current_executor().submit(function, *args)
    while True:
        try:
            return future.exception(timeout=0) or future.result()
        except TimeoutError:
            pass


def by_wait_at_once(function, *args):
    futures = [current_executor().submit(function, *args)]
    while not wait(futures, timeout=0).done:
        pass
    return futures[0].result()


def by_as_completed_at_once(function, *args):
    futures = [current_executor().submit(function, *args)]
    while True:
        try:
            return next(as_completed(futures, timeout=0)).result()
        except TimeoutError:
            pass


ASKING_WAYS = [
    by_asking,
    by_asking_in_a_thread,
    by_asking_whether_it_runs,
    by_asking_for_progress,
    by_result_at_once,
    by_exception_at_once,
    by_wait_at_once,
    by_as_completed_at_once,
]


def compute_and_ask(rounds):
    """Compute for a while, and look a few times whether a task of this one is done."""
    future = current_executor().submit(abs, -1)
    for _ in range(rounds):
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        future.done()
    return future.result()


def after_a_timed_wait(options, way, started, asked, function, *args):
    """Ask the pool for a task back, and wait in another way when it comes."""
    started.put(None)
    asked.get(timeout=60)
    executor = current_executor()
    future, event = executor.options(**options).submit(function, *args), threading.Event()
    with suppress(TimeoutError):
        future.result(timeout=0.05)
    started.put(None)
    if way == "event":
        future.add_done_callback(lambda _: event.set())
        event.wait()
    else:
        while not future.done():
            event.wait(0.001 if way == "pause" else 0)
    return future.result()


WAYS = [
    by_thread,
    by_wait_in_a_thread,
    by_lock,
    by_event,
    by_queue,
    by_shared_queue,
    by_loop,
    by_wrapped_future,
    by_looking,
]


def hold_with_a_task(started, gate):
    """Have a task wait to be begun while this one waits for something else; return its result, and what came."""
    future = current_executor().submit(tasks.put_and_return, started, "child")
    started.put("parent")
    return future.result() if gate.get(timeout=60) is None else None


def hold_with_a_task_in_c(started, told, wait):
    future = current_executor().submit(tasks.put_and_return, started, "child")
    told()
    wait()
    return future.result()


def wait_a_little_then(way, function, *args):
    """Have the pool asked for a task that it then gives back when nobody looks, and wait for the next one."""
    futures = [current_executor().submit(function, *args) for _ in range(3)]
    wait(futures, timeout=0.0)
    return way(function, *args), [future.result() for future in futures]


def gather(count):
    """Wait for many tasks in an event loop."""

    async def main():
        loop, executor = asyncio.get_running_loop(), current_executor()
        return sum(await asyncio.gather(*(loop.run_in_executor(executor, tasks.identity, n) for n in range(count))))

    return asyncio.run(main())


def chain(depth):
    """Wait for a task that waits for a task, and so on, each in an event loop."""
    return 0 if depth == 0 else 1 + by_loop(chain, depth - 1)


def compute_then_wait(seconds):
    """Have a task wait while this one computes, then ask for its result."""
    future = current_executor().submit(tasks.identity, 1)
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return future.result()
