"""Functions that are sent to workers and submit tasks to the pool that runs them."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, as_completed, wait

import tasks

from interp_pool import TaskInterrupted, current_executor


def fib(number):
    if number < 2:
        return number
    executor = current_executor()
    left, right = executor.submit(fib, number - 1), executor.submit(fib, number - 2)
    return left.result() + right.result()


def quicksort(items):
    if len(items) < 8:
        return sorted(items)
    pivot = items[len(items) // 2]
    executor = current_executor()
    low = executor.submit(quicksort, [item for item in items if item < pivot])
    high = executor.submit(quicksort, [item for item in items if item > pivot])
    return low.result() + [item for item in items if item == pivot] + high.result()


def count_files(path):
    """Count what is below a directory, each directory in a task of its own."""
    executor = current_executor()
    files, futures = 0, []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                futures.append(executor.submit(count_files, entry.path))
            else:
                files += 1
    return files + sum(future.result() for future in futures)


def add_up(count):
    """Submit so many tasks, then ask for all results, the first ones first."""
    executor = current_executor()
    futures = [executor.submit(tasks.identity, number) for number in range(count)]
    return sum(future.result() for future in futures)


def add_up_as_completed(count):
    executor = current_executor()
    return sum(future.result() for future in as_completed(executor.submit(tasks.identity, n) for n in range(count)))


def wait_for_some(count):
    """Return how many were done after a wait for the first, and after one for all."""
    executor = current_executor()
    futures = [executor.submit(tasks.identity, number) for number in range(count)]
    first = wait(futures, return_when=FIRST_COMPLETED)
    rest = wait(futures)
    return len(first.done) > 0, len(rest.done), len(rest.not_done)


def map_squares(count, **arguments):
    return list(current_executor().map(square, range(count), **arguments))


def square(number):
    return number * number


def take_two_of_map(started):
    """Take two results of a map of tasks, and drop it; return how many have begun."""
    executor = current_executor()
    results = executor.map(tasks.put_and_return, [started] * 50, range(50))
    taken = [next(results), next(results)]
    results.close()
    return taken, started.qsize()


def chain(depth):
    """Submit one task that submits one, and so on."""
    return 0 if depth == 0 else 1 + current_executor().submit(chain, depth - 1).result()


def call(function, *args):
    """Return what a task of this task returns."""
    return current_executor().submit(function, *args).result()


def call_with(options, function, *args):
    return current_executor().options(**options).submit(function, *args).result()


def error_of(function, *args):
    """Return what a task of this task raises: its type, its text, and the text of its cause."""
    error = current_executor().submit(function, *args).exception()
    return type(error).__name__, str(error), str(error.__cause__)


def error_of_call_with(options, function, *args):
    error = current_executor().options(**options).submit(function, *args).exception()
    return type(error).__name__, str(error)


def call_catching(function, *args):
    """Return the name of the exception that waiting for a task of this task raises here."""
    try:
        current_executor().submit(function, *args).result()
    except BaseException as exc:
        return type(exc).__name__
    return "none"


def spin_below(started, ended):
    """Have a task of this task spin."""
    return current_executor().submit(spin_and_tell, started, ended).result()


def spin_and_tell(started, ended):
    try:
        tasks.spin(started)
    finally:
        ended.put("child")


def spin_below_and_tell(started, ended):
    try:
        spin_below(started, ended)
    finally:
        ended.put("parent")


def hold_below_elsewhere(started, gate, is_held):
    """Wait for a task of another worker, once that has begun with it."""
    future = current_executor().submit(tasks.hold, started, gate)
    is_held.get(timeout=60)
    return future.result()


def cancel_unsent():
    executor = current_executor()
    futures = [executor.submit(tasks.identity, number) for number in range(100)]
    return futures[-1].cancel(), futures[-1].cancelled(), [each.result() for each in futures[:-1]] == list(range(99))


def cancel_sent():
    """Cancel a task that the pool has, and no worker."""
    future = current_executor().options(priority=1).submit(tasks.identity, 1)
    return future.cancel(), future.cancelled(), call_catching_result(future)


def call_catching_result(future):
    try:
        future.result()
    except CancelledError:
        return "cancelled"
    return "done"


def interrupt_child(started, is_held):
    """Interrupt a task that runs in another worker."""
    future = current_executor().submit(tasks.spin, started)
    is_held.get(timeout=60)
    was_stopped = future.interrupt(60.0)
    return was_stopped, type(future.exception()).__name__


def interrupt_in_place(options, started):
    """Interrupt a task, in a thread, while this one runs it; return what that says, and how the task ends."""
    future, said = current_executor().options(**options).submit(spin_or_return, started), []
    stop = threading.Event()
    _stops.append(stop)

    def interrupt():
        started.get(timeout=60)
        try:
            said.append(future.interrupt(60.0))
        except RuntimeError as exc:
            said.append(str(exc))
        stop.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    error = future.exception()
    thread.join()
    return said[0], type(error).__name__


_stops = []


def spin_or_return(started):
    """Run Python code until somebody in this interpreter says so."""
    stop = _stops.pop()
    started.put(None)
    while not stop.is_set():
        pass


def leave(started, gate, count):
    """Submit tasks and end without waiting."""
    executor = current_executor()
    for _ in range(count):
        executor.submit(tasks.put_and_return, gate, "left")
    started.put(None)


kept = []


def keep_executor():
    kept.append(current_executor())
    kept.append(kept[0].submit(tasks.identity, 3))


def use_kept():
    executor, future = kept
    kept.clear()
    errors = []
    for step in (lambda: executor.submit(abs, -1), lambda: future.result(10)):
        try:
            errors.append(str(step()))
        except RuntimeError as exc:
            errors.append(str(exc))
    return errors


def use_executor():
    current_executor()


def in_thread(function, *args):
    """Call a function in a thread of this task's."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    executor = current_executor()  # the thread has it, too
    thread.start()
    thread.join()
    del executor
    return results[0]


