"""SimpleQueue: items from any thread of any interpreter to any other.

Owns the protocol of looking before sleeping, S1 to S5, on top of the wake-up protocol: README.md has both. It must not
know what the items mean.

Items of an interpreter that can be closed are in its boxes (`_wakeup.boxes`), which costs a getter 1 us. A plain queue
does without, and has `put_recorded` and `drain`: whoever closes an interpreter that puts there, or takes, must know
that all of its items were taken before.

One sleeper may be relieved: somebody marks its byte without ringing and reads in its place, and later sets it again.
The sleeper sees, with `stands_back`, that it is not to look meanwhile. That is for a queue that never has two sleepers,
see `interp_pool._pool.result_stream`.
"""

import os
from itertools import repeat, starmap
from time import perf_counter, sleep

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_append,
    queue_count,
    queue_get,
    queue_put,
)
from interp_api._runtime.light_imports import call, exhaust, partial
from interp_api._wakeup.boxes import IS_MORTAL, LOOSE, TOKENS, lose, put_boxed, take_boxed
from interp_api._wakeup.channel import QueueRefs, check_timeout
from interp_api._wakeup.parking import call_one, never, ring_all, ring_one, ring_surely, wait_until
from interp_api._wakeup.slot import GETTER, HAS_NEWS, STANDING_BACK, create_slotted, open_slotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator
    from typing import Any

_REPLACE = UNBOUND_OP_REPLACE
SIMPLE = 0  # what the low-level queue carries; those of `Queue` have other numbers
_GETTER = GETTER[0]


def _yield_by_sleep() -> None:
    sleep(0.0)


# Whoever looks lets other threads run meanwhile, of this interpreter and of this processor.
_yield: "Callable[[], None]" = getattr(os, "sched_yield", _yield_by_sleep)


