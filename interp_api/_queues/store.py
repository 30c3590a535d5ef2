"""Store: how the items of one queue are put, taken and accounted for.

Owns what a queue's users in all interpreters share: two low-level queues and a slot of the arena (`_wakeup.slot`).

    items      the items, as `_queues.items` says; of an interpreter that can be closed, tokens for these, see
               `_wakeup.boxes`, unless they are None, bool or int
    held       only of a queue with a bound, which is its own: one item per item in `items`, so a full one refuses the
               slot
    slot       who waits; the count of unfinished tasks (`_queues.shared_counter`); whether the queue is shut down, or
               is so at once; how many dead items are to be skipped, and what else the next dead ones are
               (`_queues.unbound`)

An item of a bounded queue is `held` from before it is in `items` until after it left. Each step that an exception of a
signal handler must not tear from the record of it is one chain of C calls, and so is what undoes it, which clears the
record: an exception that strikes the undoing has it done again, and only what is left of it.

It must not know what the items mean, nor what keeps the low-level queues alive.
"""

from itertools import starmap
from time import perf_counter

from interp_api._errors import ShutDown
from interp_api._queues.items import land_item, mortal, mortal_op
from interp_api._queues.shared_counter import SharedCounter
from interp_api._queues.unbound import put_verdict, take_verdict
from interp_api._runtime.cpython import (
    UNBOUND_OP_ERROR,
    UNBOUND_OP_REMOVE,
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_append,
    queue_append_error,
    queue_count,
    queue_get,
    queue_maxsize,
)
from interp_api._runtime.light_imports import call, exhaust, partial
from interp_api._wakeup.boxes import IS_MORTAL, LOOSE, TOKENS, kind_of, lose, put_boxed, take_boxed
from interp_api._wakeup.parking import call_next, fence, ring_all, wait_until
from interp_api._wakeup.slot import GETTER, IS_CLOSED, IS_DROPPED, IS_WATCHED, JOINER, PUTTER, SKIPS, WATCHER, Slot
from interp_api._wakeup.spinning import announce, wait_for_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPIN = 30e-6  # seconds a getter looks before it sleeps
_BRIEF = 120e-6  # seconds; who waited longer the last time does not look, but sleeps at once
_REPLACE = UNBOUND_OP_REPLACE
_LOW_OPS = {UNBOUND_OP_REMOVE: UNBOUND_OP_ERROR, UNBOUND_OP_ERROR: UNBOUND_OP_ERROR, _REPLACE: _REPLACE}


