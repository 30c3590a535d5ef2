"""A batch of `map` in a worker: its items one after the other, and giving back those that have not begun.

Runs INSIDE a worker interpreter. Owns which items of a batch are run here. It must not know how a batch came or how a
failure is encoded.

The items are a list, and the loop takes them through one iterator of it, in C. Such an iterator asks for the length of
its list at each step. So whoever cuts the list short has the loop end after the item it is in:

    R1  the control thread reads how many items the iterator has left, and deletes so many at the end of the list
    R2  it reads how many the iterator has given out, and tells the pool that the worker keeps these

The task's thread may take items between the two halves of R1: then the list is shorter than what was given out, and the
iterator ends all the same. After R1 it gives nothing out any more, so what R2 reads is final: each item has either been
given out or is behind it. An iterator that has noticed its end has no position; then the task's thread tells. It tells
in any case, when the batch ends with items left, and before the outcome: what the control thread says may come too
late. Both say the same number, and the pool takes the first.

A batch that has run for long gives the rest back by itself, after the item it is in.

The results that are there wait for the item that runs, and somebody may wait for them, or the item for what comes of
them. So who is asked sends them, if no code of theirs is needed for it. One lock decides who sends the next part:

    S1  the control thread takes the lock, unless it is taken; copies what was not sent, puts it, and notes how much
    S2  the task's thread takes it, and takes what was not sent; from then on there is nothing for S1
"""

import sys
from _thread import allocate_lock
from itertools import islice, starmap
from time import perf_counter

from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import BATCH_PART, BATCH_REST, SINGLE, SPLIT, TASK_FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._wire.messages import Failure, Payload

HASTE = 1e-4  # seconds that a thread waits for a running one to give way, instead of 5 ms
_PART = 2e-3  # seconds after which a batch sends the results it has
_LONG = 4e-3  # seconds after which it gives back what it has not begun: it was meant to take 1.5 ms
_MUCH = 1e-3  # seconds that the rest may take; less is not worth a message
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))  # what can be sent without running its code


