"""What a future has in the place of a result that it was not the time to unpickle.

While a module is being imported, unpickling may have to wait for that, and the import may be waiting for the pool: see
`interp_api.is_importing`. So neither the manager nor who stands in for it unpickles then. The future is done all the
same, and whoever asks for its outcome unpickles that, once it asks. It must not know pools.

A callback may ask, too. So that this does not block the manager either, callbacks of such futures are called aside
(`_process.aside`).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Undecoded:
    """An outcome that is still pickled, in memory of its own."""

    __slots__ = ("_decode", "_first", "is_failure")

    def __init__(self, decode: "Callable[[], tuple[object, BaseException | None]]", is_failure: bool) -> None:
        self._decode = decode
        self._first: dict[None, tuple[object, BaseException | None]] = {}  # what the first thread got, for all
        self.is_failure = is_failure
        """Whether the worker reported an exception."""

    def decode(self) -> "tuple[object, BaseException | None]":
        """Return the result, or an exception in its place: the same objects however often and wherever it is called."""
        return self._first.get(None) or self._first.setdefault(None, self._decode())
