"""Locks that an exception of a signal handler cannot leave locked, and waiting that it cannot spoil.

Owns trying a lock, starting a thread and waiting for a change; `interp_api.holding` is the one way in for a lock that
the main thread may take. It must not know what a lock guards.

Exceptions of signal handlers strike where the interpreter looks for signals: after a call of C code, when a function
begins, at a backward jump. `threading.Condition` is Python code and can be struck inside: between releasing its lock
and waiting, say. A `with` statement can be struck after the lock was taken and before its block begins (CPython 3.14).
"""

import threading
from _thread import allocate_lock
from collections import deque
from itertools import repeat
from operator import methodcaller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_release: "Callable[[Any], object]" = methodcaller("release")
_popleft: "Callable[[Any], Any]" = methodcaller("popleft")


def trying(lock: threading.RLock, step: "Callable[[], object]") -> bool:
    """Take a step with a lock held, unless another thread has it; return whether that was done."""
    taken: list[bool] = []
    try:
        taken.extend(map(lock.acquire, (False,)))  # one C call: what strikes later finds it noted
        if taken[0]:
            step()
        return taken[0]
    finally:
        if taken and taken[0]:
            lock.release()


class _Started(threading.Event):
    """Whether a thread has started, for who waits for that in `threading.Thread.start`."""

    def __init__(self) -> None:
        super().__init__()
        self._came = allocate_lock()
        self._came.acquire()

    def set(self) -> None:
        """Called once, by the new thread."""
        super().set()
        self._came.release()

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # `start` gives none
        """Wait in one C call."""
        self._came.acquire()
        self._came.release()
        return True


def start_thread(thread: threading.Thread) -> None:
    """Start a thread, and wait until it runs.

    `Thread.start` waits for a condition, in Python code: an exception that strikes there can leave that locked (CPython
    3.14), and the new thread then waits for it for ever. So it can the lock of the list of threads, for which every
    later start in another thread would wait.

    Raises:
        RuntimeError: no thread can be started.
        MemoryError: likewise.
    """
    thread._started = _Started()  # type: ignore[attr-defined]  # private, but theirs since 2.5
    module: Any = threading
    lock = module._active_limbo_lock
    before = lock._recursion_count()  # a signal handler may have come in the middle of what holds it
    try:
        thread.start()
    except BaseException:
        while lock._recursion_count() > before:
            lock.release()
        raise


class WaitList:
    """Threads that wait until something has changed; then they look again. Thread safety: all methods.

    A condition variable in two halves. With the lock held that guards what they wait for, a thread looks and enters
    itself; without it, it waits for what `enter` returned. Whoever changes something wakes all, once that can be seen.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, waiter: "Any" = None) -> "Any":
        """Return a lock whose `acquire` blocks until the next change.

        Args:
            waiter: something else whose `release` is called then, once; it must not block, nor run anybody's code.
        """
        if waiter is None:
            waiter = allocate_lock()
            waiter.acquire()
        self._waiting.append(waiter)
        return waiter

    def wake_all(self) -> None:
        """Have all who wait look again."""
        if self._waiting:
            try:
                # One C call: nobody is taken out without being woken.
                deque(map(_release, map(_popleft, repeat(self._waiting))), 0)
            except IndexError:
                pass  # all of them
