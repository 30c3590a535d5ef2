"""One call of `map`: cutting its items into batches, sending them in time, and its results in their order.

Owns what a batch is and who cuts the next one. How many items it gets is `_core.batch_sizes`'s; how it reaches a worker
and comes back is the pool's.

The items of a map without `buffersize` are collected before it returns, and pickled and sent a few batches ahead of the
workers, so that what the first ones took decides the size of the next. Whoever notices that a batch is done sends
another: the consumer, in its own thread, or the pool's manager. So the tasks all run, consumed or not, as if they had
been submitted at once; until the last one is done the pool counts the run among the maps that are open. With
`buffersize` the consumer asks the iterables for more as it takes results.

A message changes what is to be sent once: it is in `_measured` until somebody who cuts has learned of it, and that one
goes on to cut. So who feeds and finds nothing there has nothing to do. Who has another reason says so in `_is_asked`.

How items are taken, and sent while others are to come, is told in `_executor.taking`.

What becomes of items that a worker gives back is told in `_executor.returning`.

One thread cuts at a time, by `_cutting`. Pickling runs the items' own code, so no other lock is held then.
"""

from concurrent.futures import CancelledError
from functools import partial
from itertools import repeat, starmap
from time import monotonic

import interp_api
from interp_api import free_in_child, holding, is_held_here
from interp_pool._core.batch_sizes import HOLD, batches_ahead, is_worth_sending, next_size
from interp_pool._core.task import Task, name_task
from interp_pool._errors import TaskPicklingError
from interp_pool._executor.results import one_by_one
from interp_pool._executor.returning import Returning
from interp_pool._futures.batch_future import BatchFuture
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._futures.unread import note_read
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._pool.outcomes import payload_size, task_error
from interp_pool._process.locks import trying
from interp_pool._process.timer import timer
from interp_pool._wire.messages import BATCH, REPORTS, SINGLE, SPLIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._awaiting.map_waiter import MapWaiter
    from interp_pool._executor.results import Parts
    from interp_pool._executor.returning import EncodeBatch
    from interp_pool._futures.progress import Progress
    from interp_pool._options.task_options import TaskOptions
    from interp_pool._pool.pool import InterpreterPool
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._process.timer import Call


