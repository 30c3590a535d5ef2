"""BatchFuture, the future of a batch of `map`.

Owns its parts, and which of its items were given back. How these are sent anew is `_executor.returning`'s.
"""

from collections import deque
from concurrent.futures._base import FINISHED

from interp_pool._futures.claims import start_new
from interp_pool._futures.progress import Progress
from interp_pool._futures.task_future import TaskFuture
from interp_pool._futures.unread import note_unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._futures.ports import Pool, Run
    from interp_pool._wire.messages import Report


class BatchFuture(TaskFuture[None]):
    """The future of a batch of `map`, whose results arrive in parts. Its consumer alone takes them."""

    is_replaced = False
    """Whether no worker could unpickle it, so that all its items go again, each on its own. Set before it is done."""
    kept: int | None = None
    """How many of its items its worker has kept, once it has given back the others. Set before it is done."""
    resent = 0
    """How many of these have been sent anew; guarded by the run's lock for cutting."""

    def __init__(self, pool: "Pool[BatchFuture]", run: "Run", items: "list[Any]", start: int) -> None:
        super().__init__(pool)
        self.run = run
        self.items = items
        self.start = start
        """The place of the first one in the map."""
        self.again: deque[BatchFuture] = deque()
        """The batches with those of its items that were sent anew, in order, which the consumer has not taken over."""
        self.parts: deque[Any] = deque()
        """Payloads, or what was in them where these could not be kept, see `_wire.messages`; some of them twice."""
        self.taken = 0
        """How many results its consumer has taken, by which it tells a part that it has had already."""

    @property
    def left(self) -> int:
        """How many items were given back and not sent anew."""
        return 0 if self.kept is None else len(self.items) - self.kept - self.resent

    @property
    def has_returned(self) -> bool:
        """Whether it has ended well, and its consumer has taken all parts."""
        return self._state == FINISHED and not self.parts and self._exception is None

    def has_arrived(self) -> bool:
        """Return whether a part is there, or there will be no more."""
        return bool(self.parts) or self.done()

    def help_on(self) -> None:
        """Send more batches, while the consumer waits for this one."""
        self.run.feed()

    def concerns(self, other: "TaskFuture[Any]") -> bool:
        """Return whether another future is one of the same call of map."""
        return isinstance(other, BatchFuture) and other.run is self.run

    def note_unread(self, task: str, error: BaseException) -> None:
        """Have an error logged that ends all of it, unless the consumer meets that, or has stopped to."""
        if not self.run.is_dropped:
            super().note_unread(task, error)

    def note_failed_item(self, task: str, error: str) -> None:
        """Have logged what an item has raised, unless the consumer takes that, or has stopped to."""
        if self._pool is not None and self._pool.logs_unread and not self.run.is_dropped:
            note_unread(self, task, error)

    def note_progress(self, report: "Report") -> None:
        """Have somebody hear what an item has reported, unless nobody takes its result any more."""
        hear = self.run.on_progress
        if hear is not None and not self.run.is_dropped:
            done, total, message, position, task, worker = report
            hear(Progress(done, total, message, None if position is None else self.start + position, task, worker))

    def add_part(self, part: object) -> None:
        """Add results and wake the consumer. Runs nobody's code, takes no lock, and can be done again.

        The part is there before anybody looks for a waiter, and a waiter is there before it looks for a part.
        """
        self.parts.append(part)
        self._wake_waiters()

    def wait_for_part(self, timeout: float | None) -> None:
        """Block until a part is there, or there will be no more.

        Raises:
            TimeoutError: not in so many seconds.
        """
        if not self.has_arrived():
            self._wait(timeout)
            if not self.has_arrived():
                raise TimeoutError

    def fail(self, error: BaseException) -> None:
        """End a batch that was not sent."""
        self.note_unread("a map", error)
        self.forget_pool()
        start_new(self)
        self.set_exception(error)
