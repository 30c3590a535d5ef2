"""Context variables, and tasks that look at them."""

from __future__ import annotations

import decimal
import sys
import threading
import time
import warnings
from contextvars import ContextVar, copy_context

from interp_pool import current_executor

user = ContextVar("user", default="nobody")
trace = ContextVar("trace")
made_as_we_go = {}


class Held:
    """Has a variable."""

    number = ContextVar("number", default=0)


class Unpicklable:
    def __reduce__(self):
        raise TypeError("not this one")


class OnlyHere:
    """Cannot be unpickled in a worker."""

    def __reduce__(self):
        return int, ("no number",)


def seen(*_):
    """Return what is set here, and set something else, which nobody is to see."""
    found = user.get(), trace.get(None), Held.number.get()
    user.set("left behind")
    trace.set("left behind")
    return found


def made(key):
    return made_as_we_go[key].get() if key in made_as_we_go else None


def precision(*_):
    found = decimal.getcontext().prec
    decimal.getcontext().prec = 3
    return found


def has_loaded(module):
    return module in sys.modules


def warn(*_):
    warnings.warn("beware", UserWarning, stacklevel=1)
    return "not an error"


def initialize(name):
    user.set(name)
    decimal.getcontext().prec = 50


def fail(*_):
    raise ValueError(user.get())


def stop_iteration():
    raise StopIteration(user.get())


def run_until_stopped(started):
    """Run with filters that are not the worker's own."""
    started.put(user.get())
    while True:
        time.monotonic()


def lose_filters(started):
    """Be as a task is that was struck when it was about to give its worker's filters back."""
    from interp_pool._worker import carried

    carried._own_filters[:] = [warnings.filters]
    warnings.filters = []
    run_until_stopped(started)


def in_threads():
    """Return what threads of a task see: one as it is by default, and one that is given the context."""
    found = []
    copied = copy_context()
    for look in (user.get, lambda: copied.run(user.get)):
        thread = threading.Thread(target=lambda look=look: found.append(look()))
        thread.start()
        thread.join()
    return found


def nest():
    """Return what tasks of a task see, and this one afterwards."""
    user.set("parent")
    executor = current_executor()
    children = [each.submit(seen) for each in (executor, executor.options(timeout=60), executor.options(context=[]))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loud = executor.submit(warn)
    return [each.result() for each in children], type(loud.exception()), user.get()


def nest_map(count):
    return list(current_executor().map(seen, range(count)))


def put_into_trace(item):
    trace.get().put(item)
    return item


def hold(started, release):
    started.put(None)
    release.get(timeout=60)


def wait_for_other(begun, waits, release, function):
    """Wait for a task of this one in another worker, while other tasks run on top of it; return what it then sees."""
    child = current_executor().options(timeout=60).submit(hold, begun, release)
    begun.get(timeout=60)
    waits.put(None)
    child.result()
    return user.get(), function()