class MapRun(Returning):
    """One call of map. Thread safety: `feed` and `drop`; `parts` is the consumer's."""

    def __init__(
        self,
        pool: "InterpreterPool",
        open_tasks: "OpenTasks | None",
        encode: "EncodeBatch",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        size: int | None,
        buffersize: int | None,
        options: "TaskOptions",
        waiter: "MapWaiter | None" = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> None:
        """Take the items, or as many as the buffer size says, and send the first batches while they come.

        Args:
            pool: runs the batches.
            open_tasks: of the executor, if the pool is shared.
            encode: pickles a batch.
            fn: called for each item.
            iterables: as many as `fn` takes arguments.
            size: items per message; None means to decide by what the first ones take.
            buffersize: most items whose results have not been taken; None means no limit.
            options: of each batch.
            waiter: is told whatever comes of a batch, for a consumer that does not block; see `parts`.
            on_progress: called by the manager when an item reports.
        """
        self._options = None if options is NO_OPTIONS else options
        size = size if options.timeout is None else size or 1
        super().__init__(pool, fn, iterables, size, buffersize)
        self._waiter, self._is_ordered = waiter, waiter is None or waiter.is_ordered
        self.open_tasks, self._encode = open_tasks, encode
        self._flags = BATCH | (SINGLE if self._is_single else 0) | options.flags
        if on_progress is not None:
            self.listen(on_progress)
        self._is_asked = False  # somebody wanted to feed while another one did
        self._hold_until = 0.0  # on the monotonic clock; guarded by self._cutting, as follows
        self._count = 0  # items that were cut
        self._wanted = 0  # with a buffer size: items for the next batch, when it was last looked at
        self._alarm: Call | None = None
        self._alarm_at = 0.0
        self._take_first(iterables)

    def _open_map(self) -> None:
        # With the lock: who cuts would close a map that it thinks has no items.
        holding(self._cutting, partial(self._pool.open_map, self, self.open_tasks))

    @property
    def is_cut_here(self) -> bool:
        """Whether this thread is sending batches, further up its stack, and others have to wait for it."""
        return is_held_here(self._cutting)

    def feed(self) -> None:
        """Send as many batches as there should be ahead of the workers, if a message has changed how many that is.

        Never blocks; runs the items' own code.
        """
        if self._measured or self._is_asked or self._is_waiting:  # otherwise others have seen to it
            self._feed_anyway()

    def _feed_anyway(self) -> None:
        self._is_asked = True
        if self.is_cut_here:  # further up the stack, which goes on
            return
        try:
            self._cut_while_asked()
        except BaseException:
            self.is_dropped = self._books.is_dirty = True  # whatever strikes from here on
            self.drop()
            raise

    def _cut_while_asked(self) -> None:
        # Somebody else may have been refused since the last look, and relies on this one.
        while trying(self._cutting, self._cut_all) and (self._measured or self._is_asked):
            pass

    def _cut_all(self) -> None:
        self._is_asked = False
        while self._cut():
            pass
        if not self._items and not self._under_way and not self._find_returned():
            self._close_map()

    def _are_too_few(self) -> bool:
        return len(self._items) < self._wanted and bool(self._under_way) and not self._measured

    def drop(self) -> None:
        """Send no more items; who waits for their results gets CancelledError."""
        self.is_dropped = True
        self._has_lost = self._has_lost or bool(self._items) or self._is_taking
        self._items.clear()
        self._returned.clear()
        self.call_for_items()  # of which there will be none
        self._close_map()

    def _close_map(self) -> None:
        alarm = self._alarm
        if alarm is not None:
            alarm.cancel()
        self._pool.close_map(self, self.open_tasks)

    def lose(self) -> None:
        """In a forked child: send nothing more, for the items that were collected are the parent's."""
        free_in_child(self._cutting)
        self.is_dropped = True
        self._has_lost = self._has_lost or bool(self._items)
        self._items.clear()
        self._returned.clear()

    def _send_at_once(self) -> None:
        try:
            holding(self._cutting, self._cut_urgently)
        except BaseException:
            self.is_dropped = self._books.is_dirty = True  # whatever strikes from here on
            self.drop()
            raise

    def _cut_urgently(self) -> None:
        while self._cut(is_urgent=True):
            pass

    def _cut_the_first(self) -> bool:
        """When no batch is pending: wait for who may be cutting one, and cut one if need be; False at the end."""
        is_there = holding(self._cutting, lambda: bool(self._pending) or self._cut(is_urgent=True))
        self._feed_anyway()  # it has learned what others would have fed for
        return is_there

    def _cut(self, *, is_urgent: bool = False) -> bool:
        """Send one batch if it is time for one; return whether it was."""
        self._learn()
        workers = self._pool.max_workers
        seconds = None if self._seconds is None else self._seconds * self._largest
        if self.is_dropped or (len(self._under_way) >= batches_ahead(seconds, workers) and not is_urgent):
            return False
        if self._returned:
            returned = self._find_returned()
            if returned is not None:
                self._send_rest(returned)
                return True
        remaining = len(self._items)
        if self._is_taking and not is_urgent and not self._is_enough(remaining):
            self.call_for_items()  # M1
            remaining = len(self._items)
            if not self._is_enough(remaining):
                self._hold(remaining)
                return False
        if not remaining:
            return False
        if self._buffersize is None:
            size = self._size or next_size(self._seconds, self._bytes, self._largest, remaining, workers)
        else:
            size = self._size or next_size(self._seconds, self._bytes, self._largest, self._buffersize, workers)
            self._wanted = min(size, self._buffersize)
            is_whole = remaining >= self._wanted
            if not (is_whole or is_urgent or not self._under_way or (self._is_waiting and self._pool.has_idle)):
                return False  # results are taken one by one: wait for a whole batch, unless the workers run dry
        batch: list[Any] = []
        try:
            if size == 1:
                batch.append(self._items.popleft())
            else:
                batch.extend(starmap(self._items.popleft, repeat((), size)))  # in C: a third of the time
        except IndexError:
            pass  # no more, or dropped meanwhile
        if batch:
            self._count += len(batch)
            self._send(batch, self._pending, self._count - len(batch))
            if self._is_taking:
                self._hold_until = monotonic() + HOLD
        return True

    def _is_enough(self, remaining: int) -> bool:
        """While more items may come: whether those that are there are to be sent now."""
        if self._size is not None:
            return remaining >= min(self._size, self._buffersize or self._size)
        return remaining > 0 and (is_worth_sending(self._seconds, remaining) or monotonic() >= self._hold_until)

    def _hold(self, remaining: int) -> None:
        """If there are a few tiny items, let them wait for others, but not long."""
        if self._size is None and remaining and self.is_open:
            self._starving.clear()  # or the consumer would ask for each of them
            if self._alarm_at < self._hold_until:
                self._alarm_at = self._hold_until
                self._alarm = timer.call_at(self._hold_until, self._feed_soon)

    def _feed_soon(self) -> None:
        """Called by the timer."""
        self._is_asked = True
        self._pool.feed_soon(self)

    def listen(self, on_progress: "Callable[[Progress], object]") -> None:
        """Have something called when an item reports; of batches that were sent before it is not known which item."""
        self.on_progress = on_progress
        self._flags |= REPORTS

    def _send(self, items: "list[Any]", futures: "deque[BatchFuture]", start: int) -> None:
        """Submit a batch; one that cannot be pickled goes item by item, so that only the culprit fails."""
        future = BatchFuture(self._pool, self, items, start)
        if self._waiter is not None:
            future.watch(self._waiter)
        try:
            payload = self._encode(self._fn, items, is_single=self._is_single)
        except TaskPicklingError as exc:
            if len(items) > 1:
                for place, each in enumerate(items, start):
                    self._send([each], futures, place)
                return
            futures.append(future)
            future.fail(exc)
            return
        self._bytes = payload_size(payload) / len(items)
        futures.append(future)
        options = self._options
        control = None if options is None else TaskControl(options)
        if options is not None:
            future.is_interrupted_by_cancel = bool(options.interrupt_on_cancel)
        # What only the consumer may pickle, in the body of a module, cannot be sent anew by others.
        may_split = len(items) > 1 and self._size is None and not self._is_at_once
        flags = self._flags | SPLIT if may_split else self._flags
        item = Task(future, self._fn, payload, self.open_tasks, flags, len(items), control)
        if options is not None and options.is_too_late():
            future.fail(TaskControl(options, Reason.DEADLINE).error(item.name, "was not started"))
            return
        try:
            if self.open_tasks is not None:
                self.open_tasks.add(item)
            self._under_way.add(future)
            self._pool.submit(item)
            if may_split and not self._items:
                self._pool.watch_batches()
        except (RuntimeError, MemoryError) as exc:  # the pool's; others are those of signal handlers
            self._under_way.discard(future)
            future.fail(exc)
            item.end()

    def parts(self, end: float | None, keeps: object) -> "Parts":  # noqa: ARG002  # kept by being there
        """Yield iterators over the results, in parts; where there is a waiter, None until the next one is there.

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
                if self._waiter is not None and not self.has_part():
                    self._begin_waiting()
                    yield None
                    self._is_waiting = False
                    continue
                part = self._next_part(end)
                self.feed()  # before the consumer's own code, which may take long, runs again
                if part is None:
                    continue
                results, failures = part
                del part
                first = min(failures, default=None)
                if first is not None:
                    del results[first:]
                yield one_by_one(results) if self._buffersize is None else map(self._taken, one_by_one(results))
                self._raise_one_of(failures, first)
        finally:
            self.stop()

    def stop(self) -> "list[BatchFuture]":
        """Send nothing more, and cancel what was sent; return that. The consumer's, who takes no more results.

        Doing so again does no harm.
        """
        unwanted = self.give_up()
        self._pending.clear()
        return unwanted

    def give_up(self) -> "list[BatchFuture]":
        """Do so while the consumer takes results, which gets CancelledError in place of those that do not come."""
        try:
            self.is_dropped = True
            self.drop()
        except BaseException:
            self._books.is_dirty = True  # the manager closes what is dropped
            raise
        unwanted = [*self._pending]
        for batch in unwanted:
            unwanted.extend(batch.again)  # which grows while it is gone through: these may have some too
            batch.cancel_or_interrupt()
            note_read(batch)  # its consumer wants no more of it
        if unwanted:
            self._pool.recall(unwanted)
        return unwanted

    def _taken(self, result: "Any") -> "Any":
        if not self.is_dropped:
            self._untaken -= 1
            self._take_more()
        return result

    def _raise_one_of(self, failures: "dict[int, tuple[int, Any]]", position: int | None) -> None:
        if position is not None:
            kind, failure = failures[position]
            raise task_error(kind, failure, name_task(self._fn, self._options, is_map=True))

    def _next_part(self, end: float | None) -> "tuple[list[Any], dict[int, tuple[int, Any]]] | None":
        """Wait for the next results of the first batch; None if those came before, or another one is first now."""
        if not self._is_ordered:
            self._bring_forward()
        batch = self._pending[0]
        if not batch.has_arrived():
            self._begin_waiting()
        try:
            batch.wait_for_part(None if end is None else end - monotonic())
        finally:
            self._is_waiting = False
        if batch.parts:
            part: Any = batch.parts.popleft()
            if batch.has_returned and batch.kept is None and not batch.again:  # nearly always
                self._pending.popleft()
            is_payload = type(part) is bytes or len(part) != 3
            content: Any = interp_api.decode(part) if is_payload else part
            start, results, failures = content
            if start < batch.taken:
                return None
            batch.taken += len(results)
            if failures:
                note_read(batch)
            return results, failures
        if batch.kept is None and not batch.again:
            self._pending.popleft()
        error = None if batch.is_replaced and batch.again else batch.exception()
        if error is not None:
            del batch
            raise error
        if self._pending and self._pending[0] is batch:
            self._follow(batch)
        return None