class SimpleQueue:
    """An unbounded queue of directly shareable objects: no task tracking, no shutdown, nothing pickled.

    What `queue.SimpleQueue` is to `queue.Queue`. Items are None, bool, int (of C size, below 2**62), float, str, bytes,
    memoryview and tuples of these. The item of an interpreter that was closed since arrives as None.

    Thread safety: all methods may be called from any thread of any interpreter at once, each interpreter through its
    own `SimpleQueue(id)`.
    """

    __slots__ = ("_end", "_id", "_is_boxed", "_is_plain", "_refs", "_region", "_slot", "_spinner")

    def __init__(self, id: int | None = None, *, plain: bool = False) -> None:
        """Create a queue, or with `id` open one that another SimpleQueue keeps alive.

        Args:
            id: of the queue to open.
            plain: whether no interpreter that puts or takes here will be closed while others take its items; the same
                for all that open the queue.

        Raises:
            QueueNotFoundError: there is no such queue.
            QueueError: the queue was not made by this class.
        """
        if id is None:
            self._refs = QueueRefs([])
            slot = create_slotted(SIMPLE, self._refs)
        else:
            found = open_slotted(id)
            if found is None or found.number != SIMPLE:
                raise QueueError(f"queue {id} was not created by SimpleQueue()")
            slot = found
            self._refs = QueueRefs([id])
        self._id, self._slot, self._region = slot.id, slot, slot.region
        self._spinner, self._end = slot.spinner, slot.end
        self._is_plain = plain
        self._is_boxed = IS_MORTAL and not plain

    @property
    def id(self) -> int:
        """The id that opens this queue in any interpreter."""
        return self._id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id})"

    def __reduce__(self) -> "tuple[Callable[..., SimpleQueue], tuple[int, bool]]":
        return _reopen, (self._id, self._is_plain)

    def qsize(self) -> int:
        """Return the number of items."""
        return queue_count(self._id)

    def put(self, item: object) -> None:
        """Append an item. Never blocks.

        Raises:
            NotShareableError: the item is not directly shareable.
            ValueError: it is an int of 2**62 or more.
        """
        try:
            if self._is_plain:
                queue_put(self._id, item, _REPLACE)
            else:
                self._put(item)
            if (found := self._region.find(GETTER, self._spinner, self._end)) >= 0:
                self._wake(found)
        except BaseException:
            ring_surely(self._slot, GETTER)  # the item may be there
            raise

    def _put(self, item: object) -> None:
        kind: object = type(item)
        if kind is int and item >= TOKENS:  # type: ignore[operator]  # it is an int
            raise ValueError(f"cannot send the int {item}: it must be below 2**62")
        if self._is_boxed and kind not in LOOSE:
            put_boxed(self._id, item, _REPLACE, _bury, [])
        else:
            queue_put(self._id, item, _REPLACE)

    def _wake(self, found: int) -> None:
        if found == self._spinner:
            self._region.memory[self._slot.base + HAS_NEWS] = 1
        else:
            call_one(self._slot, GETTER)

    def put_recorded(self, item: object, placed: list[None]) -> None:
        """Append an item to a plain queue as `put` does, and record it in the list given, whatever strikes afterwards.

        Who calls this again for the same item must look there first.
        """
        try:
            placed.extend(map(queue_append, (self._id,), (item,)))
            if (found := self._region.find(GETTER, self._spinner, self._end)) >= 0:
                self._wake(found)
        except BaseException:
            ring_surely(self._slot, GETTER)  # the item may be there
            raise

    def get_nowait(self) -> object:
        """Return the first item.

        Raises:
            QueueError: the queue is empty.
        """
        return (queue_get(self._id) if self._is_plain else self._open_first())[0]

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
            return (queue_get(self._id) if self._is_plain else self._open_first())[0]
        except QueueNotFoundError:
            raise
        except QueueError:
            pass
        take = self._take if self._is_plain else self._take_opened
        if instead is not None:
            take = partial(_take_or, take, instead)
        try:
            if spin:
                self._spin(spin)
            found = wait_until(take, self._slot, GETTER, timeout, is_left=self.qsize)
            if spin and found is not None and queue_count(self._id):  # S5: putters saw the spinner, and rang nobody
                call_one(self._slot, GETTER)
        except BaseException:
            ring_surely(self._slot, GETTER)
            raise
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
            spin: seconds to look before sleeping, while nobody else looks.
            unless: something else that ends the wait; whoever makes it true must put an item or ring afterwards.
            stands_back: whether somebody takes the items in this thread's place, see `relieve`.

        Raises:
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there, or `unless` is true, or the time is up.
        """
        timeout = check_timeout(timeout)

        def attempt() -> bool | None:
            return bool(queue_count(self._id) or (unless is not None and unless())) or None

        try:
            if spin:
                self._spin(spin)
            found = wait_until(attempt, self._slot, GETTER, timeout, is_left=self.qsize, stands_back=stands_back)
            if spin and self._region.find(GETTER, self._slot.first, self._end) >= 0 and self.qsize():  # S5
                call_one(self._slot, GETTER)
            return found is not None
        except BaseException:
            ring_surely(self._slot, GETTER)
            raise

    def drain(self, target: "deque[Any]", limit: int) -> None:
        """Move the items of a plain queue that are there, at most `limit`, to `target`, without waiting.

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
        return map(memory.__setitem__, found, (_GETTER,))  # if there is none, the last byte, which is nobody's

    def ring(self) -> None:
        """Wake a sleeper, if there is one."""
        ring_one(self._slot, GETTER)

    def ring_all(self) -> None:
        """Wake all sleepers."""
        ring_all(self._slot, GETTER)

    def _spin(self, seconds: float) -> None:
        """Look for an item for so many seconds, unless somebody does already (S1 to S3)."""
        region, news = self._region, self._slot.base + HAS_NEWS
        if region.memory[self._spinner]:
            return
        end = perf_counter() + seconds
        try:
            region.memory[self._spinner] = _GETTER  # S1
            region.memory[news] = 0
            if not queue_count(self._id):
                self._spin_until(end, news)
        finally:
            region.memory[self._spinner] = 0  # S3, a store and no call: a sign left behind would silence the bells

    def _spin_until(self, end: float, news: int) -> None:
        memory = self._region.memory
        while not memory[news] and perf_counter() < end:  # not in a `try`, see tests/test_bytecode.py
            _yield()

    def _take(self) -> "tuple[Any, ...] | None":
        try:
            return queue_get(self._id)
        except QueueNotFoundError:
            raise
        except QueueError:
            return None

    def _take_opened(self) -> "tuple[Any, ...] | None":
        try:
            return self._open_first()
        except QueueNotFoundError:
            raise
        except QueueError:
            return None

    def _open_first(self) -> "tuple[Any, ...]":
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


def _take_or(take: "Callable[[], tuple[Any, ...] | None]", instead: "Callable[[], object]") -> "tuple[Any, ...] | None":
    found = take()
    if found is not None:
        return found
    other = instead()
    return None if other is None else (other,)


def _reopen(id: int, is_plain: bool) -> SimpleQueue:
    return SimpleQueue(id, plain=is_plain)


def _as_it_is(content: object) -> object:
    return content


def _bury(_content: object) -> None:
    """Do nothing: nobody counts."""
