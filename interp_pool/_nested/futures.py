"""The futures of a task's own tasks, in the worker that runs it.

Owns that `concurrent.futures.wait` and `as_completed` help, too: they put an object with an event into the list of a
future's waiters, and wait for that event. In its place they get one whose `wait` runs tasks. (Attributes of the
standard library's own, CPython 3.13 to 3.15; with others the two would wait, and nobody would help them.)
"""

import threading
from time import monotonic

from interp_pool._futures.claims import MadeWhenUsed
from interp_pool._futures.task_future import TaskFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Protocol

    from interp_pool._futures.progress import Progress

    class Helper(Protocol):
        """The worker's part."""

        def help_until(self, has_arrived: Callable[[], bool], deadline: float | None) -> None:
            """Run tasks until something has arrived, or the time is up; at once in a thread that cannot run any."""

        def take_replies(self) -> None:
            """Settle what is there."""

        def note_asked(self) -> None:
            """Note that who asks was told that something is not done, and does not wait for it."""

        def note_unwaited(self) -> None:
            """Note the same of who asks the standard library, which does not ask here."""

        def listen(self, future: "Any") -> None:
            """Have a future settled while nobody waits that could run its task."""


class HelpingEvent(threading.Event):
    """The event of a waiter of the standard library's, which helps while it is waited for."""

    def __init__(self, helper: "Helper", was_set: bool) -> None:
        super().__init__()
        self._helper = helper
        if was_set:
            self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Run tasks until it is set, or the time is up; return whether it is set."""
        Waiters.is_unwaited = False
        deadline = None if timeout is None else monotonic() + timeout
        self._helper.help_until(self.is_set, deadline)
        return super().wait(None if deadline is None else max(0.0, deadline - monotonic()))


class Waiters(list["Any"]):
    """A future's waiters. `helper` is that of all: an interpreter runs one worker at a time.

    `as_completed` with a time limit that is over already does not wait, and calls nothing else here: who calls it again
    and again is noticed when the next waiter comes.
    """

    helper: "ClassVar[Helper | None]" = None
    is_unwaited: "ClassVar[bool]" = False
    """Whether the last waiter has not waited."""

    def append(self, waiter: "Any") -> None:
        """Add a waiter, and have it helped."""
        event = getattr(waiter, "event", None)
        if self.helper is not None and type(event) is threading.Event:
            waiter.event = HelpingEvent(self.helper, event.is_set())
            if Waiters.is_unwaited:
                self.helper.note_unwaited()
            Waiters.is_unwaited = True
        super().append(waiter)


class NestedFuture[T](TaskFuture[T]):
    """The future of a task's own task. Thread safety: all methods, in the interpreter of that task.

    Waiting for it in the thread of a task runs other tasks meanwhile. Then a wait with a time limit may return late, by
    as long as the last of them takes.

    While its parent runs it itself, `interrupt`, in another thread of the parent's, raises RuntimeError: such a task is
    a part of its parent. With an option it is one of the pool's, and can be interrupted wherever it runs.
    """

    _waiters: "Any" = MadeWhenUsed(Waiters)
    number = 0
    """Of its task, in its worker."""

    def __init__(self, helper: "Any") -> None:
        super().__init__(helper)
        self._helper: Helper = helper

    def add_done_callback(self, fn: "Callable[[Any], object]") -> None:
        """Call a function when it is done: in the thread that learns of it, which may be one of the worker's own."""
        super().add_done_callback(fn)
        if not super().done():
            self._helper.listen(self)

    def has_arrived(self) -> bool:
        """Return whether it is done. Takes no replies: who sleeps and asks this would miss what they say."""
        return super().done()

    def done(self) -> bool:
        """Return whether the task has ended or was cancelled."""
        if super().done():
            return True
        self._helper.take_replies()
        if super().done():
            return True
        self._helper.note_asked()
        return False

    def running(self) -> bool:
        """Return whether the task runs, or was sent to the pool."""
        return not self.done() and super().running()

    def progress(self) -> "Progress | None":
        """Return what the task has reported last; see `TaskFuture.progress`."""
        self.done()
        return super().progress()

    def _wait(self, timeout: float | None) -> None:
        if timeout is not None and not timeout > 0:
            self.done()
        else:
            super()._wait(timeout)

    def wait_done(self) -> None:
        """Block until it is done, running tasks meanwhile. What has come of it stays unread."""
        if not self.done():
            self._wait(None)
