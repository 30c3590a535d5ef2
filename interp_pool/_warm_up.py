"""Making warm interpreters ahead of need, in the background.

Owns the threads that do so. What becomes of the interpreters then is `_warm`'s: they are like those an executor left.
"""

import os
import threading

import interp_api
from interp_api import InterpreterError
from interp_pool._hooks import is_exiting
from interp_pool._options import DEFAULT_IDLE_TIMEOUT, PoolOptions, check_count
from interp_pool._warm import MOST_IDLE
from interp_pool._worker import prepare, release


def warm_up(count: int | None = None, *, idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT, wait: bool = False) -> None:
    """Make idle interpreters for the next executors, whose first results then take a millisecond.

    A program calls it where it starts, long before it needs workers: what it does meanwhile hides the time, some 15 ms
    of another processor for each interpreter.

    Args:
        count: how many; None means `os.process_cpu_count()`. At most 64 idle interpreters are kept.
        idle_timeout: seconds they are kept while nobody uses them, None for ever. CPython 3.13 keeps them for ever.
        wait: whether to return only when they are there.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of range.
        RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.

    Blocks: with `wait`, until they are there. Without, failures in the background are logged.

    Thread safety: any thread.
    """
    interp_api.check_main_is_not_loading("make interpreters")
    if count is None:
        count = os.process_cpu_count() or 1
    check_count("count", count)
    options = PoolOptions(idle_timeout=idle_timeout)
    thread = threading.Thread(target=_make, args=(min(count, MOST_IDLE), options), name="interp_pool warm-up")
    thread.start()
    if wait:
        thread.join()


def _make(count: int, options: PoolOptions) -> None:
    # One by one: the runtime creates one at a time, and whoever needs the first one now must not share a processor.
    for _ in range(count):
        if is_exiting():
            return
        try:
            interpreter = interp_api.create()
            prepare(interpreter, options, is_initialized=True)
            release(interpreter, options)
        except InterpreterError as exc:
            from logging import getLogger

            getLogger(__name__).warning("cannot make a warm interpreter: %s", exc)
            return
