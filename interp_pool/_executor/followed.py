"""A `submit` whose futures tell an `on_progress` what their tasks report: for a map that goes through it.

Owns which item a report is of. What is heard of an item comes in order, but for its first report: that may have come
before the future was here, and is then told by the thread that submits.
"""

from concurrent.futures import Executor
from itertools import count

from interp_pool._futures.progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._wire.messages import Report


class Followed(Executor):
    """An executor in whose place this one is asked to submit."""

    def __init__(self, executor: "Any", hear: "Callable[[Progress], object]", *, is_chunked: bool) -> None:
        """Prepare.

        Args:
            executor: whose `submit` is called.
            hear: gets the reports; raises nothing.
            is_chunked: whether a task has several items, so that nobody knows which of them reports.
        """
        self._executor, self._hear = executor, hear
        self._places = None if is_chunked else count()

    def submit(self, fn: "Callable[..., Any]", /, *args: "Any", **kwargs: "Any") -> "Any":
        """Submit the next item, or chunk.

        Raises:
            TypeError: what was returned is no future of a task of ours.
            Exception: what `submit` has raised.
        """
        future: Any = self._executor.submit(fn, *args, **kwargs)
        follow = getattr(future, "follow_progress", None)  # as a TaskFuture has it
        if follow is None:
            raise TypeError(
                "map with on_progress needs the futures of the executor's own submit(), and the submit() that was put "
                f"in its place has returned {future!r}: return those, or leave out on_progress"
            )
        place = None if self._places is None else next(self._places)
        follow(_Reports(self._hear, place))
        return future


class _Reports:
    """Those of one task."""

    __slots__ = ("_hear", "_last", "_place")

    def __init__(self, hear: "Callable[[Progress], object]", place: int | None) -> None:
        self._hear, self._place = hear, place
        self._last: Report | None = None

    def __call__(self, report: "Report") -> None:
        if report is not self._last:  # otherwise it came while this began to follow
            self._last = report
            done, total, message, _, task, worker = report
            self._hear(Progress(done, total, message, self._place, task, worker))
