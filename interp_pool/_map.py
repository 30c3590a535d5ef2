"""One call of `map`: cutting its items into batches, sending them in time, and its results in their order.

Owns what a batch is and who cuts the next one. How many items it gets is `_batching`'s; how it reaches a worker and
comes back is the pool's.

The items of a map without `buffersize` are collected at once, but pickled and sent a few batches ahead of the workers,
so that what the first ones took decides the size of the next. Whoever notices that a batch is done sends another:
the consumer, in its own thread, or the pool's manager. So the tasks all run, consumed or not, as if they had been
submitted at once; until the last one is done the pool counts the run among what it has promised to do. With
`buffersize` the consumer asks the iterables for more as it takes results.

A batch that no worker can unpickle goes again, item by item, in its place: only the culprit fails, and nobody need wait
for the others to have them run.

One thread cuts at a time, by `_cutting`. Pickling runs the items' own code, so no other lock is held then.
"""

import threading
from collections import deque
from concurrent.futures import CancelledError
from itertools import islice
from time import monotonic

import interp_api
from interp_pool._batching import batches_ahead, estimate, next_size
from interp_pool._errors import TaskPicklingError
from interp_pool._failures import decode_failure
from interp_pool._future import BatchFuture
from interp_pool._ledger import release_if_held
from interp_pool._messages import BATCH, SINGLE, TIMED
from interp_pool._stopping import Reason, TaskControl
from interp_pool._task_options import NO_OPTIONS
from interp_pool._work import WorkItem, payload_size, task_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any, Protocol

    from interp_pool._ledger import Ledger
    from interp_pool._messages import Payload
    from interp_pool._pool import InterpreterPool
    from interp_pool._task_options import TaskOptions

    class EncodeBatch(Protocol):
        """Pickles a batch; raises TaskPicklingError."""

        def __call__(self, fn: "Callable[..., Any]", items: list[Any], *, is_single: bool) -> "Payload": ...


