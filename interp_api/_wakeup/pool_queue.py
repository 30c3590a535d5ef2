"""PoolQueue: the way from a pool to its workers, and back.

Owns what a queue does that is always in a hurry: reading in a sleeper's place, and moving before the low-level queues
made since, N1 to N3, U1 and U2, see README.md. It must not know what the items mean.

One sleeper may be relieved: somebody marks its byte without ringing and reads in its place, and later sets it again.
The sleeper sees, with `stands_back`, that it is not to look meanwhile. That is for a queue that never has two sleepers,
see `interp_pool._pool.result_stream`.
"""

from itertools import repeat, starmap

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_append,
    queue_count,
    queue_get,
    queue_list,
    queue_put,
)
from interp_api._runtime.light_imports import call, exhaust, partial
from interp_api._wakeup.arena import NEWEST, tables
from interp_api._wakeup.channel import QueueRefs, check_timeout
from interp_api._wakeup.parking import never, ring_one, ring_surely
from interp_api._wakeup.seats import own_seat
from interp_api._wakeup.simple_queue import SimpleQueue
from interp_api._wakeup.slot import GETTER, OWNER, STANDING_BACK
from interp_api._wakeup.spinning import announce, wait_for_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator
    from typing import Any

    from interp_api._wakeup.place import Place

_REPLACE = UNBOUND_OP_REPLACE
_MANY = 16  # low-level queues; 20 make a task slower by some 6 %
_nothing_at = [None].__getitem__  # fails unless the number is 0


