"""Queue: the interface of `queue.Queue` between interpreters.

Owns the bound, the task count, the shutdown and what an item looks like in transit; blocking is `_channel`'s. All of a
queue's shared state is the number of items in low-level queues, chained from the one that has the items:

    items      the items: a scalar or memoryview as it is; a tuple in an envelope (_PLAIN, tuple); the rest as (_PICKLED, payload)
    getters    bells of blocked getters                 putters    bells of blocked putters
    watchers   bells that `fileno()` handed out         joiners    bells of blocked joins
    tally      three queues that count unfinished tasks
    closed     one item once the queue is shut down
    guards     how many guard items lie in `items`, and
    ledger     where (see `_unbound`)
    held       one item per item in `items`: its own bound is the queue's, so a full one refuses the slot

An item is `held` from before it is in `items` until after it left.
"""

from _thread import RLock, allocate_lock
from weakref import WeakValueDictionary

from interp_api._channel import (
    QueueRefs,
    check_timeout,
    create_chain,
    follow_chain,
    ring_all,
    ring_one,
    take_back,
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
from interp_api._doorbell import Doorbell
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
    Removable,
    UnboundKind,
    take_count,
    unbound_kind,
    unbound_op,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_LINKED = 11
_REPLACE = UNBOUND_OP_REPLACE
_PLAIN, _PICKLED, _COUNTED = 0, 1, 2
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
    if not isinstance(maxsize, int):
        raise TypeError(f"maxsize must be an int, got {maxsize!r}")
    op = unbound_op(unbounditems)
    refs = QueueRefs([])
    held = queue_create(max(maxsize, _LOWEST_MAXSIZE), _REPLACE)
    refs.add(held)
    ids = create_chain(_LINKED, held * 4 + op, refs)
    queue = Queue(ids[0])
    queue._tally.fill()
    return queue


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

    An object is sent by value: directly if its type is shareable, otherwise pickled. A memoryview, and a Queue, refer to
    the same memory or queue at the other end. There is one Queue object per id and interpreter; the queue lives as long
    as one exists in any interpreter or on its way to one.

    Thread safety: all methods may be called from any thread of any interpreter at once.

    Source: `concurrent.interpreters.Queue`, CPython 3.14; `queue.Queue` for the rest of the interface.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_getters",
        "_guards",
        "_held",
        "_id",
        "_ids",
        "_is_bounded",
        "_joiners",
        "_maxsize",
        "_op",
        "_putters",
        "_refs",
        "_removable",
        "_tally",
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
        if not isinstance(id, int):
            raise TypeError(f"id must be an int, got {id!r}")
        id = int(id)
        with _known_lock:
            known = _known.get(id)
            if known is None:
                known = _known[id] = super().__new__(cls)
                known._open(id)
        return known  # type: ignore[return-value]  # subclasses share the ids

    def _open(self, id: int) -> None:
        found = follow_chain(id, _LINKED)
        if found is None:
            raise QueueError(f"queue {id} was not created by interp_api.create_queue()")
        ids, number = found
        self._held, self._op = divmod(number, 4)
        self._ids = (*ids, self._held)
        self._refs = QueueRefs(self._ids)
        self._id, self._getters, self._watchers, self._putters = ids[:4]
        self._tally = Tally((ids[4], ids[5], ids[6]))
        self._joiners, self._closed, self._guards, ledger = ids[7:]
        self._removable = Removable(id, self._held, self._guards, ledger)
        self._maxsize = queue_maxsize(self._held)
        self._is_bounded = self._maxsize > 0
        self._watch: _Watch | None = None

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
        return max(0, queue_count(self._id) - queue_count(self._guards))

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
        if self._is_bounded:
            if (self._hold() if limit == 0.0 else wait_until(self._hold, self._putters, limit)) is None:
                raise QueueFull(f"the queue still held {self._maxsize} items after {limit} seconds")
        elif queue_count(self._closed):
            raise ShutDown
        if op == UNBOUND_OP_REMOVE:
            item = (_COUNTED, self._removable.note_put(), item)
        self._tally.raise_by_one()
        try:
            queue_put(self._id, item, op)
        except BaseException:
            self._tally.lower_by_one()
            self._release()
            raise
        self._announce()

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
        got = self._take() if limit == 0.0 else wait_until(self._take, self._getters, limit)
        if self._watch is not None:
            self._watch.settle()
        if got is None:
            raise QueueEmpty(f"no item arrived in {limit} seconds" if block else "the queue is empty")
        item, op = got[0], got[-1]
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
        if not self._tally.lower_by_one():
            raise ValueError("task_done() called too many times")
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
        queue_put(self._closed, None, _REPLACE)
        if immediate:
            try:
                while self._take() is not None:
                    self._tally.lower_by_one()
            except ShutDown:
                pass
            if self._tally.is_zero():
                ring_all(self._joiners)
        for sleepers in (self._getters, self._putters, self._watchers):
            ring_all(sleepers)

    def fileno(self) -> int:
        """Return a descriptor that is readable when an item is there, for `select` or an event loop.

        Never read it yourself: call `get_nowait()` until it raises QueueEmpty or ShutDown. It belongs to this object
        and this interpreter. Readable is a hint: another getter may have been faster.
        """
        with _known_lock:
            if self._watch is None:
                self._watch = _Watch(self._id, self._closed, self._watchers)
            return self._watch.fileno()

    def _hold(self) -> bool | None:
        """Take a slot; None if there is none."""
        if queue_count(self._closed):
            raise ShutDown
        try:
            queue_put(self._held, None, _REPLACE)
        except QueueNotFoundError:
            raise
        except QueueError:
            return None
        return True

    def _release(self) -> None:
        if self._is_bounded:
            take_count(self._held)
            ring_one(self._putters)

    def _announce(self) -> None:
        if queue_count(self._getters):
            ring_one(self._getters)
        if queue_count(self._watchers):
            ring_all(self._watchers)

    def _take(self) -> "tuple[object, ...] | None":
        """Take the first low-level item that is not a guard, and give its slot back; None if there is none."""
        closed = False
        while True:
            try:
                got = queue_get(self._id)
            except QueueNotFoundError:
                raise
            except QueueError:
                if closed:
                    raise ShutDown from None
                if not queue_count(self._closed):
                    return None
                closed = True  # only now: an item put before the shutdown may have come since
                continue
            if queue_count(self._guards) and self._removable.is_guard():
                continue
            self._release()
            item = got[0]
            if type(item) is tuple and item[0] == _COUNTED:
                take_count(item[1])
                return item[2], None
            return got


class _Watch:
    """The bell behind `fileno()`: rung means readable."""

    def __init__(self, items: int, closed: int, watchers: int) -> None:
        self._items, self._closed, self._watchers = items, closed, watchers
        self._bell = Doorbell()
        self._lock = allocate_lock()
        self._arm()

    def fileno(self) -> int:
        return self._bell.reader

    def _arm(self) -> None:
        queue_put(self._watchers, self._bell.address, _REPLACE)
        if queue_count(self._items) or queue_count(self._closed):
            ring_all(self._watchers)

    def settle(self) -> None:
        """After a get: if nothing is left, make the descriptor unreadable until the next put."""
        with self._lock:
            if not queue_count(self._items) and not queue_count(self._closed) and self._bell.wait(0.0):
                self._arm()

    def __del__(self) -> None:
        # The address is published, or a ring is there or on its way: leave neither behind a closed descriptor.
        try:
            if not take_back(self._bell.address, self._watchers):
                self._bell.wait(1.0)
        except (QueueError, OSError):
            pass


def _wrap(obj: object) -> object:
    """Return the low-level item for an object.

    Raises:
        NotShareableError: it cannot be pickled.
    """
    if is_plain(obj):
        return (_PLAIN, obj) if type(obj) is tuple else obj
    try:
        return (_PICKLED, encode(obj, share=True))
    except Exception as exc:
        raise NotShareableError(f"cannot send an object of {type(obj)}: {exc}") from exc


def _unwrap(item: object) -> object:
    if type(item) is not tuple:
        return item
    if item[0] == _PLAIN:
        return item[1]
    try:
        return decode(item[1])
    except Exception as exc:
        raise NotShareableError(f"object could not be unpickled: {exc}") from exc