class MapRun:
    """One call of map. Thread safety: `feed` and `drop`; `results` is the consumer's."""

    def __init__(
        self,
        pool: "InterpreterPool",
        ledger: "Ledger | None",
        encode: "EncodeBatch",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        size: int | None,
        buffersize: int | None,
        options: "TaskOptions",
    ) -> None:
        """Collect the items, unless there is a buffer size, and send the first batches.

        Args:
            pool: runs the batches.
            ledger: of the executor, if the pool is shared.
            encode: pickles a batch.
            fn: called for each item.
            iterables: as many as `fn` takes arguments.
            size: items per message; None means to decide by what the first ones take.
            buffersize: most items whose results have not been taken; None means no limit.
            options: of each batch.
        """
        self._options = None if options is NO_OPTIONS else options
        if options.timeout is not None:
            size = size or 1
        self._pool, self.ledger, self._encode, self._fn = pool, ledger, encode, fn
        self._size, self._buffersize = size, buffersize
        # The items of one iterable go without a tuple around each: pickling them takes a quarter of the time.
        self._is_single = len(iterables) == 1
        self._flags = BATCH | (SINGLE if self._is_single else 0) | (0 if options.timeout is None else TIMED)
        self._calls: Iterator[Any] = iter(iterables[0]) if self._is_single else zip(*iterables, strict=False)
        self._items: deque[Any] = deque()  # collected and not sent
        self._untaken = 0  # items collected whose results have not been taken
        self._pending: deque[BatchFuture] = deque()  # sent, in order
        self._measured: deque[tuple[int, float]] = deque()  # batches done since the last cut: items, seconds
        self._under_way = 0  # batches sent and not known to be done; guarded by self._cutting, as what follows
        self._seconds: float | None = None  # per item
        self._bytes = 0.0  # per item
        self._largest = 0  # items in a batch that has been measured
        self._cutting = threading.RLock()  # for release_if_held(); taken once at a time
        self._is_dropped = self._has_lost = False
        try:
            self._collect()
        except BaseException:
            self.drop()
            raise

    def _collect(self) -> None:
        """Take as many items from the iterables as may be taken now, and send what can be. For the consumer only."""
        room = None if self._buffersize is None else self._buffersize - self._untaken
        collected = list(islice(self._calls, room))
        if collected:
            self._untaken += len(collected)
            with self._cutting:
                self._pool.promise(self, self.ledger)
                self._items.extend(collected)
        self.feed()

    def note_done(self, items: int, seconds: float) -> None:
        """Note that a batch is done, and what so many of its items took. Never blocks, runs nobody's code."""
        self._measured.append((items, seconds))

    def feed(self) -> None:
        """Send as many batches as there should be ahead of the workers. Never blocks; runs the items' own code."""
        try:
            while self._cutting.acquire(blocking=False):
                try:
                    while self._cut():
                        pass
                    if not self._items and not self._under_way:
                        self._pool.redeem(self, self.ledger)
                finally:
                    self._cutting.release()
                # Somebody else may have been refused since `_cut` looked, and relies on this one.
                if not self._measured:
                    return
        except BaseException:
            release_if_held(self._cutting)
            self.drop()
            raise

    def drop(self) -> None:
        """Send no more items; who waits for their results gets CancelledError."""
        self._is_dropped = True
        self._has_lost = self._has_lost or bool(self._items)
        self._items.clear()
        self._pool.redeem(self, self.ledger)

    def _cut_the_first(self) -> bool:
        """When no batch is pending: wait for who may be cutting one, and cut one if need be; False at the end."""
        try:
            with self._cutting:
                return bool(self._pending) or self._cut(is_urgent=True)
        except BaseException:
            release_if_held(self._cutting)
            raise

    def _cut(self, *, is_urgent: bool = False) -> bool:
        """Send one batch if it is time for one; return whether it was."""
        self._learn()
        workers = self._pool.max_workers
        seconds = None if self._seconds is None else self._seconds * self._largest
        if self._is_dropped or (self._under_way >= batches_ahead(seconds, workers) and not is_urgent):
            return False
        remaining = len(self._items)
        if not remaining:
            return False
        if self._buffersize is None:
            size = self._size or next_size(self._seconds, self._bytes, self._largest, remaining, workers)
        else:
            size = self._size or next_size(self._seconds, self._bytes, self._largest, self._buffersize, workers)
            if remaining < min(size, self._buffersize) and self._under_way and not is_urgent:
                return False  # results are taken one by one: wait for a whole batch, unless the workers run dry
        batch: list[Any] = []
        try:
            while len(batch) < size:
                batch.append(self._items.popleft())
        except IndexError:
            pass  # no more, or dropped meanwhile
        if batch:
            self._send(batch, self._pending)
        return True

    def _learn(self) -> None:
        while self._measured:
            items, seconds = self._measured.popleft()
            self._under_way -= 1
            if items:
                self._seconds = estimate(self._seconds, seconds, items)
                self._largest = max(self._largest, items)

    def send_again(self, batch: BatchFuture) -> None:
        """Send the items of a batch that no worker could unpickle one by one. For the manager; runs the items' code."""
        try:
            with self._cutting:
                for each in batch.items:
                    if not self._is_dropped:
                        self._send([each], batch.again)
                self.note_done(0, 0.0)
        except BaseException:
            self.drop()
            raise
        self.feed()

    def _send(self, items: "list[Any]", futures: "deque[BatchFuture]") -> None:
        """Submit a batch; one that cannot be pickled goes item by item, so that only the culprit fails."""
        future = BatchFuture(self._pool, self, items)
        try:
            payload = self._encode(self._fn, items, is_single=self._is_single)
        except TaskPicklingError as exc:
            if len(items) > 1:
                for each in items:
                    self._send([each], futures)
                return
            futures.append(future)
            future.fail(exc)
            return
        self._bytes = payload_size(payload) / len(items)
        futures.append(future)
        options = self._options
        control = None if options is None else TaskControl(options)
        if options is not None:
            future.is_interrupted_by_cancel = options.interrupt_on_cancel
        item = WorkItem(future, self._fn, payload, self.ledger, self._flags, len(items), control)
        if options is not None and options.is_too_late():
            future.fail(TaskControl(options, Reason.DEADLINE).error(item.name, "was not started"))
            return
        try:
            if self.ledger is not None:
                self.ledger.add(item)
            self._pool.submit(item)
            self._under_way += 1
        except Exception as exc:
            future.fail(exc)
            item.end()

    def results(self, end: float | None, keeps: object) -> "Generator[Any]":  # noqa: ARG002  # kept by being there
        """Yield the results in order; send nothing more when the consumer stops.

        Args:
            end: when to raise TimeoutError, on the monotonic clock; None means never.
            keeps: what must live until the last item is sent.
        """
        try:
            while True:
                if not self._pending and not self._cut_the_first():
                    if self._has_lost:
                        raise CancelledError
                    return
                part = self._next_part(end)
                self.feed()  # before the consumer's own code, which may take long, runs again
                if part is None:
                    continue
                results, failures = part
                del part
                first = min(failures, default=None)
                if first is not None:
                    del results[first:]
                results.reverse()
                while results:
                    self._untaken -= 1
                    if self._buffersize is not None:
                        self._collect()
                    yield results.pop()  # no reference to it stays here
                if first is not None:
                    kind, failure = failures[first]
                    raise task_error(kind, decode_failure(failure))
        finally:
            self.drop()
            while self._pending:
                self._pending.popleft().cancel()

    def _next_part(self, end: float | None) -> "tuple[list[Any], dict[int, tuple[int, Any]]] | None":
        """Wait for the next results of the first batch; None if that has no more and another one is first now."""
        batch = self._pending[0]
        batch.wait_for_part(None if end is None else end - monotonic())
        if batch.parts:
            part: Any = batch.parts.popleft()
            return interp_api.decode(part) if type(part) is bytes else part  # type: ignore[return-value]  # as sent
        self._pending.popleft()
        self._pending.extendleft(reversed(batch.again))
        error = None if batch.again else batch.exception()
        if error is not None:
            del batch
            raise error
        return None
