"""A callback that waits for a task of its own pool: the manager, in whose thread callbacks run, works on meanwhile.

Owns what a wait in the manager's thread does, where nobody else would bring what it waits for:

C1  have whoever stands in for the manager give way, and take the turn: what a stand-in brings would not wake this wait
C2  carry out what is owed: the result that is waited for may be there
C3  process messages until the future is done, the time is up, or the pool has closed
C4  give the turn back; run the callbacks that came due meanwhile, which were put off: each of them may wait as well,
    and one on top of the other they would exhaust the stack

A wait in what has interrupted the manager while it holds the lock, a finalizer, is none of this file's.
"""

import threading
from functools import partial
from time import monotonic

from interp_api import is_held_here
from interp_pool._core.task import Task
from interp_pool._pool.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Works(Protocol):
        """What the manager does here."""

        callbacks: list[Callable[[], None]]

        def carry_out(self) -> None:
            """Do what is owed."""
            ...

        def process_messages(self, timeout: float | None = None) -> bool:
            """Wait for messages, and do what they ask for."""
            ...


class PutOff(partial[None]):
    """Callbacks that were put off."""


def tasks_of(action: object) -> list[Task]:
    """Return the tasks that an action of the manager's may end."""
    return [arg for arg in getattr(action, "args", ()) if isinstance(arg, Task)]


class InCallback:
    """The waits of callbacks of one pool, all in the manager's thread."""

    __slots__ = ("_kernel", "is_waiting")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.is_waiting = False
        """Whether a callback waits, further up the stack of the manager's thread."""

    def is_here(self) -> bool:
        """Return whether the calling thread is the manager's, and free to work."""
        return self._kernel.manager is threading.current_thread() and not is_held_here(self._kernel.lock)

    def work(self, manager: "Works", has_arrived: "Callable[[], bool]", deadline: float | None) -> None:
        """Work in the manager's thread until something has arrived.

        Args:
            manager: does the work.
            has_arrived: tells when.
            deadline: on the monotonic clock, None for no limit.

        Blocks: until then, or until the deadline.
        """
        if self.is_waiting:  # what a message asks for, such as to handle a log record, waits on top of a callback
            self._work_on(manager, has_arrived, deadline)
            return
        self._kernel.call_manager()  # C1
        self.is_waiting = True
        try:
            self._kernel.reader.work_alone(partial(self._work_on, manager, has_arrived, deadline), _left(deadline))
        finally:
            self.is_waiting = False
            self._kernel.todo.extendleft(reversed(manager.callbacks))  # C4
            manager.callbacks.clear()

    def _work_on(self, manager: "Works", has_arrived: "Callable[[], bool]", deadline: float | None) -> None:
        was_dealing = self._kernel.is_dealing
        manager.carry_out()  # C2
        while not has_arrived() and not self._kernel.is_closed:  # C3
            left = _left(deadline)
            if left == 0.0:
                break
            manager.process_messages(left)
        with self._kernel.lock:
            self._kernel.is_dealing = was_dealing


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())
