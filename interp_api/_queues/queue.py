"""Queue: the interface of `queue.Queue` between interpreters.

Owns the public methods, their arguments and errors, and what keeps a queue alive: each interpreter's one Queue object
per id. How items are put, taken and accounted for is `_queues.store`'s; blocking is `_wakeup.parking`'s.

The low-level queue with the items, whose id is the queue's, carries a number: the id of the one that bounds it, and the
kind of the queue's unbound items.
"""

from _thread import RLock
from weakref import WeakValueDictionary

from interp_api._errors import (
    ItemInterpreterDestroyed,
    QueueEmpty,
    QueueError,
    QueueFull,
    QueueNotFoundError,
    ShutDown,
)
from interp_api._pickling.codec import keep_in_transit
from interp_api._queues.items import unwrap, wrap
from interp_api._queues.readable import Watch
from interp_api._queues.store import Store
from interp_api._queues.unbound import UNBOUND, UnboundKind, forget_verdicts, unbound_kind, unbound_op
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
    UNBOUND_OP_ERROR,
    queue_count,
    queue_list,
)
from interp_api._runtime.light_imports import partial
from interp_api._runtime.locks import holding
from interp_api._wakeup.channel import QueueRefs, check_timeout
from interp_api._wakeup.parking import wait_until
from interp_api._wakeup.slot import JOINER, create_slotted, open_slotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from interp_api._wakeup.seats import Seat

