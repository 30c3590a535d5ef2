"""`map` over a cluster: batches whose size follows what items take.

Owns which items go in which message, and when. Without a buffersize the iterables are consumed first, and messages go
as others come back: the first in the caller's thread, the others in the client's event loop, where their items are
pickled. With one the caller's thread takes items, and sends them, as results are taken.

One thread sends at a time; another that has a reason to, because a batch came back, leaves it to that one.

Thread safety: results are taken by one thread at a time.
"""

import threading
from collections import deque
from concurrent.futures import Future
from itertools import islice, repeat, starmap
from time import monotonic

from interp_pool._core.batch_sizes import estimate
from interp_pool._dask.batches import messages_ahead, next_size
from interp_pool._dask.calls import pack, run_packed_batch, shape_of_call
from interp_pool._executor.refusals import pickling_error
from interp_pool._pool.outcomes import without_frames
from interp_pool._wire.decoding import decode_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any

    from interp_pool._dask.cluster import Cluster
    from interp_pool._dask.cluster_options import ClusterOptions


class ClusterMap:
    """One `map` on its way."""

    def __init__(
        self,
        cluster: "Cluster",
        options: "ClusterOptions",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        chunksize: int | None,
        buffersize: int | None,
    ) -> None:
        """Send the first messages.

        Args:
            cluster: to send them to.
            options: of each message.
            fn: see `ClusterExecutor.map`, as what follows.
            iterables: as there.
            chunksize: as there.
            buffersize: as there.
        """
        self._cluster, self._options, self._fn = cluster, options, fn
        self._chunksize, self._buffersize = chunksize, buffersize
        calls: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
        items = [*calls] if buffersize is None else None
        self._calls = calls if items is None else iter(items)  # taken by the thread that sends
        self._left = None if items is None else len(items)  # items that were not sent, as far as it is known
        self._threads = cluster.count_threads()
        self._name = getattr(fn, "__name__", None) or type(fn).__name__
        self._lock = threading.RLock()  # a finalizer may close this map in the middle
        # The rest is guarded by it.
        self._line: deque[Future[Any]] = deque()  # of the batches that were sent, in order
        self._under_way = 0  # batches
        self._buffered = 0  # items whose results were not taken
        self._seconds: float | None = None  # per item
        self._bytes, self._largest = 0.0, 1
        self._is_closed = self._is_sending = self._must_look_again = False
        cluster.check_open()
        if self._left:
            cluster.note_map(self)
        try:
            self._send_more()
        except BaseException:
            self._close()
            raise

    def results(self, end: float | None) -> "Generator[Any]":
        """Yield the results in order.

        Args:
            end: on the monotonic clock; None means no limit.

        Raises:
            TimeoutError: the time is up.
            Exception: what `fn` raised, or what became of a batch.
        """
        try:
            while True:  # no condition here, see tests/test_bytecode.py
                outcomes = self._next_outcomes(end)
                if outcomes is None:
                    return
                yield from starmap(self._value, repeat((outcomes,), len(outcomes)))  # none stays here longer
        finally:
            self._close()

    def cancel_rest(self) -> None:
        """Send nothing more; who takes the results gets a CancelledError where the others would come."""
        with self._lock:
            is_open = not self._is_closed and self._left != 0
            self._is_closed = True
            if is_open:
                none: Future[Any] = Future()
                none.cancel()
                none.set_running_or_notify_cancel()
                self._line.append(none)
        self._cluster.forget_map(self)

    def _next_outcomes(self, end: float | None) -> "deque[Any] | None":
        if self._buffersize is not None:
            self._send_more()
        with self._lock:
            if not self._line:
                return None
            future = self._line[0]
        outcomes, _ = future.result(None if end is None else max(0.0, end - monotonic()))
        with self._lock:
            self._line.popleft()
        return deque(outcomes)

    def _value(self, outcomes: "deque[Any]") -> "Any":
        is_result, value = outcomes.popleft()
        with self._lock:
            self._buffered -= 1
        if is_result:
            return value
        raise decode_failure(value, f"{self._name}()")

    def _close(self) -> None:
        """Send nothing more, and cancel what was sent."""
        with self._lock:
            self._is_closed = True
            futures = [*self._line]
            self._line.clear()
        self._cluster.forget_map(self)
        for future in futures:
            future.cancel()

    def _send_more(self) -> None:
        """Send what there is room for, unless another thread does."""
        with self._lock:
            self._must_look_again = True
            if self._is_sending:
                return
            self._is_sending = True
        try:
            self._send_all()
        except BaseException:
            with self._lock:
                self._is_sending = False
            raise

    def _send_all(self) -> None:
        while self._send_one():
            pass

    def _send_one(self) -> bool:
        """Send a batch; return whether to go on."""
        with self._lock:
            self._must_look_again = False
            size = self._room()
        items = [*islice(self._calls, size)]  # without the lock: this may be the user's code
        if items:
            self._send(items)
            return True
        with self._lock:
            if size:
                self._left = 0
            if not self._must_look_again:
                self._is_sending = False
            return self._must_look_again

    def _room(self) -> int:
        """Return how many items the next batch has, 0 if none is to go now."""
        if self._is_closed or self._left == 0:
            return 0
        if self._buffersize is None:
            if self._chunksize is not None:
                return self._chunksize
            return 0 if self._is_far_ahead() else self._size()
        room = self._buffersize - self._buffered
        if room <= 0 or (self._chunksize is None and self._is_far_ahead()):
            return 0
        if self._chunksize is not None:
            return min(self._chunksize, room)
        return min(self._size(), max(1, self._buffersize // (2 * self._threads)), room)

    def _is_far_ahead(self) -> bool:
        return self._under_way >= messages_ahead(self._threads)

    def _size(self) -> int:
        return next_size(self._seconds, self._bytes, self._largest, self._left, self._threads)

    def _send(self, items: "list[tuple[Any, ...]]") -> None:
        future = self._cluster.begin(is_part=True)
        with self._lock:
            self._line.append(future)
            self._under_way += 1
            self._buffered += len(items)
            if self._left is not None:
                self._left -= len(items)
            is_last, is_closed = self._left == 0, self._is_closed
        future.add_done_callback(self._note_done)
        try:
            call = pack((self._fn, items), shape_of_call(self._fn, items[0]))
        except Exception as exc:
            args: Any = items[0]
            self._cluster.fail(future, pickling_error(self._fn, args, {}, without_frames(exc)))
        else:
            with self._lock:
                self._bytes = len(call.data) / len(items)
            try:
                self._cluster.send(future, run_packed_batch, call, self._name, self._options)
            except Exception as exc:
                self._cluster.fail(future, exc)
        if is_closed:
            future.cancel()  # who closed it meanwhile has not seen it
        if is_last:
            self._cluster.forget_map(self)

    def _note_done(self, future: "Future[Any]") -> None:
        """Note a batch that has come back, and send others. Runs in the client's event loop."""
        outcomes: list[Any] = []
        seconds: float | None = None
        if not future.cancelled() and future.exception() is None:
            outcomes, seconds = future.result()
        with self._lock:
            self._under_way -= 1
            self._threads = self._cluster.threads_lately()
            if seconds is not None and outcomes:
                self._seconds = estimate(self._seconds, seconds, len(outcomes))
                self._largest = max(self._largest, len(outcomes))
        if self._buffersize is None:
            self._send_more()
