"""The lock of the whole process around the first use of `_ctypes` in an interpreter.

Each interpreter that imports `_ctypes` writes a table of the whole process anew, on CPython 3.14 and 3.15, and an entry
has no type meanwhile: another one then finds that it cannot define a class, or a null pointer. So one worker at a time
imports what needs it. The lock is a queue with one item: who has taken that, holds it.
"""

import sys

from interp_api import SimpleQueue

_shared: "dict[str, SimpleQueue]" = {}


def open_load_lock(id: int) -> SimpleQueue:
    """Inside a worker: open the queue."""
    load_lock = _shared["load_lock"] = SimpleQueue(id)
    return load_lock


def shared_load_lock() -> SimpleQueue:
    """Return the queue, to hand it to a worker."""
    if "load_lock" not in _shared:
        made = SimpleQueue()
        made.put(None)
        _shared.setdefault("load_lock", made)  # another thread may have been faster
    return _shared["load_lock"]


def load_functions(load_lock: SimpleQueue) -> None:
    """Import `_process.thread_state`, one worker of the process at a time."""
    if "interp_pool._process.thread_state" in sys.modules:
        return
    load_lock.get()
    try:
        import interp_pool._process.thread_state  # noqa: F401  # pyright: ignore[reportUnusedImport]  # for the callers
    finally:
        load_lock.put(None)
