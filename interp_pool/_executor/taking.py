"""Taking the items of a `map` from its iterables, so that the workers begin with the first one.

Owns who looks when an item is there. How items become batches is `_executor.map_run`'s.

The workers begin with the first item: the next one may come late, or wait for what this one does. So each item can be
seen by those who cut as soon as it is taken, and while the consumer is in the iterables' code:

    C1  it takes an item, appends it to `_items`, then looks whether `_starving` is set; if so it clears that and feeds
    M1  who feeds and finds fewer items than it wants sets `_starving`, then looks at `_items` once more

Either C1 sees that it is wanted or M1 sees the item. Tiny items that come quickly are not sent one by one: after each
message they have `HOLD` to become some more, and the timer has them sent if no other comes meanwhile. An iterable that
raises ends the map, and the items before it run, as in the standard library.
"""

from collections import deque
from itertools import count, islice, repeat

import interp_api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol

    from interp_pool._core.ports import Books

    class HasBooks(Protocol):
        """A pool."""

        @property
        def books(self) -> Books:
            """What it puts right."""
            ...


SLICE = 16 * 1024  # items taken at once of what always has the next one ready: a tenth of a millisecond
_READY = frozenset((list, tuple, range, str, bytes, bytearray, dict, set, frozenset, deque, count, repeat))
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray))


class Taking:
    """The part of a call of map that is its consumer's."""

    def __init__(
        self,
        pool: "HasBooks",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        size: int | None,
        buffersize: int | None,
    ) -> None:
        """Prepare to take items; `take_first` begins. See `MapRun` for the arguments."""
        self._books = pool.books
        self._fn, self._size, self._buffersize = fn, size, buffersize
        # The items of one iterable go without a tuple around each: pickling them takes a quarter of the time.
        self._is_single = len(iterables) == 1
        self._calls: Iterator[Any] = iter(iterables[0]) if self._is_single else zip(*iterables, strict=False)
        self._items: deque[Any] = deque()  # taken and not sent
        self._is_taking = True  # the consumer is in the iterables' code, or may be
        self._starving: list[bool] = [True]  # not empty: the consumer is to feed when it has the next item
        self._is_at_once = False  # every batch is pickled in the consumer's thread, as soon as its items are there
        self._untaken = 0  # items taken whose results have not been taken; counted with a buffer size only
        self.is_dropped = False
        """Whether nothing more of it is sent."""
        self.is_open = False
        """Whether the pool counts on it; the pool's to set."""

    def feed(self) -> None:
        """Send as many batches as there should be ahead of the workers, if a message has changed how many that is."""
        raise NotImplementedError

    def _feed_anyway(self) -> None:
        """Send them, whatever has changed."""
        raise NotImplementedError

    def drop(self) -> None:
        """Send no more items."""
        raise NotImplementedError

    def _open_map(self) -> None:
        """Have the pool count on the items that were taken, or refuse them."""
        raise NotImplementedError

    def _are_too_few(self) -> bool:
        """Return whether who cuts wants more items than there are, and nothing has changed since it said so."""
        raise NotImplementedError

    def _send_at_once(self) -> None:
        """Send everything in this thread, however many batches are ahead of the workers."""
        raise NotImplementedError

    def _take_first(self, iterables: "tuple[Iterable[Any], ...]") -> None:
        """Take the items, or as many as the buffer size says, and have them sent as they come."""
        try:
            try:
                # Of these the next item is always there, without running anybody's code.
                self._take_all(is_ready=_READY.issuperset(map(type, iterables)))
            except Exception:
                self._end_taking()  # from an iterable, or the pool is shut down: what was taken before is done
                raise
            self._end_taking()
        except Exception:
            raise
        except BaseException:
            self.is_dropped = self._books.is_dirty = True  # whatever strikes from here on
            self.drop()
            raise

    def _take_all(self, *, is_ready: bool) -> None:
        calls = self._calls if self._buffersize is None else islice(self._calls, self._buffersize)
        if interp_api.is_importing():
            self._take_during_import(calls)
        elif is_ready:
            self._take_slices(calls, SLICE)
        elif self._buffersize is not None:
            self._take_slices(calls, 1)
        elif self._size is not None and self._size > 1:
            self._take_slices(calls, self._size)
        else:
            self._take_each(calls)

    def _take_each(self, calls: "Iterable[Any]") -> None:
        append, starving = self._items.append, self._starving
        for call in calls:
            append(call)  # C1
            if starving and not self._offer():
                return

    def _take_slices(self, calls: "Iterable[Any]", step: int) -> None:
        while True:
            taken = list(islice(calls, step))
            self._untaken += len(taken)
            self._items.extend(taken)
            if (taken and self._starving and not self._offer()) or len(taken) < step:
                return

    def _take_during_import(self, calls: "Iterable[Any]") -> None:
        """Take items while a module is being imported, in whose body this may be.

        Who else pickled what is defined in that module would wait for the end of the import, and this thread for it.
        What names nothing, scalars and texts for a function of a module, anybody may pickle.
        """
        self._is_at_once = interp_api.function_head(self._fn) is None
        for call in calls:
            self._untaken += 1
            self._items.append(call)
            if not self._is_at_once:
                self._is_at_once = not _PLAIN.issuperset(map(type, (call,) if self._is_single else call))
            if self._is_at_once:
                if len(self._items) >= (self._size or 1) and not self._offer():
                    return
            elif self._starving and not self._offer():
                return

    def _end_taking(self) -> None:
        self._is_taking = False
        if self._items and not self.is_open:
            self._items.clear()  # the pool was shut down before they came
        if self._is_at_once:
            self._send_at_once()
        self._feed_anyway()

    def _offer(self) -> bool:
        """Have the items sent that are there, if it is time; return whether more are wanted.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool or the executor is shut down, or the interpreter is exiting.
        """
        self._starving.clear()
        self._open_map()
        if self.is_dropped:  # also when that happened just now
            self.drop()
            return False
        if self._is_at_once:
            self._send_at_once()
        self._feed_anyway()
        return True

    def _take_more(self) -> None:
        """With a buffer size: take as many items as there is room for, and send what can be."""
        taken = list(islice(self._calls, (self._buffersize or 0) - self._untaken))
        if taken:
            self._untaken += len(taken)
            self._items.extend(taken)
            self._is_at_once = interp_api.is_importing()  # see _take_during_import
            if self._is_at_once or not self._are_too_few():
                self._offer()
        else:
            self.feed()

    def call_for_items(self) -> None:
        """Have the consumer look, once it has the next item, whether more are wanted. Never blocks."""
        if not self._starving:
            self._starving.append(True)
