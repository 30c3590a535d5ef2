"""Ledger: which open tasks of a shared pool belong to one executor.

Owns what lets each of several executors on one pool shut down for itself.
"""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._map import MapRun
    from interp_pool._work import WorkItem


def release_if_held(lock: "threading.Condition | threading.RLock") -> None:
    """Release a reentrant lock that a `with` block may not have released.

    On CPython 3.14 the exception of a signal handler can strike after the lock was taken and before the block began.
    """
    try:
        lock.release()
    except RuntimeError:
        pass  # this thread does not hold it


def holding[R](lock: "threading.RLock", step: "Callable[[], R]") -> R:
    """Take a step with a reentrant lock held, and leave it as it was whatever strikes: see `release_if_held`."""
    is_nested = lock._is_owned()  # type: ignore[attr-defined]  # a finalizer's, run by an allocation further up
    try:
        with lock:
            return step()
    except BaseException:
        if not is_nested:
            release_if_held(lock)
        raise


class Ledger:
    """One executor's tasks from submit to settling. Thread safety: all methods."""

    __slots__ = ("_changed", "_open_tasks", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False  # guarded by self._changed
        self._open_tasks: set[WorkItem | MapRun] = set()  # guarded by self._changed
        self._changed = threading.Condition(threading.RLock())  # the last task was ended

    def begin(self, item: "WorkItem | MapRun") -> None:
        """Note an open task.

        Raises:
            RuntimeError: the executor is shut down.
        """
        try:
            with self._changed:
                if self.is_closed:
                    raise RuntimeError("cannot schedule new futures after shutdown")
                self._open_tasks.add(item)
        except BaseException:
            release_if_held(self._changed)
            raise

    def add(self, item: "WorkItem") -> None:
        """Note an open task that one which is open has brought."""
        try:
            with self._changed:
                self._open_tasks.add(item)
        except BaseException:
            release_if_held(self._changed)
            raise

    def end(self, item: "WorkItem | MapRun") -> None:
        """Strike a task off, once its future is settled. Doing so again, or never having begun, does no harm."""
        try:
            with self._changed:
                self._open_tasks.discard(item)
                if not self._open_tasks:
                    self._changed.notify_all()
        except BaseException:
            release_if_held(self._changed)
            raise

    def close(self) -> None:
        """Take no more tasks."""
        try:
            with self._changed:
                self.is_closed = True
        except BaseException:
            release_if_held(self._changed)
            raise

    def wait_done(self) -> None:
        """Block until no task is open."""
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._open_tasks)
        except BaseException:
            release_if_held(self._changed)
            raise
