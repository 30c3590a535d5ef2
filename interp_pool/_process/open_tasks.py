"""OpenTasks: which open tasks of a shared pool belong to one executor.

Owns what lets each of several executors on one pool shut down for itself. There is no lock: each change is one C call.

    begin   B1  add the task             close   C1  take no more
            B2  closed: take it out              C2  wait until no task is open

Either B2 sees C1, or C2 sees B1.
"""

import itertools
from weakref import WeakValueDictionary

from interp_pool._process.locks import WaitList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_known: "WeakValueDictionary[int, OpenTasks]" = WeakValueDictionary()
_next_number = itertools.count().__next__


def open_tasks_of(pool: object) -> "list[OpenTasks]":
    """Return those of the executors on a pool."""
    return [each for each in list(_known.values()) if each.pool is pool]


def renew_open_tasks() -> None:
    """In a forked child: forget all open tasks, which are the parent's."""
    for each in list(_known.values()):
        each.renew_in_child()


class OpenTasks:
    """One executor's tasks from submit to settling. Thread safety: all methods."""

    __slots__ = ("__weakref__", "_ended", "_tasks", "is_closed", "pool")

    def __init__(self, pool: object) -> None:
        self.pool = pool
        self.is_closed = False
        self._tasks: set[object] = set()
        self._ended = WaitList()
        _known[_next_number()] = self

    def renew_in_child(self) -> None:
        """In a forked child: have no open task."""
        self._ended = WaitList()
        self._tasks = set()

    def begin(self, item: object) -> None:
        """Note an open task.

        Raises:
            RuntimeError: the executor is shut down.
        """
        self._tasks.add(item)  # B1
        if self.is_closed:
            self.end(item)  # B2
            raise RuntimeError("cannot schedule new futures after shutdown")

    def add(self, item: object) -> None:
        """Note an open task that one which is open has brought."""
        self._tasks.add(item)

    def end(self, item: object) -> None:
        """Strike a task off, once its future is settled. Doing so again, or never having begun, does no harm."""
        self._tasks.discard(item)
        if not self._tasks:
            self._ended.wake_all()

    def keep_only(self, known: "Collection[object]") -> None:
        """Strike off what the pool does not know: an exception struck who would have done so."""
        self._tasks.intersection_update(known)
        if not self._tasks:
            self._ended.wake_all()

    def close(self) -> None:
        """Take no more tasks."""
        self.is_closed = True  # C1

    def wait_done(self) -> None:
        """Block until no task is open."""
        while True:
            waiter = self._ended.enter()
            if not self._tasks:  # C2
                return
            waiter.acquire()
