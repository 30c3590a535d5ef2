"""Queue: the interface of `queue.Queue` between interpreters.

Owns the bound, the task count, the shutdown and what an item looks like in transit; blocking is `_channel`'s. All of a
queue's shared state is the number of items in low-level queues, chained from the one that has the items:

    items      the items: a scalar or memoryview as it is; a tuple as (_PLAIN, tuple); the rest as (_PICKLED, payload);
               one that is not to arrive as UNBOUND when its interpreter dies as (_MORTAL, kinds, item), see `_unbound`
    getters    bells of blocked getters                 putters    bells of blocked putters
    watchers   bells that `fileno()` handed out         joiners    bells of blocked joins
    tally      three queues that count unfinished tasks
    closed     empty until the queue is shut down, then one item, or _IMMEDIATE items
    verdicts   what kind of item the next dead one is
    skips      how many dead items are to be skipped
    held       one item per item in `items`: its own bound is the queue's, so a full one refuses the slot

An item of a bounded queue is `held` from before it is in `items` until after it left. Each step that an exception of a
signal handler must not tear from the record of it is one C call: `list.extend(map(queue_put, ...))`.
"""

from _thread import RLock
from weakref import WeakValueDictionary

from interp_api._channel import (
    QueueRefs,
    check_timeout,
    create_chain,
    follow_chain,
    ring_all,
    ring_one,
    wait_until,
)
from interp_api._cpython import (
    UNBOUND_OP_ERROR,
    UNBOUND_OP_REMOVE,
    UNBOUND_OP_REPLACE,
    queue_count,
    queue_create,
    queue_get,
    queue_list,
    queue_maxsize,
    queue_put,
)
from interp_api._errors import (
    ItemInterpreterDestroyed,
    NotShareableError,
    QueueEmpty,
    QueueError,
    QueueFull,
    QueueNotFoundError,
    ShutDown,
)
from interp_api._tally import Tally
from interp_api._transfer import decode, encode, is_plain, keep_in_transit
from interp_api._unbound import (
    UNBOUND,
    UnboundKind,
    note_mortal,
    put_verdict,
    take_count,
    take_verdict,
    unbound_kind,
    unbound_op,
)
from interp_api._watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

_LINKED = 11
_REPLACE = UNBOUND_OP_REPLACE
_PLAIN, _PICKLED, _MORTAL = 0, 1, 2
_IMMEDIATE = 64  # more graceful shutdowns than can be under way at once
_LOWEST_MAXSIZE = -(1 << 31)  # lower ones carry numbers, see _channel

_known: "WeakValueDictionary[int, Queue]" = WeakValueDictionary()
_known_lock = RLock()


