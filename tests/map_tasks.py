"""Functions and classes that the tests of map send to workers."""

from __future__ import annotations

import builtins
import time


def wait_if_none(queue, item):
    """Return an item; None is one that takes something out of a queue first."""
    if item is None:
        queue.get()
    return item


class RaisesWhenPickled:
    """Whose pickling raises an exception of some kind."""

    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        raise self.kind("while it was pickled")


class RaisesWhenUnpickled:
    """Whose unpickling raises an exception of some built-in kind."""

    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        return raise_it, (self.kind.__name__,)


def raise_it(name):
    raise getattr(builtins, name)("while it was unpickled")


def meet(began, both, item):
    """Return an item; a tuple is two long ones, each of which ends when the other has begun, in another worker."""
    if isinstance(item, tuple):
        began.put(item)
        both.get(timeout=60)
    return item


def run_or_wait(ran, others, how, item):
    """Return an item; None is a long one, which ends when all others have run."""
    if item is None:
        if how == "spin":
            while ran.qsize() < others:
                for _ in range(20_000):
                    pass
        else:
            while ran.qsize() < others:
                time.sleep(0.001)
    else:
        ran.put(item)
    return item


def run_or_raise(ran, others, item):
    if item is None:
        while ran.qsize() < others:
            time.sleep(0.001)
        raise ValueError("from the long one")
    ran.put(item)
    return item


def run_or_break(ran, others, item):
    """Return an item; None waits until all others have run, and has its worker fail."""
    if item is not None:
        ran.put(item)
        return item
    while ran.qsize() < others:
        time.sleep(0.001)
    from tasks import break_loop

    return break_loop()
