"""Items of a `map` that were sent and come back: they are sent anew, and their results come in their place.

Owns what becomes of a batch that did not run whole. Why a batch is split is `_pool.overdue`'s and `_worker.batch`'s.

A batch that takes longer than it was meant to is not waited for: its worker gives back what it has not begun, by itself
or because the pool asks. What comes back is a number, how many items the worker keeps: the batch has them all.

    B1  under the pool's lock, before the batch is done: `kept` is set, and the batch joins `_returned`
    B2  who cuts sends some of the items behind `kept`, before others: they are earlier in the order, and somebody may
        wait for them. It appends the new batches to `again`, and then counts the items in `resent`
    B3  the consumer has taken all parts of the batch, and it is done: it moves what is in `again` before it, and lets
        the batch go only when it finds that no item is left, and after that, that `again` is empty

B1 before the batch is done: so at B3 `kept` is final. B2 in this order: if no item is left, `again` has the last ones.
Where items are left and nothing is in `again`, the consumer cuts some itself. Each item is behind `kept` of one batch,
and `resent` only grows, by who cuts: so it is sent anew once. A new batch may give items back as well.

A batch that no worker can unpickle goes again, item by item, in its place: only the culprit fails, and nobody need wait
for the others to have them run.
"""

import threading
from collections import deque
from concurrent.futures import CancelledError
from functools import partial
from operator import length_hint

from interp_api import holding
from interp_pool._core.batch_sizes import estimate, lateness, rest_size
from interp_pool._executor.taking import Taking
from interp_pool._futures.batch_future import BatchFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from interp_pool._awaiting.map_waiter import MapWaiter
    from interp_pool._futures.progress import Progress
    from interp_pool._pool.pool import InterpreterPool
    from interp_pool._wire.messages import Payload

    class EncodeBatch(Protocol):
        """Pickles a batch; raises TaskPicklingError."""

        def __call__(self, fn: "Callable[..., Any]", items: list[Any], *, is_single: bool) -> "Payload": ...


