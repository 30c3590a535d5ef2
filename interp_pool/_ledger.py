"""Ledger: which open tasks of a shared pool belong to one executor.

Owns the count that lets each of several executors on one pool shut down for itself.
"""

import threading


class Ledger:
    """Counts one executor's tasks from submit to settling. Thread safety: all methods."""

    __slots__ = ("_condition", "_open_tasks", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False  # guarded by self._condition
        self._open_tasks = 0  # guarded by self._condition
        self._condition = threading.Condition()

    def begin(self) -> None:
        """Count a task.

        Raises:
            RuntimeError: the executor is shut down.
        """
        with self._condition:
            if self.is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._open_tasks += 1

    def end(self) -> None:
        """Count a task off, once its future is settled."""
        with self._condition:
            self._open_tasks -= 1
            self._condition.notify_all()

    def close(self) -> None:
        """Take no more tasks."""
        with self._condition:
            self.is_closed = True

    def wait_done(self) -> None:
        """Block until every task that was counted has been counted off."""
        with self._condition:
            self._condition.wait_for(lambda: not self._open_tasks)