class PoolQueue(SimpleQueue):
    """A SimpleQueue without boxes, for interpreters that one pool makes and ends.

    An interpreter that puts or takes here must not be closed while others take its items. Only the object that made the
    queue keeps it alive.
    """

    __slots__ = ("_spinner",)

    def __init__(self, id: int | None = None) -> None:
        """Create a queue, or open one; see `SimpleQueue`."""
        super().__init__(id)
        if id is not None:
            self._refs.drop()  # or it would outlive the one that takes its place
        self._spinner = self._slot.spinner

    def qsize(self) -> int:
        """Return the number of items."""
        try:
            return queue_count(self._id)
        except QueueNotFoundError:
            self._follow()
            return self.qsize()

    def put(self, item: object) -> None:
        """Append an item. Never blocks.

        Raises:
            NotShareableError: the item is not directly shareable.
        """
        try:
            queue_put(self._id, item, _REPLACE)
            if (found := self._region.find(GETTER, self._spinner, self._end)) >= 0:
                announce(self._slot, found)
        except QueueNotFoundError:
            self._follow()
            self.put(item)
        except BaseException:
            ring_surely(self._slot, GETTER)  # the item may be there
            raise

    def put_recorded(self, item: object, placed: list[None]) -> None:
        """Append an item as `put` does, and record it in the list given, whatever strikes afterwards.

        Who calls this again for the same item must look there first. Not while anybody calls `renew`.
        """
        try:
            placed.extend(map(queue_append, (self._id,), (item,)))
            if (found := self._region.find(GETTER, self._spinner, self._end)) >= 0:
                announce(self._slot, found)
        except BaseException:
            ring_surely(self._slot, GETTER)  # the item may be there
            raise

    def get(
        self, timeout: float | None = None, *, spin: float = 0.0, instead: "Callable[[], object] | None" = None
    ) -> object:
        """Return the first item.

        Args:
            timeout: seconds, None for no limit.
            spin: seconds to look before sleeping, while nobody else looks. It takes a processor's time but lets this
                interpreter's other threads run; waking a sleeper takes some 50 us.
            instead: called whenever there is no item; ends the wait with what it returns, unless that is None. Whoever
                has it return something must ring all. It must not block, and need not be called after that.

        Raises:
            QueueError: no item arrived in time.
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there or the time is up; a put from any interpreter wakes it.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        try:
            return queue_get(self._id)[0]
        except QueueNotFoundError:
            self._follow()
        except QueueError:
            pass
        take = self._take if instead is None else partial(_take_or, self._take, instead)
        found = wait_for_item(take, self._slot, timeout, spin=spin, is_left=self.qsize)
        if found is None:
            raise QueueError(f"no item arrived in {timeout} seconds")
        return found[0]

    def wait(
        self,
        timeout: float | None = None,
        *,
        spin: float = 0.0,
        unless: "Callable[[], object] | None" = None,
        stands_back: "Callable[[], object]" = never,
    ) -> bool:
        """Wait for an item without taking it; return whether it came in time.

        Args:
            timeout: seconds, None for no limit.
            spin: seconds to look before sleeping, while nobody else looks. No other thread of this interpreter runs
                then, unless there is one processor alone.
            unless: something else that ends the wait; whoever makes it true must put an item or ring afterwards.
            stands_back: whether somebody takes the items in this thread's place, see `relieve`.

        Raises:
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there, or `unless` is true, or the time is up.
        """
        timeout = check_timeout(timeout)

        def attempt() -> bool | None:
            try:
                count = queue_count(self._id)
            except QueueNotFoundError:
                count = self.qsize()
            return bool(count or (unless is not None and unless())) or None

        found = wait_for_item(
            attempt, self._slot, timeout, spin=spin, holds=True, is_left=self.qsize, stands_back=stands_back
        )
        return found is not None

    def drain(self, target: "deque[Any]", limit: int) -> None:
        """Move the items that are there, at most `limit`, to `target`, without waiting. Not while anybody renews.

        Low-level items, that is: each is a tuple whose first element is the item. It is one chain of C calls: whatever
        exception strikes, an item is either still here or there.
        """
        try:
            target.extend(map(queue_get, repeat(self._id, limit)))
        except QueueNotFoundError:
            raise
        except QueueError:
            pass

    def relieve(self, place: list[int]) -> None:
        """Let a sleeper sleep on whatever is put, and record its place in the list given; nothing if nobody sleeps.

        Whoever does that must first make true what that sleeper stands back for. In the end it must make that false,
        exhaust a `reinstatement` and then, if there is an item, or anything else the sleeper waits for, `ring`; also if
        nobody slept. All are of one interpreter.
        """
        memory = self._region.memory
        found = memory.find(GETTER, self._slot.first, self._end)
        if found >= 0:
            exhaust(starmap(call, ((place.append, found), (memory.__setitem__, found, STANDING_BACK[0]))))

    def reinstatement(self) -> "Iterator[object]":
        """Return C calls that have a sleeper woken again which was relieved, or stands back."""
        memory = self._region.memory
        found = map(memory.find, (STANDING_BACK,), (self._slot.first,), (self._end,))
        return map(memory.__setitem__, found, (GETTER[0],))  # if there is none, the last byte, which is nobody's

    def make_place(self) -> "Place":
        """Return a place for who waits with a descriptor; see `Place`.

        Raises:
            OSError: the process cannot open another descriptor.
            RuntimeError: so many threads wait as there are seats.
        """
        from interp_api._wakeup.place import Place

        return Place(self._slot)

    @property
    def has_sleeper(self) -> bool:
        """Whether somebody waits for an item, or did just now."""
        return self._region.find(GETTER, self._spinner, self._end) >= 0

    @staticmethod
    def own_place() -> int:
        """Return where this thread sleeps, in any queue: for `ring_at`."""
        return own_seat().number

    def ring_at(self, place: int) -> None:
        """Wake the sleeper in a place, if it sleeps here; otherwise another one, perhaps, which looks in vain."""
        ring_one(self._slot, GETTER, self._slot.first + place - 1)

    @property
    def is_behind(self) -> bool:
        """Whether many low-level queues were made since this one; some of them may be gone."""
        return tables.cells[NEWEST] - self._id > _MANY

    def renew(self) -> None:
        """Move before the low-level queues that were made since, if this one is empty and they are many.

        The runtime walks along its list of these, newest first, at every call, and everybody else waits meanwhile. So
        another one takes this one's place (N1 to N3 of README.md).

        Called in the interpreter that made the queue, while nobody there calls `put_recorded`, `drain` or this, and
        nobody elsewhere has anything to put.
        """
        if sum(id > self._id for id in queue_list()) <= _MANY:
            return
        refs = QueueRefs([])
        id = refs.create_linked(self._slot.renewed_number())
        steps: tuple[tuple[Any, ...], ...] = (
            (exhaust, map(_nothing_at, map(queue_count, (self._id,)))),  # N1
            (self._region.cells.__setitem__, self._slot.cell + OWNER, id),  # N2
            (tables.cells.__setitem__, NEWEST, id),
            (setattr, self._slot, "id", id),
            (setattr, self, "_id", id),
            (setattr, self, "_refs", refs),  # N3
        )
        try:
            exhaust(starmap(call, steps))  # one chain: no exception strikes, and no thread of this interpreter puts
        except IndexError:
            pass  # it is not empty

    def _follow(self) -> None:
        """Go on with the low-level queue that has taken this one's place (U2).

        Raises:
            QueueNotFoundError: there is none.
        """
        id = self._slot.current()
        if id is None:
            raise QueueNotFoundError(f"queue {self._id} not found")
        self._slot.id = self._id = id

    def _take_first(self) -> "tuple[Any, ...]":
        try:
            return queue_get(self._id)
        except QueueNotFoundError:
            self._follow()
            return self._take_first()


def _take_or(take: "Callable[[], tuple[Any, ...] | None]", instead: "Callable[[], object]") -> "tuple[Any, ...] | None":
    found = take()
    if found is not None:
        return found
    other = instead()
    return None if other is None else (other,)
