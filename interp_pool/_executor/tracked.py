"""`progress`: the results of a map, with a bar that shows how many have come.

Owns how such an iterator ends, and what it knows of the map. How bars look is `_seeing.bars`'.
"""

from collections.abc import Generator
from operator import length_hint

from interp_pool._executor.results import Results
from interp_pool._options.checks import check_flag, check_seconds, check_str
from interp_pool._seeing.bars import LIBRARIES, finite, make_bars
from interp_pool._seeing.reports import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

    from interp_pool._executor.results import Run
    from interp_pool._futures.progress import Progress
    from interp_pool._seeing.bars import Bars, Library


def progress[T](
    iterable: "Iterable[T]",
    total: float | None = None,
    *,
    description: str | None = None,
    per_task: bool = False,
    library: "Library | None" = None,
) -> "Tracked[T]":
    """Return the results of `executor.map`, or any items, as they are, and show how many have come, with tqdm or rich.

    If neither is installed there is no bar, and one line in the log says what to install.

    Args:
        iterable: what gives the items; they are taken one by one, as the consumer asks for them.
        total: how many there are; None means that `iterable` says so, as a map does whose items were all taken, or that
            it is not known.
        description: stands before the bar.
        per_task: whether to show another bar for each worker whose task reports how far it is, see
            `interp_pool.report`; for the results of an executor's `map` only.
        library: "tqdm" or "rich"; None means the first of these that is installed.

    Returns:
        An iterator. When it is closed, or when an exception comes out of it, it takes the bars away, and closes the
        map: what waits is cancelled. When it goes, the bars do, and the map as it would without.

    Raises:
        TypeError: an argument has the wrong type, or `per_task` was given without a map of an executor.
        ValueError: there is no such library, or the total is negative.
        ImportError: the library that was named is not installed.

    Thread safety: one thread at a time takes the items.
    """
    if hasattr(iterable, "__aiter__") and not hasattr(iterable, "__iter__"):
        raise TypeError("progress() takes a plain iterable, and amap() gives an asynchronous one: use its on_progress")
    if total is not None and check_seconds("total", total, what="number") < 0:
        raise ValueError(f"total must be at least 0, got {total!r}")
    if description is not None:
        check_str("description", description)
    if library is not None and library not in LIBRARIES:
        raise ValueError(f"library must be 'tqdm', 'rich' or None, got {library!r}")
    run = iterable.run if isinstance(iterable, Results) else None
    if check_flag("per_task", per_task) and run is None:
        raise TypeError(
            "per_task needs the results of an executor's map(), and that its submit() is its own, "
            f"got {type(iterable).__name__}"
        )
    iterator = iter(iterable)
    bars = make_bars(library, _total_of(iterable, run) if total is None else finite(total), description)
    if per_task and run is not None:
        _listen(run, Listener(bars.show))
    return Tracked(iterator, bars)


def _total_of(iterable: object, run: "Run | None") -> int | None:
    left = length_hint(iterable, -1) if run is None else run.count_left()
    return left if left >= 0 else None


def _listen(run: "Run", show: "Callable[[Progress], None]") -> None:
    other = run.on_progress

    def hear(progress: "Progress") -> None:
        if other is not None:
            other(progress)
        show(progress)

    run.listen(hear)


class Tracked[T]:
    """Items on their way through a progress bar: an iterator."""

    __slots__ = ("__weakref__", "_bars", "_iterator")

    def __init__(self, iterator: "Iterator[T]", bars: "Bars") -> None:
        """Pass on what an iterator gives."""
        self._iterator, self._bars = iterator, bars

    def __iter__(self) -> "Self":
        return self

    def __next__(self) -> T:
        """Return the next item.

        Raises:
            StopIteration: there is none.
            Exception: what the iterator has raised.
        """
        try:
            item = next(self._iterator)
        except BaseException:
            self.close()
            raise
        self._bars.advance()
        return item

    def close(self) -> None:
        """Take the bars away, and close the map, or the generator, that the items come from."""
        self._bars.close()
        iterator: Any = self._iterator
        if isinstance(iterator, Results | Generator):  # of a file, say, this would be too much
            iterator.close()

    def __del__(self) -> None:
        if hasattr(self, "_bars"):
            self._bars.close()