_QUEUE = 8  # what a queue carries is at least that; lower numbers are `_wakeup.simple_queue`'s and `_wakeup.boxes`'
_LOWEST_MAXSIZE = -(1 << 31)  # lower ones carry numbers, see `_wakeup.channel`

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
    refs, held_refs = QueueRefs([]), QueueRefs([])
    held = held_refs.create(max(maxsize, _LOWEST_MAXSIZE)) if maxsize else 0
    return Queue(create_slotted(_QUEUE + held * 4 + op, refs).id)


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
    """A queue between interpreters, with the interface of `queue.Queue`, and waits for coroutines beside it.

    An object is sent by value: directly if its type is shareable, otherwise pickled. A memoryview, and a Queue, refer
    to the same memory or queue at the other end. There is one Queue object per id and interpreter; the queue lives as
    long as one exists in any interpreter or on its way to one.

    Thread safety: all methods may be called from any thread of any interpreter at once.

    Source: `concurrent.interpreters.Queue`, CPython 3.14; `queue.Queue` for the rest of the interface.
    """

    __slots__ = ("__weakref__", "_id", "_ids", "_op", "_refs", "_slot", "_store", "_watch")

    def __new__(cls, id: int, /) -> "Self":
        """Open the queue that `create_queue` gave this id, in whatever interpreter.

        Raises:
            TypeError: the id is not an int.
            QueueNotFoundError: there is no such queue.
            QueueError: the queue was not made by this package.
        """
        if not isinstance(id, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody has a type checker
            raise TypeError(f"id must be an int, got {id!r}")
        return holding(_known_lock, partial(cls._find, int(id)))

    @classmethod
    def _find(cls, id: int) -> "Self":
        known = _known.get(id)
        if known is None:
            known = super().__new__(cls)
            known._open(id)
            _known[id] = known
        return known  # type: ignore[return-value]  # subclasses share the ids

    def _open(self, id: int) -> None:
        slot = open_slotted(id)
        if slot is None or slot.number < _QUEUE:
            raise QueueError(f"queue {id} was not created by interp_api.create_queue()")
        held, self._op = divmod(slot.number - _QUEUE, 4)
        self._ids = (id, held) if held else (id,)
        self._refs = QueueRefs(self._ids)
        self._id, self._slot, self._store = id, slot, Store(slot, held)
        self._watch: Watch | None = None

    def __del__(self) -> None:
        try:
            del self._refs
            queue_count(self._id)
        except QueueNotFoundError:
            forget_verdicts(self._slot)
        except (AttributeError, TypeError, ValueError):
            pass  # it was never opened, or the module was emptied at exit

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
        return self._store.maxsize

    @property
    def unbounditems(self) -> UnboundKind:
        """What happens by default to an item whose interpreter is destroyed."""
        return unbound_kind(self._op)

    def qsize(self) -> int:
        """Return the number of items; it may have changed since."""
        return self._store.count()

    def empty(self) -> bool:
        """Return whether there is no item; it may have changed since."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return whether `maxsize` items are there; it may have changed since."""
        return self._store.is_full()

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
        if not self._store.put(wrap(obj), op, limit):
            raise QueueFull(f"the queue still held {self.maxsize} items after {limit} seconds")

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
        got = self._store.get(limit)
        if self._watch is not None:
            self._watch.settle()
        if got is None:
            raise QueueEmpty(f"no item arrived in {limit} seconds" if limit else "the queue is empty")
        item, op = got
        if op is None:
            return unwrap(item)
        if op == UNBOUND_OP_ERROR:
            raise ItemInterpreterDestroyed("the interpreter that put the item was destroyed")
        return UNBOUND

    def get_nowait(self) -> object:
        """Remove and return the first object if there is one; the same as `get(block=False)`."""
        return self.get(False)

    async def aget(self) -> object:
        """Remove and return the first object, in a coroutine of asyncio, uvloop, AnyIO or Trio.

        For a time limit use the loop's: `asyncio.timeout`, `anyio.fail_after`, `trio.fail_after`. One that is cancelled
        has taken nothing. The coroutines of one loop are served in the order in which they came.

        Raises:
            RuntimeError: no such event loop runs here, or it cannot watch a descriptor, as asyncio's on Windows.
            ShutDown, ItemInterpreterDestroyed, NotShareableError: as `get` does.

        Suspends: while the queue is empty; a `put` or `shutdown` in any interpreter wakes it.
        """
        from interp_api._queues.awaiting import aget

        return await aget(self._store, self.get_nowait)

    async def aput(self, obj: object, *, unbounditems: UnboundKind | None = None) -> None:
        """Add an object, in a coroutine; one that is cancelled has added nothing.

        Raises:
            RuntimeError: as for `aget`.
            NotShareableError, ShutDown, ValueError: as `put` does.

        Suspends: while the queue is full; a `get` in any interpreter wakes it.
        """
        from interp_api._queues.awaiting import aput

        await aput(self._store, wrap(obj), self._op if unbounditems is None else unbound_op(unbounditems))

    async def ajoin(self) -> None:
        """Wait in a coroutine until every object that was put has been got and dealt with, see `join`.

        Raises:
            RuntimeError: as for `aget`.

        Suspends: until `task_done` was called for each, in whatever interpreters.
        """
        from interp_api._queues.awaiting import ajoin

        await ajoin(self._store)

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> object:
        """Return what `aget` does, until the queue is shut down and empty."""
        try:
            return await self.aget()
        except ShutDown:
            raise StopAsyncIteration from None

    def task_done(self) -> None:
        """Say that one object that was got has been dealt with; may be called in another interpreter than `get`.

        Raises:
            ValueError: called more often than objects were put.
        """
        if not self._store.end_task():
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        """Wait until every object that was put has been got and dealt with.

        Blocks: until `task_done` was called for each, in whatever interpreters.
        """
        wait_until(lambda: self._store.counter.is_zero() or None, self._slot, JOINER, None)

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further puts, and gets once the queue is empty; both raise ShutDown, also those that are waiting.

        A put that is under way in another thread at this moment may still be accepted.

        Args:
            immediate: drop the items that are there, each as a task done.
        """
        self._store.close(immediate)

    def fileno(self) -> int:
        """Return a descriptor that is readable when an item is there, for `select` or an event loop.

        Never read it yourself: call `get_nowait()` until it raises QueueEmpty or ShutDown. It belongs to this object
        and this interpreter. Readable is a hint: another getter may have been faster.
        """
        holding(_known_lock, self._start_watch)
        assert self._watch is not None
        return self._watch.fileno()

    def _start_watch(self) -> None:
        if self._watch is None:
            self._watch = Watch(self._slot)

    def renew_in_child(self) -> None:
        """In a forked child: undo what threads of the parent had begun, and have a descriptor of the child's own."""
        self._store.renew_in_child()
        if self._watch is not None:
            self._watch.renew()

    def lasting_seats(self) -> "list[Seat]":
        """Return the seat of what `fileno` has handed out."""
        return [] if self._watch is None else [self._watch.seat]


def _renew_all() -> None:
    """Do what a forked child has to do for the queues that its parent had open."""
    for queue in list(_known.values()):
        queue.renew_in_child()


def _lasting_seats() -> "list[Seat]":
    """Return the seats that go on in a forked child."""
    return [seat for queue in list(_known.values()) for seat in queue.lasting_seats()]


if IS_MAIN_INTERPRETER:
    from interp_api._wakeup.fork import do_in_child, keep_in_child, renew_in_child

    renew_in_child(_known_lock)
    keep_in_child(_lasting_seats)
    do_in_child(_renew_all)
