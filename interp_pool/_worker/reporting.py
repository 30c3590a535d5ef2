"""`report`: what a task tells of its progress; runs INSIDE a worker, or wherever a task does.

Owns how much of it is told, and when. To whom is the pool's: what is told goes as everything does (`_worker.telling`).

A task may tell a burst of BURST messages at once, and otherwise one in INTERVAL; what comes more often is withheld, and
of that the latest is kept. It goes with the next message, or before the outcome of the task: so the last report of a
task is always heard before its future is done. No timer is needed, and no lock, which a strike could leave locked:

    P1  a report is put into `_latest`, which holds one, in the place of another
    P2  what is to go is told, then taken out if it is still there

Between the two another thread of the task may report: then that is there, and not taken out. What strikes between them
has the same told twice, which is harmless.

The items of a map share what may be told, with those of other batches. If somebody hears it, the first report of an
item goes at once all the same, and the last one before its result, with the place of the item in its batch. Otherwise
the place is not known, and the last one of a batch is dropped.
"""

import sys
from time import monotonic

from interp_pool._wire.messages import INITIALIZING, PROGRESS, TASK
from interp_pool._worker.surroundings import endings, in_place
from interp_pool._worker.telling import ALL, tell_as, teller_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any
else:
    from _collections import deque  # what `collections` would add costs a worker a millisecond

INTERVAL = 0.125  # seconds; with BURST this makes at most 20 messages a second
BURST = 12
_SLACK = INTERVAL * (BURST - 1)
_LARGEST = (1 << 63) - 1  # of the whole numbers that cross a queue
_NUMBERS, _TOTALS, _TEXTS = frozenset((int, float)), frozenset((int, float, type(None))), frozenset((str, type(None)))


def report(done: float, total: float | None = None, message: str | None = None) -> None:
    """Tell how far the task is that this runs in.

    Who has its future sees it in `future.progress()`, and of an item of a map that was given `on_progress` that is
    called. Anywhere else nothing comes of it: in the program itself, in an initializer, in other executors.

    Call it as often as you like: of what is more than 20 messages a second it keeps the latest, which takes less than a
    microsecond, and goes with a later one, or at the end of the task. The last report of a task is never lost.

    Args:
        done: how much of the work is done; in any unit, from 0.
        total: how much there is, None if that is not known.
        message: what the task is at.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is negative or not a number.

    Never blocks. Thread safety: yes, also in threads that the task has started. One that is left running when the task
    has ended reports for the next one.
    """
    if type(done) not in _NUMBERS or type(total) not in _TOTALS or type(message) not in _TEXTS:
        done, total, message = _checked(done, total, message)
    if not done >= 0 or not (total is None or total >= 0):
        raise ValueError(f"done and total must be at least 0, got {done!r} and {total!r}")
    reports = _reports_here()
    if reports is not None:
        reports.note(done, total, message)


def _checked(done: object, total: object, message: object) -> tuple[float, float | None, str | None]:
    if message is not None and not isinstance(message, str):
        raise TypeError(f"message must be a str or None, got {message!r}")
    return (
        _number("done", done),
        None if total is None else _number("total", total),
        None if message is None else str.__str__(message),
    )


def _number(name: str, value: "Any") -> float:
    """Return a number as one of Python's own: those of other packages have both of these methods."""
    for method, kind in (("__index__", int), ("__float__", float)):
        if hasattr(value, method):
            return kind(value)
    raise TypeError(f"{name} must be a number, got {value!r}")


class _Reports:
    """What one task has reported, or a batch's items, one after the other.

    Thread safety: `note`; the rest is the task's thread's.

    Args:
        thread: see `surroundings.endings`, as what follows.
        work_id: of the task.
        teller: the way to the pool.
        is_batch: whether it shares what may be told with other batches.
        is_heard: whether somebody hears it who wants the last report.
    """

    __slots__ = ("_due", "_is_batch", "_is_first", "_is_heard", "_key", "_latest", "_position", "_teller")

    def __init__(self, thread: int, work_id: int, teller: "Any", *, is_batch: bool, is_heard: bool) -> None:
        self._key, self._teller, self._is_batch = (thread, work_id), teller, is_batch
        self._is_heard = self._is_first = is_heard
        self._position: int | None = None  # of the item in its batch
        self._latest: deque[tuple[float, float | None, str | None]] = deque(maxlen=1)
        self._due = _batches_due[0] if is_batch else 0.0  # on the monotonic clock: until when messages are used up
        endings[self._key] = self._end  # first: what strikes from here on leaves nothing behind
        _known[self._key] = self

    def note(self, done: float, total: float | None, message: str | None) -> None:
        """Tell a report, or keep it."""
        self._latest.append((done, total, message))  # P1
        now = monotonic()
        if now >= self._due - _SLACK or self._is_first:
            self._is_first = False
            self._due = max(self._due, now) + INTERVAL
            self.tell()

    def tell(self) -> None:
        """Tell the latest report, if it was not told."""
        for latest in [*self._latest]:
            done, total, message = latest
            body = _fitting(done), _fitting(total), message, self._position
            tell_as(self._teller, self._key[1], PROGRESS, body)  # P2
            try:
                self._latest.remove(latest)
            except ValueError:
                pass  # another thread's is there instead

    def begin_item(self) -> None:
        """Begin with the next item of the batch."""
        self._position = 0 if self._position is None else self._position + 1
        self._is_first = True

    def _end(self) -> None:
        _known.pop(self._key, None)
        if self._is_batch:
            _batches_due[0] = self._due
        if self._is_heard:
            self.tell()


_known: "dict[tuple[int, int], _Reports]" = {}
_batches_due = [0.0]  # until when the messages of the batches are used up that have run here


class _OfChild:
    """What a task of a task has reported that runs as a part of that: its future is in this interpreter."""

    __slots__ = ("_child",)

    def __init__(self, child: "Any") -> None:
        self._child = child

    def note(self, done: float, total: float | None, message: str | None) -> None:
        """Tell it."""
        self._child.future.note_progress((done, total, message, None, self._child.name, ""))


def _reports_here(*, is_placed: bool = False) -> "Any":
    """Return the reports of the task that runs here, None if none does."""
    found = teller_here()
    if found is None:
        return None
    thread, teller = found
    work_id: int = teller[1][TASK]
    if not 0 < work_id < INITIALIZING:
        return None
    if in_place and thread == ALL and in_place[-1] is not None:
        return _OfChild(in_place[-1])
    known = _known.get((thread, work_id))
    if known is not None:
        return known
    is_batch = is_placed or (thread == ALL and _is_in_batch())
    return _Reports(thread, work_id, teller, is_batch=is_batch, is_heard=is_placed or not is_batch)


def _is_in_batch() -> bool:
    """Return whether the task of this worker interpreter is a batch of map of more than one item."""
    loop = sys.modules.get("interp_pool._worker.loop")
    served = None if loop is None else loop.serving()
    return served is not None and served[0].batch is not None


def _fitting(number: "Any") -> "Any":
    """Return a number that can cross a queue."""
    if not isinstance(number, int) or number <= _LARGEST:
        return number
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def placed(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return what calls a function for one item of a batch after the other, and knows which, for what they report.

    Called by the task's thread, for the batch that is about to run.
    """
    reports: _Reports | None = _reports_here(is_placed=True)
    assert reports is not None
    begin, tell = reports.begin_item, reports.tell

    def call(*args: "Any") -> "Any":
        begin()
        try:
            return function(*args)
        finally:
            tell()  # before its result

    return call
