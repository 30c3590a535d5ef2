"""The condition of a future, which cannot stay locked for ever.

The standard library's `wait` and `as_completed` take the conditions of all futures one by one. An exception of a signal
handler that strikes there leaves those it has taken locked, and whoever else wants one would wait for ever.

Owns how that is told from a condition that somebody is only slow to release. A lock cannot tell, but the stack of the
thread that has it can: no code of the standard library's futures, and none of ours, blocks while it holds a condition.
So whoever holds one on purpose has a frame of theirs that is not just waiting; everybody else has lost it. A thread
that waits for a future in a handler, which interrupted one who holds it, waits for who asks here: it counts as lost.
"""

import sys
import threading
from concurrent.futures import Future
from itertools import compress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

LOOK = 0.01  # seconds to wait for a condition between two looks at who has it

_ROOM, _, _SUFFIX = __file__.rpartition("condition")
_HOLDERS = (sys.modules[Future.__module__].__file__, f"{_ROOM}lazy{_SUFFIX}")
_WAITERS = threading.__file__
_OWN_WAIT = f"{_ROOM}task_future{_SUFFIX}", "TaskFuture._wait"


class FutureCondition(threading.Condition):
    """A `threading.Condition` whose lock is replaced when it was left locked. Thread safety: all methods.

    Source: `threading.Condition`.
    """

    _lock: "Any"  # an RLock

    def __init__(self) -> None:
        super().__init__()
        del self.__dict__["acquire"]  # of the lock itself, which would wait for ever

    def __enter__(self) -> bool:
        return self.acquire()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock; return whether it was free in time. Blocks: while another thread uses it."""
        lock = self._lock
        if not blocking or timeout >= 0:
            return lock.acquire(blocking, timeout)  # type: ignore[no-any-return]  # as it says
        if lock.acquire(True, LOOK):
            if self._lock is lock:
                return True
            lock.release()  # as below
        self.take([])
        return True

    def take(self, held: "list[Any]") -> None:
        """Acquire the lock, and record it in the same step.

        Args:
            held: gets the lock when it is acquired, by the same C call: an exception that strikes later finds it there.

        Blocks: while another thread uses it.
        """
        while not held:
            lock = self._lock
            # Twice with a wait in between, in which one that was released and taken again in between would be ours.
            is_left = _is_left(lock)
            self.take_soon(held)
            if not held and is_left and _is_left(lock):
                self._replace(lock)

    def take_soon(self, held: "list[Any]") -> None:
        """Do the same if the lock is free soon, and otherwise nothing."""
        lock = self._lock
        held.extend(compress((lock,), map(lock.acquire, (True,), (LOOK,))))
        if held and self._lock is not lock:
            held.pop().release()  # it was replaced meanwhile

    def _replace(self, lock: "Any") -> None:
        """Have another lock in the place of one that was left locked: the same, whoever does this."""
        made = self.__dict__.setdefault("_next", {}).setdefault(lock, threading.RLock())
        exported = threading.Condition(made).__dict__
        del exported["acquire"], exported["_waiters"]
        if self._lock is lock:
            self.__dict__.update(exported)


def _is_left(lock: "Any") -> bool:
    """Return whether the thread that holds a lock is not in code that will release it.

    One that is alive must be the main thread: signal handlers strike nowhere else. Its frame is asked for alone,
    because `sys._current_frames` walks the threads of other interpreters while these run.
    """
    from interp_pool._process.thread_state import frame_of, oldest_thread

    owner = repr(lock).partition("owner=")[2].split(" ")[0]
    if owner != str(threading.main_thread().ident):
        return owner not in ("0", *(str(thread.ident) for thread in threading.enumerate()))
    frame = frame_of(oldest_thread())
    inner: FrameType | None = None
    while frame is not None:
        code = frame.f_code
        if (code.co_filename, code.co_qualname) == _OWN_WAIT:
            return True
        if code.co_filename in _HOLDERS and (inner is None or inner.f_code.co_filename != _WAITERS):
            return False
        inner, frame = frame, frame.f_back
    return True
