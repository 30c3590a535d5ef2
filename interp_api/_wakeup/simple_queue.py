"""SimpleQueue: items from any thread of any interpreter to any other.

It must not know what the items mean. Items of an interpreter that can be closed are in its boxes (`_wakeup.boxes`),
which costs a getter 1 us.
"""

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_count,
    queue_get,
    queue_put,
)
from interp_api._wakeup.boxes import IS_MORTAL, LOOSE, TOKENS, lose, put_boxed, take_boxed
from interp_api._wakeup.channel import QueueRefs, check_timeout
from interp_api._wakeup.parking import call_one, ring_all, ring_one, ring_surely, wait_until
from interp_api._wakeup.slot import GETTER, create_slotted, open_slotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_api._wakeup.slot import Slot

_REPLACE = UNBOUND_OP_REPLACE
SIMPLE = 0  # what the low-level queue carries; those of `Queue` have other numbers


class SimpleQueue:
    """An unbounded queue of directly shareable objects: no task tracking, no shutdown, nothing pickled.

    What `queue.SimpleQueue` is to `queue.Queue`. Items are None, bool, int (of C size, below 2**62), float, str, bytes,
    memoryview and tuples of these. The item of an interpreter that was closed since arrives as None.

    Thread safety: all methods may be called from any thread of any interpreter at once, each interpreter through its
    own `SimpleQueue(id)`.
    """

    __slots__ = ("_end", "_id", "_refs", "_region", "_slot")

    def __init__(self, id: int | None = None) -> None:
        """Create a queue, or with `id` open one that another SimpleQueue keeps alive.

        Raises:
            QueueNotFoundError: there is no such queue.
            QueueError: the queue was not made by this class.
        """
        self._refs = QueueRefs([])
        if id is None:
            slot = create_slotted(SIMPLE, self._refs)
        else:
            slot = _found(id)
            self._refs.add(id)
        self._slot, self._id, self._region, self._end = slot, slot.id, slot.region, slot.end

    @property
    def id(self) -> int:
        """The id that opens this queue in any interpreter."""
        return self._id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id})"

    def __reduce__(self) -> "tuple[Callable[..., SimpleQueue], tuple[int]]":
        return type(self), (self._id,)

    def qsize(self) -> int:
        """Return the number of items."""
        return queue_count(self._id)

    def put(self, item: object) -> None:
        """Append an item. Never blocks.

        Raises:
            NotShareableError: the item is not directly shareable.
            ValueError: it is an int of 2**62 or more.
        """
        kind: object = type(item)
        if kind is int and item >= TOKENS:  # type: ignore[operator]  # it is an int
            raise ValueError(f"cannot send the int {item}: it must be below 2**62")
        try:
            if IS_MORTAL and kind not in LOOSE:
                put_boxed(self._id, item, _REPLACE, _bury, [])
            else:
                queue_put(self._id, item, _REPLACE)
            if self._region.find(GETTER, self._slot.first, self._end) >= 0:
                call_one(self._slot, GETTER)
        except BaseException:
            ring_surely(self._slot, GETTER)  # the item may be there
            raise

    def get_nowait(self) -> object:
        """Return the first item.

        Raises:
            QueueError: the queue is empty.
        """
        return self._take_first()[0]

    def get(self, timeout: float | None = None) -> object:
        """Return the first item.

        Args:
            timeout: seconds, None for no limit.

        Raises:
            QueueError: no item arrived in time.
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there or the time is up; a put from any interpreter wakes it.
        """
        found = wait_until(self._take, self._slot, GETTER, check_timeout(timeout), is_left=self.qsize)
        if found is None:
            raise QueueError(f"no item arrived in {timeout} seconds")
        return found[0]

    def ring(self) -> None:
        """Wake a sleeper, if there is one."""
        ring_one(self._slot, GETTER)

    def ring_all(self) -> None:
        """Wake all sleepers."""
        ring_all(self._slot, GETTER)

    def _take(self) -> "tuple[Any, ...] | None":
        try:
            return self._take_first()
        except QueueNotFoundError:
            raise
        except QueueError:
            return None

    def _take_first(self) -> "tuple[Any, ...]":
        """Take an item, from the box that it is in if it is in one."""
        got: list[tuple[Any, ...]] = []
        steps: list[Any] = []
        try:
            got.extend(map(queue_get, (self._id,)))
            item = got[0][0]
            if type(item) is int and item >= TOKENS:
                return take_boxed(item, self._slot, _as_it_is, steps) or (None,)
            return got[0]
        except BaseException:
            if got:
                lose(got[0][0], self._slot, steps)
            raise


def _found(id: int) -> "Slot":
    slot = open_slotted(id)
    if slot is None or slot.number != SIMPLE:
        raise QueueError(f"queue {id} was not created by SimpleQueue()")
    return slot


def _as_it_is(content: object) -> object:
    return content


def _bury(_content: object) -> None:
    """Do nothing: nobody counts."""