def create_queue(maxsize: int = 0, *, unbounditems: UnboundKind = UNBOUND) -> "Queue":
    """Create a queue between interpreters.

    Args:
        maxsize: how many items it holds; 0 or less means no limit.
        unbounditems: what `get` does with an item whose interpreter was destroyed: return UNBOUND in its place
            (UNBOUND), raise ItemInterpreterDestroyed (UNBOUND_ERROR), or skip it (UNBOUND_REMOVE).

    Raises:
        TypeError: maxsize is not an int.
        ValueError: unbounditems is none of the three.

    Source: `concurrent.interpreters.create_queue`, CPython 3.14.
    """
    if not isinstance(maxsize, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody has a type checker
        raise TypeError(f"maxsize must be an int, got {maxsize!r}")
    op = unbound_op(unbounditems)
    refs = QueueRefs([])
    held = queue_create(max(maxsize, _LOWEST_MAXSIZE), _REPLACE)
    refs.add(held)
    ids = create_chain(_LINKED, held * 4 + op, refs)
    Tally(*ids[4:7]).fill()
    return Queue(ids[0])


def list_all_queues() -> "list[Queue]":
    """Return all queues that `create_queue` of any interpreter made and somebody still holds."""
    queues: list[Queue] = []
    for qid in queue_list():
        try:
            queues.append(Queue(qid))
        except QueueError:
            pass  # somebody else's, or gone since
    return queues


class Queue:
    """A queue between interpreters, with the interface of `queue.Queue`.

    An object is sent by value: directly if its type is shareable, otherwise pickled. A memoryview, and a Queue, refer
    to the same memory or queue at the other end. There is one Queue object per id and interpreter; the queue lives as
    long as one exists in any interpreter or on its way to one.

    Thread safety: all methods may be called from any thread of any interpreter at once.

    Source: `concurrent.interpreters.Queue`, CPython 3.14; `queue.Queue` for the rest of the interface.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_getters",
        "_held",
        "_id",
        "_ids",
        "_is_bounded",
        "_joiners",
        "_maxsize",
        "_op",
        "_putters",
        "_refs",
        "_skips",
        "_tally",
        "_verdicts",
        "_watch",
        "_watchers",
    )

    def __new__(cls, id: int, /) -> "Self":
        """Open the queue that `create_queue` gave this id, in whatever interpreter.

        Raises:
            TypeError: the id is not an int.
            QueueNotFoundError: there is no such queue.
            QueueError: the queue was not made by this package.
        """
        if not isinstance(id, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody has a type checker
            raise TypeError(f"id must be an int, got {id!r}")
        id = int(id)
        with _known_lock:
            known = _known.get(id)
            if known is None:
                known = super().__new__(cls)
                known._open(id)
                _known[id] = known
        return known  # type: ignore[return-value]  # subclasses share the ids

    def _open(self, id: int) -> None:
        found = follow_chain(id, _LINKED)
        if found is None:
            raise QueueError(f"queue {id} was not created by interp_api.create_queue()")
        ids, number = found
        self._held, self._op = divmod(number, 4)
        self._ids = (*ids, self._held)
        self._refs = QueueRefs(self._ids)
        self._id, self._getters, self._watchers, self._putters, *_ = ids
        self._tally = Tally(*ids[4:7])
        self._joiners, self._closed, self._verdicts, self._skips = ids[7:]
        self._maxsize = queue_maxsize(self._held)
        self._is_bounded = self._maxsize > 0
        self._watch: Watch | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id})"

    def __hash__(self) -> int:
        return hash(self._id)

    def __reduce__(self) -> "tuple[type[Queue], tuple[int]]":
        keep_in_transit(self._ids)
        return Queue, (self._id,)

    @property
    def id(self) -> int:
        """The id that opens this queue in any interpreter."""
        return self._id

    @property
    def maxsize(self) -> int:
        """How many items the queue holds; 0 or less means no limit."""
        return self._maxsize

    @property
    def unbounditems(self) -> UnboundKind:
        """What happens by default to an item whose interpreter is destroyed."""
        return unbound_kind(self._op)

    def qsize(self) -> int:
        """Return the number of items; it may have changed since."""
        return max(0, queue_count(self._id) - queue_count(self._skips))

    def empty(self) -> bool:
        """Return whether there is no item; it may have changed since."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return whether `maxsize` items are there; it may have changed since."""
        return self._is_bounded and queue_count(self._held) >= self._maxsize

    def put(
        self, obj: object, block: bool = True, timeout: float | None = None, *, unbounditems: UnboundKind | None = None
    ) -> None:
        """Add an object.

        Args:
            obj: anything shareable or picklable.
            block: whether to wait for a free slot.
            timeout: seconds to wait at most, None for no limit.
            unbounditems: as in `create_queue`, for this item only; None means the queue's default.

        Raises:
            NotShareableError: the object can neither be shared nor pickled.
            QueueFull: no slot became free in time.
            ShutDown: the queue is shut down.
            ValueError: the timeout is negative or not a number, or unbounditems is none of the three.

        Blocks: while the queue is full; a `get` in any interpreter wakes it.
        """
        op = self._op if unbounditems is None else unbound_op(unbounditems)
        limit = check_timeout(timeout) if block else 0.0
        item = _wrap(obj)
        slot: list[None] = []
        count: list[None] = []
        placed: list[None] = []
        try:
            if self._is_bounded:
                if wait_until(lambda: self._hold(slot), self._putters, limit) is None:
                    raise QueueFull(f"the queue still held {self._maxsize} items after {limit} seconds")
            elif queue_count(self._closed):
                raise ShutDown
            if op != _REPLACE:
                item, op = self._note(item, op)
            self._tally.raise_by_one(count)
            placed.extend(map(queue_put, (self._id,), (item,), (op,)))
            self._announce()
        except BaseException:
            self._undo(slot, count, placed)
            raise

    def put_nowait(self, obj: object, *, unbounditems: UnboundKind | None = None) -> None:
        """Add an object if a slot is free; the same as `put(obj, block=False)`."""
        self.put(obj, False, unbounditems=unbounditems)

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        """Remove and return the first object.

        Args:
            block: whether to wait for one.
            timeout: seconds to wait at most, None for no limit.

        Raises:
            QueueEmpty: none arrived in time.
            ShutDown: the queue is shut down and empty.
            ItemInterpreterDestroyed: its interpreter is gone, and it was put with UNBOUND_ERROR.
            NotShareableError: it cannot be unpickled in this interpreter; it is lost.
            ValueError: the timeout is negative or not a number.

        Blocks: while the queue is empty; a `put` or `shutdown` in any interpreter wakes it.
        """
        limit = check_timeout(timeout) if block else 0.0
        got = wait_until(self._take, self._getters, limit)
        if self._watch is not None:
            self._watch.settle()
        if got is None:
            raise QueueEmpty(f"no item arrived in {limit} seconds" if limit else "the queue is empty")
        item, op = got
        if op is None:
            return _unwrap(item)
        if op == UNBOUND_OP_ERROR:
            raise ItemInterpreterDestroyed("the interpreter that put the item was destroyed")
        return UNBOUND

    def get_nowait(self) -> object:
        """Remove and return the first object if there is one; the same as `get(block=False)`."""
        return self.get(False)

    def task_done(self) -> None:
        """Say that one object that was got has been dealt with; may be called in another interpreter than `get`.

        Raises:
            ValueError: called more often than objects were put.
        """
        try:
            if not self._tally.lower_by_one():
                raise ValueError("task_done() called too many times")
        finally:
            if self._tally.is_zero():
                ring_all(self._joiners)

    def join(self) -> None:
        """Wait until every object that was put has been got and dealt with.

        Blocks: until `task_done` was called for each, in whatever interpreters.
        """
        wait_until(lambda: self._tally.is_zero() or None, self._joiners, None)

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further puts, and gets once the queue is empty; both raise ShutDown, also those that are waiting.

        A put that is under way in another thread at this moment may still be accepted.

        Args:
            immediate: drop the items that are there, each as a task done.
        """
        for _ in range(_IMMEDIATE if immediate else not queue_count(self._closed)):
            queue_put(self._closed, None, _REPLACE)
        if immediate:
            self._discard()
        for sleepers in (self._getters, self._putters, self._watchers):
            ring_all(sleepers)

    def _discard(self) -> None:
        """Drop all items, each as a task done."""
        try:
            while self._take() is not None:
                self._tally.lower_by_one()
        except ShutDown:
            pass
        if self._tally.is_zero():
            ring_all(self._joiners)

    def fileno(self) -> int:
        """Return a descriptor that is readable when an item is there, for `select` or an event loop.

        Never read it yourself: call `get_nowait()` until it raises QueueEmpty or ShutDown. It belongs to this object
        and this interpreter. Readable is a hint: another getter may have been faster.
        """
        with _known_lock:
            if self._watch is None:
                self._watch = Watch(self._id, self._closed, self._watchers)
            return self._watch.fileno()

    def _hold(self, slot: list[None]) -> bool | None:
        """Take a slot and record it; None if there is none."""
        if queue_count(self._closed):
            raise ShutDown
        try:
            slot.extend(map(queue_put, (self._held,), (None,), (_REPLACE,)))
        except QueueNotFoundError:
            raise
        except QueueError:
            return None
        return True

    def _release(self) -> None:
        if self._is_bounded:
            _release_slot(self._held, self._putters)

    def _note(self, item: object, op: int) -> tuple[object, int]:
        """Return what to put for an item that is not to arrive as UNBOUND, and how."""
        ids = self._ids

        def bury(op: int) -> None:
            _bury(ids, op)

        kinds = note_mortal(self._id, op, bury)
        return item if kinds is None else (_MORTAL, kinds, item), UNBOUND_OP_ERROR

    def _undo(self, slot: list[None], count: list[None], placed: list[None]) -> None:
        """Finish or take back a put that an exception ended."""
        if placed:
            self._announce()
            return
        if count:
            self._tally.lower_by_one()
        if slot:
            self._release()

    def _announce(self) -> None:
        if queue_count(self._getters):
            ring_one(self._getters)
        if queue_count(self._watchers):
            ring_all(self._watchers)
        if queue_count(self._closed) >= _IMMEDIATE:
            self._discard()  # it came too late to be dropped by the shutdown

    def _take(self) -> tuple[object, int | None] | None:
        """Take the first item that is not to be skipped and give its slot back; None if there is none."""
        is_closed = False
        while True:
            got: list[tuple[Any, ...]] = []
            try:
                got.extend(map(queue_get, (self._id,)))
                if (taken := self._accept(got[0][0], got[0][-1])) is not None:
                    return taken
            except QueueNotFoundError:
                raise
            except QueueError:
                if is_closed:
                    raise ShutDown from None
                if not queue_count(self._closed):
                    return None
                is_closed = True  # only now: an item put before the shutdown may have come since
            except BaseException:
                if got:
                    self._release()  # the item is lost, its slot must not be
                raise

    def _accept(self, item: "Any", op: int | None) -> tuple[object, int | None] | None:
        """Account for a low-level item that was taken; None if it is to be skipped."""
        kind = type(item)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
        if kind is tuple and item[0] == _MORTAL:
            _, kinds, item = item
            # Its interpreter is exiting and gave the slot and the task back already: count it again.
            if not take_count(kinds) and self._is_to_be_skipped():
                self._tally.raise_by_one([])
                return item, None
        elif op == UNBOUND_OP_ERROR and self._is_to_be_skipped():
            return None
        self._release()
        return item, op

    def _is_to_be_skipped(self) -> bool:
        return take_verdict(self._verdicts) == UNBOUND_OP_REMOVE and take_count(self._skips)


def _release_slot(held: int, putters: int) -> None:
    take_count(held)
    ring_one(putters)


def _bury(ids: tuple[int, ...], op: int) -> None:
    """Account for an item that dies with this interpreter, as if it had been taken if it is one to remove."""
    _, _, _, putters, *tally_ids, joiners, _, verdicts, skips, held = ids
    put_verdict(verdicts, op)
    if op != UNBOUND_OP_REMOVE:
        return
    queue_put(skips, None, _REPLACE)
    if queue_maxsize(held) > 0:
        _release_slot(held, putters)
    tally = Tally(*tally_ids)
    if tally.lower_by_one() and tally.is_zero():
        ring_all(joiners)


def _wrap(obj: object) -> object:
    """Return the low-level item for an object.

    Raises:
        NotShareableError: it cannot be pickled.
    """
    if is_plain(obj):
        return (_PLAIN, obj) if isinstance(obj, tuple) else obj  # pyright: ignore[reportUnknownVariableType]  # whatever
    try:
        return (_PICKLED, encode(obj, share=True))
    except Exception as exc:
        raise NotShareableError(f"cannot send an object of {type(obj)}: {exc}") from exc


def _unwrap(item: "Any") -> object:
    kind = type(item)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if kind is not tuple:
        return item
    form, body = item
    if form == _PLAIN:
        return body
    try:
        return decode(body)
    except Exception as exc:
        raise NotShareableError(f"object could not be unpickled: {exc}") from exc