class Returning(Taking):
    """Taking, and sending anew what came back."""

    def __init__(
        self,
        pool: "InterpreterPool",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        size: int | None,
        buffersize: int | None,
    ) -> None:
        """See `MapRun` for the arguments."""
        super().__init__(pool, fn, iterables, size, buffersize)
        self._pool = pool
        self._pending: deque[BatchFuture] = deque()  # sent, in order
        # Batches done since the last cut, or seen to be slow, with items, seconds, and whether it is done.
        self._measured: deque[tuple[BatchFuture, int, float, bool]] = deque()
        self._returned: deque[BatchFuture] = deque()  # have items that were given back, or had
        self._cutting = threading.RLock()  # to know its owner; taken once at a time
        self._seconds: float | None = None  # per item; guarded by self._cutting, as what follows
        self._bytes = 0.0  # per item
        self._under_way: set[BatchFuture] = set()  # sent and not known to be done
        self._largest = 0  # items in a batch that has been measured
        self._has_lost = False
        self._is_waiting = False  # the consumer can take nothing more; its own to set
        self._waiter: MapWaiter | None = None  # is told whatever comes of a batch, if the consumer does not block
        self._is_ordered = True
        self.on_progress: Callable[[Progress], object] | None = None
        """Called when an item reports."""

    def count_left(self) -> int:
        """Return how many results are to come, negative if it is not known. For the consumer.

        Blocks: while another thread cuts.
        """
        untaken = 0 if self._buffersize is None else length_hint(self._calls, -1)
        return untaken if untaken < 0 else untaken + holding(self._cutting, self._count_sent)

    def _count_sent(self) -> int:
        return len(self._items) + sum(len(batch.items) - batch.taken for batch in self._pending)

    def _learn(self) -> None:
        while self._measured:
            batch, items, seconds, is_done = self._measured.popleft()
            if is_done:
                self._under_way.discard(batch)
            if items:
                self._seconds = estimate(self._seconds, seconds, items)
                self._largest = max(self._largest, items)

    def note_done(self, batch: BatchFuture, items: int, seconds: float) -> None:
        """Note that a batch is done, and what so many of its items took. Never blocks, runs nobody's code.

        Doing so again does no harm.
        """
        self._measured.append((batch, items, seconds, True))

    @property
    def is_all_sent(self) -> bool:
        """Whether no item is there that a worker without work could be sent."""
        return not self._items and not self._returned

    def lateness(self, items: int) -> float:
        """Return the seconds after which a batch of so many items takes too long. May be called by any thread."""
        return lateness(self._seconds, items)

    @property
    def first(self) -> BatchFuture:
        """The batch whose results are next in the order."""
        return self._pending[0]

    def has_part(self) -> bool:
        """Return whether the next results are there, or there will be none: for a consumer that does not block."""
        if not self._pending:
            return True
        if self._is_ordered:
            return self._pending[0].has_arrived()
        for batch in [*self._pending]:
            while batch.again and not batch.is_replaced:  # not before the batch itself has ended
                self._pending.append(batch.again.popleft())
        return any(batch.has_arrived() for batch in [*self._pending])

    def _bring_forward(self) -> None:
        """Make a batch the first one of which something is there."""
        batch = next(batch for batch in [*self._pending] if batch.has_arrived())
        if batch is not self._pending[0]:
            self._pending.remove(batch)
            self._pending.appendleft(batch)

    def _begin_waiting(self) -> None:
        if self._buffersize is not None:
            self._is_waiting = True
            self.feed()  # what was to wait for the items that come for the results it takes

    def _send(self, items: "list[Any]", futures: "deque[BatchFuture]", start: int) -> None:
        """Submit a batch; one that cannot be pickled goes item by item, so that only the culprit fails."""
        raise NotImplementedError

    def note_rest(self, batch: BatchFuture, kept: int, seconds: float) -> None:
        """Note that a batch keeps so many items, and has run so long. Never blocks, runs nobody's code."""
        if batch.kept is None:
            batch.kept = kept
        if batch.left:
            self._returned.append(batch)  # again, perhaps, which does no harm, as what follows
        self._measured.append((batch, kept, seconds, False))  # last: who feeds looks here first

    def send_again(self, batch: BatchFuture) -> None:
        """Send the items of a batch that no worker could unpickle one by one. For the manager; runs the items' code."""
        batch.is_replaced = True
        try:
            holding(self._cutting, partial(self._send_each, batch))
        except BaseException:
            self.is_dropped = self._books.is_dirty = True  # whatever strikes from here on
            self.drop()
            raise
        self._feed_anyway()

    def _send_each(self, batch: BatchFuture) -> None:
        for place, each in enumerate(batch.items, batch.start):
            if self.is_dropped:
                self._has_lost = True
                break
            self._send([each], batch.again, place)
        self.note_done(batch, 0, 0.0)

    def _find_returned(self) -> BatchFuture | None:
        """Return the first batch that has items which were given back and not sent anew."""
        while self._returned:
            batch = self._returned[0]
            if batch.left:
                return batch
            self._returned.popleft()  # by who cuts alone
        return None

    def _send_rest(self, batch: BatchFuture) -> None:
        """Send some of the items that a batch has given back."""
        assert batch.kept is not None
        start = batch.kept + batch.resent
        size = rest_size(self._seconds, self._bytes, batch.left, self._pool.max_workers)
        items = batch.items[start : start + size]
        self._send(items, batch.again, batch.start + start)
        batch.resent += len(items)  # not before: its consumer looks here first, and then at `again`

    def _follow(self, batch: BatchFuture) -> None:
        """Put the batches that items of the first one were sent in, which has ended, before or in its place."""
        if batch.left and not batch.again:
            self._cut_rest(batch)
        again: list[BatchFuture] = []
        try:
            while True:
                again.append(batch.again.popleft())
        except IndexError:
            pass
        if not batch.left and not batch.again:
            self._pending.popleft()
        elif not again and self.is_dropped:
            raise CancelledError
        self._pending.extendleft(reversed(again))

    def _cut_rest(self, batch: BatchFuture) -> None:
        """Wait for who may be sending what a batch has given back, and send some of it if need be."""
        holding(self._cutting, partial(self._cut_rest_now, batch))
        self._feed_anyway()  # what was sent may have ended already: it could not be pickled

    def _cut_rest_now(self, batch: BatchFuture) -> None:
        if not batch.again and batch.left and not self.is_dropped:
            self._send_rest(batch)
