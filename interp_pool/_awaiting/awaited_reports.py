"""What the items of `amap` report, on its way to the coroutine that takes the results.

Owns that `on_progress` is called there, and nowhere else: so it may use what belongs to the loop. The manager appends a
report and wakes the coroutine, before the result of its item is there; the coroutine tells what is there before it goes
on with results.
"""

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._awaiting.map_waiter import MapWaiter
    from interp_pool._futures.progress import Progress


class AwaitedReports:
    """Reports that wait for a coroutine. Thread safety: calling it; the rest is the coroutine's."""

    __slots__ = ("_on_progress", "_reports", "_waiter")

    def __init__(self, on_progress: "Callable[[Progress], None]", waiter: "MapWaiter") -> None:
        """Prepare to pass reports on.

        Args:
            on_progress: raises nothing.
            waiter: wakes the coroutine.
        """
        self._on_progress, self._waiter = on_progress, waiter
        self._reports: deque[Progress] = deque()

    def __call__(self, progress: "Progress") -> None:
        """Have a report told. Never blocks."""
        self._reports.append(progress)
        self._waiter.look_again()

    @property
    def are_there(self) -> bool:
        """Whether there are some."""
        return bool(self._reports)

    def tell(self) -> None:
        """Tell those that are there."""
        while self._reports:
            self._on_progress(self._reports.popleft())