class Store:
    """The items of one queue, as seen from this interpreter. Thread safety: all methods."""

    __slots__ = (
        "_bury",
        "_closed",
        "_dropped",
        "_end",
        "_first",
        "_held",
        "_id",
        "_is_bounded",
        "_is_brief",
        "_region",
        "_spinner",
        "_watched",
        "counter",
        "maxsize",
        "slot",
    )

    def __init__(self, slot: Slot, held: int) -> None:
        """Open what `create_queue` has made.

        Args:
            slot: of `items`.
            held: the id of that, 0 if there is none.
        """
        self._id, self._held, self._region, self.slot = slot.id, held, slot.region, slot
        self._spinner, self._first, self._end = slot.spinner, slot.first, slot.end
        self._closed, self._dropped, self._watched = (slot.base + each for each in (IS_CLOSED, IS_DROPPED, IS_WATCHED))
        self.maxsize = queue_maxsize(held) if held else 0
        self._is_bounded = self.maxsize > 0
        self._is_brief = False  # the last wait of a getter; a hint
        self.counter = SharedCounter(slot)
        self._bury = partial(_bury, slot, held if self._is_bounded else 0)  # it must not keep the queue alive

    def count(self) -> int:
        """Return the number of items."""
        return max(0, queue_count(self._id) - self._region.cells[self.slot.cell + SKIPS])

    def is_full(self) -> bool:
        """Return whether `maxsize` items are there."""
        return self._is_bounded and queue_count(self._held) >= self.maxsize

    def put(self, item: object, op: int, limit: float | None) -> bool:
        """Put a low-level item, once there is room; return whether there was in time.

        Args:
            item: directly shareable.
            op: the runtime's number for what becomes of it when its interpreter dies.
            limit: seconds, None for no limit.

        Raises:
            ShutDown: the queue is shut down.
        """
        slot: list[int] = []
        count: list[None] = []
        placed: list[None] = []
        try:
            if self._is_bounded:
                if wait_until(lambda: self._hold(slot), self.slot, PUTTER, limit, is_left=self._has_room) is None:
                    return False
            elif self._region.memory[self._closed]:
                raise ShutDown
            self.counter.raise_by_one(count)
            if IS_MORTAL and not (op == _REPLACE and type(item) in LOOSE):
                content = item if op == _REPLACE else mortal(item, op)
                put_boxed(self._id, content, _LOW_OPS[op], self._bury, placed)
            else:
                append = queue_append if op == _REPLACE else queue_append_error
                placed.extend(map(append, (self._id,), (item,)))
            self._announce()
        except BaseException:
            try:
                self._undo(slot, count, placed)
            except BaseException:  # struck once more
                self._undo(slot, count, placed)
                raise
            raise
        return True

    def get(self, limit: float | None) -> tuple[object, int | None] | None:
        """Take the first item, once there is one, as `take` does; None if there was none in time.

        Args:
            limit: seconds, None for no limit.

        Raises:
            ShutDown: there is none, and the queue is shut down.
        """
        found = self.take()
        if found is not None or limit == 0.0:
            return found
        began, spin = perf_counter(), _SPIN if self._is_brief else 0.0
        found = wait_for_item(self.take, self.slot, limit, spin=spin, is_left=self.has_items)
        self._is_brief = perf_counter() - began < _BRIEF
        return found

    def take(self) -> tuple[object, int | None] | None:
        """Take the first item that is not to be skipped and give its slot back; None if there is none.

        Returns:
            The low-level item, and the runtime's number for what it is if it is dead, or None.

        Raises:
            ShutDown: there is none, and the queue is shut down.
        """
        is_closed = False
        while True:
            got: list[tuple[Any, ...]] = []
            held: list[int] = []
            steps: list[Any] = []
            try:
                if self._is_bounded:
                    exhaust(starmap(call, ((got.extend, map(queue_get, (self._id,))), (held.append, self._held))))
                else:
                    got.extend(map(queue_get, (self._id,)))
                if (taken := self._accept(got[0][0], got[0][-1], steps, held)) is not None:
                    return taken
            except QueueNotFoundError:
                raise
            except QueueError:
                if is_closed:
                    raise ShutDown from None
                if not self._region.memory[self._closed]:
                    return None
                is_closed = True  # only now: an item put before the shutdown may have come since
            except BaseException:
                try:
                    self._lose(got, steps, held)
                except BaseException:  # struck once more
                    self._lose(got, steps, held)
                    raise
                raise

    def has_items(self) -> bool:
        """Return whether `take` may find one."""
        return queue_count(self._id) > 0

    def may_take(self) -> bool:
        """Return whether `take` may find an item, or raise."""
        return queue_count(self._id) > 0 or self._region.memory[self._closed] != 0

    def may_put(self) -> bool:
        """Return whether a queue with a bound has room, or `put` raises."""
        return self._has_room() or self._region.memory[self._closed] != 0

    def end_task(self) -> bool:
        """Count one task as done; return False if none is unfinished."""
        try:
            if not self.counter.lower_by_one():
                return False
            self._end_joins()
        except BaseException:
            try:
                self._end_joins()
            except BaseException:  # struck once more
                self._end_joins()
                raise
            raise
        return True

    def close(self, immediate: bool) -> None:
        """Refuse what is put from now on, and drop what is there if that is to be; tell everybody who waits."""
        if immediate:
            self._region.memory[self._dropped] = 1
        self._region.memory[self._closed] = 1
        fence(self.slot)
        if immediate:
            self._discard()
        for kind in (GETTER, PUTTER, WATCHER):
            ring_all(self.slot, kind)

    def renew_in_child(self) -> None:
        """In a forked child: undo what threads of the parent had begun."""
        self.counter.renew_in_child()
        while self._is_bounded and queue_count(self._held) > queue_count(self._id):
            queue_get(self._held)  # of a put that its thread will not finish here

    def _hold(self, slot: list[int]) -> bool | None:
        """Take a slot and record it; None if there is none."""
        if self._region.memory[self._closed]:
            raise ShutDown
        try:
            exhaust(starmap(call, ((queue_append, self._held, None), (slot.append, self._held))))
        except QueueNotFoundError:
            raise
        except QueueError:
            if self._region.memory[self._closed]:
                raise ShutDown from None
            return None
        return True

    def _has_room(self) -> bool:
        return queue_count(self._held) < self.maxsize

    def _release(self, slot: list[int]) -> None:
        """Give a slot back, if the record has one, and wake a putter."""
        try:
            exhaust(map(queue_get, map(slot.pop, range(-1, -len(slot) - 1, -1))))
        except QueueError:
            pass  # the queue is gone, or this was of an item that its interpreter's end has counted off
        if self._is_bounded and self._region.find(PUTTER, self._first, self._end) >= 0:
            call_next(self.slot, PUTTER)

    def _undo(self, slot: list[int], count: list[None], placed: list[None]) -> None:
        """Finish or take back a put that an exception ended; do the rest if that was ended, too."""
        if placed:
            self._announce()
            return
        self.counter.undo(count)
        if self._is_bounded:
            self._release(slot)
        self._end_joins()

    def _announce(self) -> None:
        if (found := self._region.find(GETTER, self._spinner, self._end)) >= 0:
            announce(self.slot, found)
        if self._region.memory[self._watched]:
            ring_all(self.slot, WATCHER)
        if self._region.memory[self._dropped]:
            self._discard()  # it came too late to be dropped by the shutdown

    def _discard(self) -> None:
        """Drop all items, each as a task done."""
        try:
            while self.take() is not None:
                self.counter.lower_by_one()
        except ShutDown:
            pass
        self._end_joins()

    def _end_joins(self) -> None:
        """Wake who joins, if nothing is unfinished (D3 and D4 of `_queues.shared_counter`)."""
        if self._region.find(JOINER, self._first, self._end) >= 0 and self.counter.is_zero():
            ring_all(self.slot, JOINER)

    def _lose(self, got: "list[tuple[Any, ...]]", steps: "list[Any]", held: list[int]) -> None:
        """Account for an item that an exception has taken: its slot must not be lost, nor the contents be another's."""
        if got:
            lose(got[0][0], self.slot, steps)
            self._release(held)

    def _accept(
        self, item: "Any", op: int | None, steps: "list[Any]", held: list[int]
    ) -> tuple[object, int | None] | None:
        """Account for a low-level item that was taken; None if it is to be skipped."""
        if type(item) is int and item >= TOKENS:  # pyright: ignore[reportUnknownArgumentType]  # whatever it is
            taken = take_boxed(item, self.slot, land_item, steps)
            if taken is not None:
                if held:
                    self._release(held)
                return taken[0], None
            item, op = None, kind_of(item)
        if op == UNBOUND_OP_ERROR and take_verdict(self.slot) == UNBOUND_OP_REMOVE:
            held.clear()  # its interpreter has given the slot back
            self._region.add(self.slot.cell + SKIPS, -1)
            return None
        if held:
            self._release(held)
        return item, op


def _bury(slot: Slot, held: int, content: object) -> None:
    """Account for an item that dies with this interpreter, as if it had been taken if it is one to remove."""
    op = mortal_op(content)
    if op is None:
        return
    put_verdict(slot, op)
    if op != UNBOUND_OP_REMOVE:
        return
    slot.region.add(slot.cell + SKIPS, 1)
    if held:
        queue_get(held)
        call_next(slot, PUTTER)
    counter = SharedCounter(slot)
    if counter.lower_by_one() and counter.is_zero():
        ring_all(slot, JOINER)
