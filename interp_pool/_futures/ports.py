"""What a future needs of those who bring its result. Types alone; nothing loads this file at run time."""

from collections.abc import Callable, Collection
from typing import Protocol

from interp_pool._futures.progress import Progress
from interp_pool._wire.messages import Place


class Pool[F](Protocol):
    """The pool of a future of type F."""

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles the pool's futures, as in a callback: none ends then unless it waits for one."""
        ...

    @property
    def logs_unread(self) -> bool:
        """Whether errors are logged that nobody has asked for."""
        ...

    def call_manager(self) -> None:
        """Wake who waits in the manager's place. Never blocks, needs no lock."""
        ...

    def note_cancelled(self) -> None:
        """Note that a future was cancelled. Never blocks, needs no lock."""
        ...

    def stand_in(self, future: F, deadline: float | None) -> None:
        """Take results until a future is done, on the monotonic clock; may return before."""
        ...

    def recall(self, futures: Collection[F]) -> None:
        """Cancel those whose tasks were sent to the workers, and that none of them has begun."""
        ...

    def interrupt(self, future: F, grace: float) -> bool:
        """Begin to stop a task, with so many seconds to end; return whether it has not ended yet. Never blocks."""
        ...

    def stop_at_once(self) -> None:
        """Do what Ctrl-C asks for. Never blocks."""
        ...

    def where(self, future: F, timeout: float) -> tuple[str, list[Place]]:
        """Return a phrase on where a task is, and the lines of Python it is in. Blocks for so many seconds at most."""
        ...


class Run(Protocol):
    """The call of `map` that a batch belongs to."""

    @property
    def is_dropped(self) -> bool:
        """Whether its consumer has ended."""
        ...

    @property
    def on_progress(self) -> Callable[[Progress], object] | None:
        """What is called when an item reports."""
        ...

    def feed(self) -> None:
        """Send as many batches as there should be ahead of the workers. Never blocks."""
        ...
