"""Who waits for the results of a map in a coroutine.

Owns which batches wake it. All batches of the map tell it what comes of them, and mostly somebody else is awaited, or
nobody. What is awaited is noted before the coroutine looks whether it is there, and a batch has something before it
tells: so either the coroutine finds it, or the batch finds that it is awaited.
"""

from interp_pool._futures.lazy import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._awaiting.bell import Bell

ANY = object()  # any batch


class MapWaiter(Waiter):
    """Wakes the coroutine that awaits a map. Thread safety: `add_result` and the like; the rest is the coroutine's."""

    __slots__ = ("_awaited", "_bell", "is_ordered")

    def __init__(self, *, is_ordered: bool) -> None:
        self.is_ordered = is_ordered
        """Whether the results are wanted in the order of the items."""
        self._bell: Bell | None = None
        self._awaited: object = None

    def add_result(self, _future: object) -> None:
        """Something of a batch has arrived, or it has ended."""
        awaited, bell = self._awaited, self._bell
        if bell is not None and (awaited is ANY or awaited is _future):
            bell.release()

    add_exception = add_cancelled = add_result

    def look_again(self) -> None:
        """Wake the coroutine, for something else. From any thread; never blocks."""
        bell = self._bell
        if bell is not None:
            bell.release()

    async def wait(
        self, bell: "Bell", awaited: object, is_there: "Callable[[], bool]", timeout: float | None = None
    ) -> None:
        """Wait for something of one batch, or of any; see `Bell.wait`."""
        self._bell, self._awaited = bell, awaited
        try:
            await bell.wait(is_there, timeout)
        finally:
            if self._bell is bell:  # otherwise somebody closes the map, and listens to all
                self._awaited = None

    def listen_to_all(self, bell: "Bell") -> None:
        """From now on have any batch ring."""
        self._bell, self._awaited = bell, ANY
