"""What the core needs of what it keeps for others. Types alone."""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.states import WorkerState
    from interp_pool._futures.batch_future import BatchFuture
    from interp_pool._process.open_tasks import OpenTasks


class Books(Protocol):
    """What the manager puts right after it was marked as dirty."""

    is_dirty: bool


class TracedTask(Protocol):
    """What a trace knows of a task that has not ended."""

    taken: int
    """When the pool took it, in ns on the monotonic clock."""
    size: int
    """Bytes of its arguments."""
    count: int | None
    """How many items it had when it was sent, if it is a batch."""
    ran: tuple[int, int] | None
    """The worker that it was seen in, and when it had begun there."""

    def see(self, worker: "Any") -> None:
        """Note which worker has it."""

    def note_end(self, task: "Any") -> None:
        """That one, the `Task`, has ended, and its worker has measured nothing. Never blocks."""


class WorkerHandle(Protocol):
    """A worker, seen from outside."""

    state: "WorkerState"
    is_dirty: bool
    """Whether its interpreter is not to be used again."""

    @property
    def number(self) -> int:
        """Which one it is."""
        ...

    @property
    def is_started(self) -> bool:
        """Whether its thread was started."""
        ...

    @property
    def task(self) -> int:
        """The number of the task that runs, 0 if there is none."""
        ...

    @property
    def may_leave(self) -> bool:
        """Whether it may end at a limit although threads that tasks have left keep its interpreter open."""
        ...

    @may_leave.setter
    def may_leave(self, allowed: bool) -> None: ...


class OpenMap(Protocol):
    """A run of `map` that will submit batches."""

    is_open: bool
    """Whether the pool counts on it; the pool's to set."""
    open_tasks: "OpenTasks | None"
    """Of the executor, if the pool is shared."""

    @property
    def is_dropped(self) -> bool:
        """Whether nobody wants its results any more."""
        ...

    @property
    def is_all_sent(self) -> bool:
        """Whether it has nothing else to send."""
        ...

    @property
    def is_cut_here(self) -> bool:
        """Whether this thread is sending batches, further up its stack, and others have to wait for it."""
        ...

    def lateness(self, items: int) -> float:
        """Return the seconds after which a batch of so many items takes too long."""
        ...

    def feed(self) -> None:
        """Send as many batches as there should be ahead of the workers."""
        ...

    def call_for_items(self) -> None:
        """Have whoever takes items look whether the executor still takes tasks."""
        ...

    def drop(self) -> None:
        """Send no more."""
        ...

    def lose(self) -> None:
        """In a forked child: its batches are the parent's."""
        ...

    def note_done(self, batch: "BatchFuture", items: int, seconds: float) -> None:
        """Note that a batch is done, and what so many of its items took."""
        ...

    def note_rest(self, batch: "BatchFuture", kept: int, seconds: float) -> None:
        """Note that a batch keeps so many items, and has run so long."""
        ...

    def send_again(self, batch: "BatchFuture") -> None:
        """Send the items of a batch one by one."""
        ...
