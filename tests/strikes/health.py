"""What the strike tests know of the packages' insides, all of it: locks that a thread holds, and what a process keeps.

Locks are found by looking, not by name: in everything of the two packages' own that can be reached from their modules.
"""

from __future__ import annotations

import _interpqueues
import _interpreters
import gc
import os
import sys
import threading
import time
from collections import deque
from weakref import WeakValueDictionary

import interp_pool
from interp_api._wakeup.seats import close_spare_bells

OURS = ("interp_api", "interp_pool")
RLOCK = type(threading.RLock())
PATIENCE = 3.0  # seconds for what needs no time


def until(condition, patience=PATIENCE):
    """Wait for something that other threads do; return whether it came."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def locks_held(*roots):
    """Return the reentrant locks of the two packages that this thread holds, each with how it is reached."""
    held, seen = {}, set()
    todo = [(module.__name__, module.__dict__) for name, module in [*sys.modules.items()] if _is_ours(name)]
    todo += [("", root) for root in roots]
    while todo:
        path, thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, RLOCK | threading.Condition):
            lock = getattr(thing, "_lock", thing)
            if isinstance(lock, RLOCK) and lock._is_owned():
                held[id(lock)] = (path, lock)
        elif isinstance(thing, dict):
            todo += [(f"{path}.{key}", value) for key, value in [*thing.items()] if not _is_ours_by_name(value)]
        elif isinstance(thing, list | tuple | set | frozenset | deque):
            todo += [(f"{path}[]", value) for value in [*thing]]
        elif isinstance(thing, WeakValueDictionary):
            todo += [(f"{path}[]", reference()) for reference in thing.valuerefs()]
        elif _is_ours(type(thing).__module__) and not isinstance(thing, type):
            todo += [(f"{path}.{name}", value) for name, value in _attributes(thing)]
    return [*held.values()]


def _is_ours(name):
    return isinstance(name, str) and name.partition(".")[0] in OURS


def _is_ours_by_name(value):
    return isinstance(value, type(sys))  # a module: all of ours are roots


def _attributes(thing):
    found = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                found[name] = object.__getattribute__(thing, name)
            except AttributeError:
                pass
    found.pop("__weakref__", None)
    return found.items()


def low_level_queues():
    return {entry[0] for entry in _interpqueues.list_all()}


def interpreters():
    return {entry[0] for entry in _interpreters.list_all()}


def kept():
    """Count what a process keeps once nobody uses a pool: (interpreters, low-level queues, descriptors)."""
    interp_pool.close_idle()
    if timer := sys.modules.get("interp_pool._process.timer"):
        timer.timer.pause()
    gc.collect()
    close_spare_bells()  # as the next thread does that rings one
    return len(interpreters()), len(low_level_queues()), len(os.listdir("/proc/self/fd"))