def add_up_by_asyncio(count):
    async def main():
        loop = asyncio.get_running_loop()
        executor = current_executor()
        return sum(await asyncio.gather(*(loop.run_in_executor(executor, tasks.identity, n) for n in range(count))))

    return asyncio.run(main())


def shut_down_inside(count):
    with current_executor() as executor:
        futures = [executor.submit(tasks.identity, number) for number in range(count)]
    try:
        executor.submit(abs, -1)
    except RuntimeError as exc:
        return all(future.done() for future in futures), str(exc)
    return None


def swallow_interrupt(started, gate, is_held):
    """Wait for a task of another worker, be interrupted, and wait for another one all the same."""
    executor = current_executor()
    future = executor.submit(tasks.hold, started, gate)
    is_held.get(timeout=60)
    try:
        future.result()
    except TaskInterrupted:
        return executor.submit(tasks.add, 1, 2).result()
    return "no interrupt"


def share_view(view):
    """Send a memoryview to a task of this task, which writes to it; return what is here then."""
    current_executor().submit(tasks.fill, view, 7).result()
    return bytes(view)


def timed_fib(number, seconds):
    executor = current_executor().options(timeout=seconds)
    if number < 2:
        return number
    left, right = executor.submit(timed_fib, number - 1, seconds), executor.submit(timed_fib, number - 2, seconds)
    return left.result() + right.result()


def make_error_that_cannot_be_pickled():
    class Local(Exception):
        pass

    raise Local("local")


def error_of_local():
    return error_of(threading.Thread(target=print).run)


def spin_two_below_and_tell(started, ended):
    try:
        return call(spin_below, started, ended)
    finally:
        ended.put("parent")


def spin_elsewhere(started, ended, is_held):
    """Wait for a task that spins in another worker."""
    future = current_executor().submit(spin_and_tell, started, ended)
    is_held.get(timeout=60)
    return future.result()


def have_one_spin_on_top(started, ended, gate, began):
    """Wait for a task of another worker, which waits for one that runs on top of this."""
    future = current_executor().submit(wait_for_one_that_spins, started, ended, gate, began)
    gate.get(timeout=60)
    return future.result()


def wait_for_one_that_spins(started, ended, gate, began):
    future = current_executor().submit(spin_and_tell, began, ended)
    gate.put(None)
    began.get(timeout=60)  # so another worker has it
    started.put(None)
    return future.result()


def spin_until(started, queue):
    """Run Python code until something is in a queue; return that."""
    started.put(None)
    while not queue.qsize():
        pass
    return queue.get()


def wait_for_cancelled(started, gate):
    executor = current_executor()
    futures = [executor.options(priority=1).submit(tasks.identity, number) for number in range(20)]
    started.put(None)
    gate.get(timeout=60)
    return call_catching_result(futures[-1])


def hold_then_fib(started, gate, number):
    tasks.hold(started, gate)
    return fib(number)


def lose_worker(started):
    """End in a way that the worker cannot tell of."""
    started.put(None)
    tasks.damage_worker("modules")
    raise ValueError("nobody hears of it")


def lose_child(started, is_held):
    """Have a task of this task damage the worker that runs it, which is another one."""
    future = current_executor().submit(lose_worker, started)
    is_held.get(timeout=60)
    error = future.exception()
    return type(error).__name__, str(error)


def lose_parent(started, ended, is_held):
    current_executor().submit(spin_and_tell, started, ended)
    is_held.get(timeout=60)
    lose_worker(started)


def wait_in_callback():
    """Return what a callback got that has waited for another task, in a thread that cannot run tasks."""
    executor, got = current_executor(), queue.SimpleQueue()
    future = executor.submit(tasks.identity, 1)
    future.add_done_callback(lambda _: got.put(executor.submit(tasks.identity, 2).result()))
    return got.get(timeout=60)


def fib_in_pool(number):
    """Do so in a pool of this task's own, in workers of its own."""
    from interp_pool import InterpreterPoolExecutor

    with InterpreterPoolExecutor(2) as executor:
        return executor.submit(fib, number).result()


class Refusing:
    """What no worker can unpickle, and the program can."""

    def __reduce__(self):
        return __import__, ("_curses",)


def call_refused():
    return current_executor().submit(bool, Refusing()).result()