class Batch:
    """A batch that runs. `give_back` is the control thread's, the rest belongs to the task's thread."""

    __slots__ = (
        "_count",
        "_encode_part",
        "_failures",
        "_flags",
        "_items",
        "_iterator",
        "_parting",
        "_put",
        "_rest",
        "_results",
        "_sent",
        "_start",
        "_started",
        "_usual",
        "_work_id",
    )

    def __init__(
        self,
        work_id: int,
        items: "list[Any]",
        flags: int,
        put: "Callable[[object], None]",
        encode_part: "Callable[[int, list[object], dict[int, tuple[int, Failure]]], Payload]",
    ) -> None:
        """Prepare to run a batch.

        Args:
            work_id: of the task.
            items: of the batch.
            flags: of its call item.
            put: takes result items.
            encode_part: encodes the place of the first result, results, and failures by position among these.
        """
        self._work_id, self._items, self._flags, self._put = work_id, items, flags, put
        self._encode_part = encode_part
        self._parting = allocate_lock()
        # Of the next part: the place of the first result in the batch, and how many of its results are sent already;
        # guarded by the lock, but for what is appended.
        self._start = 0
        self._results: list[object] = []
        self._failures: dict[int, tuple[int, Failure]] = {}
        self._sent = 0
        self._count = len(items)
        self._iterator: Any = iter(items)
        self._started = perf_counter()
        # What was given back: it may end objects of the user's, which is for the task's thread to do.
        self._rest: list[Any] = []
        self._usual: float | None = None  # the switch interval, while it is another one

    def give_back(self, work_id: int) -> None:
        """Give back what has not begun, if this is that batch, and send what is done. Called by the control thread."""
        if work_id != self._work_id or not self._flags & SPLIT:
            return
        self._send_what_is_done()
        left = self._iterator.__length_hint__()  # R1
        if left:
            self._cut(len(self._items) - left)
            position = self._iterator.__reduce__()[2:]  # R2
            if position:
                self._put((BATCH_REST, work_id, position[0], perf_counter() - self._started))

    def _send_what_is_done(self) -> None:
        if not self._parting.acquire(blocking=False):
            return  # the task's thread is about to
        try:
            done = self._results[self._sent :]
            if done and _PLAIN.issuperset(map(type, done)):
                self._put((BATCH_PART, self._work_id, self._encode(done), 0.0))
                self._sent += len(done)
        finally:
            self._parting.release()

    def _encode(self, results: list[object]) -> "Payload":
        """Encode results that have not been sent, with the failures among them."""
        sent, failures = self._sent, self._failures
        end = sent + len(results)
        among = {position - sent: failures[position] for position in [*failures] if sent <= position < end}
        return self._encode_part(self._start + sent, results, among)

    def _take_part(self) -> "Payload":
        """Return what has not been sent, encoded, and begin another part. The task's thread's (S2)."""
        with self._parting:
            results = self._results[self._sent :] if self._sent else self._results
            payload = self._encode(results)
            self._start += len(self._results)
            self._results, self._failures, self._sent = [], {}, 0
        return payload

    def _cut(self, count: int) -> None:
        self._rest.extend(self._items[count:])
        del self._items[count:]

    def run(
        self,
        function: "Callable[..., Any]",
        encode_error: "Callable[[BaseException], Failure]",
        flush: "Callable[[], object]",
    ) -> "tuple[Payload, float]":
        """Run the items that are not given back; put all results but the last ones, which are returned encoded.

        Call `end` afterwards, also when it was struck.

        Args:
            function: called for each item.
            encode_error: encodes what it raised.
            flush: called before results are put that are not the last ones.

        Returns:
            The last results, and the seconds that all of it took.

        Raises:
            TaskInterrupted: the batch, which is one task, was told to stop.
        """
        items, iterator, flags = self._items, self._iterator, self._flags
        if flags & SPLIT:
            usual = sys.getswitchinterval()
            if usual > HASTE:
                self._usual = usual
                # The control thread, asked for the rest, would wait so long for an item that is long after all.
                sys.setswitchinterval(HASTE)  # of this interpreter alone
        apply: Any = map if flags & SINGLE else starmap
        results, failures = self._results, self._failures
        done, step = 0, 1
        sent = self._started
        # The list may become shorter at any time, and then has no more items than were given out.
        while (left := len(items) - done) > 0:
            before, expected = len(results), min(step, left)
            try:
                results.extend(apply(function, islice(iterator, expected)))
                if len(results) - before < expected and len(iterator.__reduce__()) > 2:
                    # The list of results took the StopIteration of an item for the end; the iterator has not ended.
                    failures[len(results)] = TASK_FAILED, encode_error(StopIteration())
                    results.append(None)
            except TaskInterrupted:
                raise
            except BaseException as exc:  # what came before it in this step is there
                failures[len(results)] = TASK_FAILED, encode_error(exc)
                results.append(None)
            done += len(results) - before
            now = perf_counter()
            left = len(items) - done
            if left <= 0 or now - sent <= _PART:
                step *= 2
                continue
            seconds = now - self._started
            if flags & SPLIT and seconds > _LONG and left * seconds > _MUCH * done:
                self._cut(done)
                break
            flush()
            self._put((BATCH_PART, self._work_id, self._take_part(), 0.0))
            results, failures, sent, step = self._results, self._failures, now, 1
        seconds = perf_counter() - self._started
        if done < self._count:
            self._put((BATCH_REST, self._work_id, done, seconds))
        return self._take_part(), seconds

    def end(self) -> None:
        """Restore what `run` has changed. Doing so again does no harm."""
        usual = self._usual
        if usual is not None and abs(sys.getswitchinterval() - HASTE) < HASTE / 10:  # otherwise an item has set it
            sys.setswitchinterval(usual)
        self._usual = None
