"""What `map` returns: an iterator over results that come in parts.

To take one result is a step in C, which takes less time than a generator to yield it (docs/design/map.md has the
figures). The parts come from a generator, which is closed with this, or when this goes.
"""

from collections import deque
from itertools import chain, repeat, starmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, Protocol

    from interp_pool._futures.progress import Progress

    class Run(Protocol):
        """A call of map, see `MapRun`."""

        @property
        def on_progress(self) -> Callable[[Progress], object] | None: ...
        def listen(self, on_progress: Callable[[Progress], object]) -> None: ...
        def count_left(self) -> int: ...
        def stop(self) -> object: ...
        def give_up(self) -> object: ...

    type Parts = Generator[Any]  # iterators; where the consumer does not block also None, see `MapRun.parts`

    _Chain = chain[Any]
else:
    _Chain = chain


class Results(_Chain):
    """The results of a map, in order."""

    __slots__ = ("_parts", "run")
    _parts: "Parts"
    run: "Run | None"
    """The call of map, None if its items go through a `submit`."""

    def close(self) -> None:
        """Send nothing more, and drop the results that are there, also before the first was taken.

        While another thread takes the next result, or what that calls closes this: that thread gets CancelledError.
        """
        run = self.run
        try:
            self._parts.close()
        except ValueError:  # it runs
            if run is None:
                raise
            run.give_up()
            return
        if run is not None:
            run.stop()
        deque(self, maxlen=0)  # the rest of the part whose turn it was


def chained(parts: "Parts", run: "Run | None" = None) -> Results:
    """Return an iterator over all of the parts of a call of map."""
    results: Any = Results.from_iterable(parts)
    results._parts, results.run = parts, run
    return results  # type: ignore[no-any-return]  # typeshed says that it is a chain


def one_by_one(results: "list[Any]") -> "Iterator[Any]":
    """Return an iterator that keeps no reference to what it has given away. It owns the list."""
    results.reverse()
    return starmap(results.pop, repeat((), len(results)))
