"""Slot: the part of the arena that belongs to one queue.

Owns where in a slot what is, and how a queue gets one. It must not know what the cells mean.

The runtime's ids are never used twice, and grow; so the slot of a queue is its id modulo the number of slots, if the
queue whose id is written there is no more. There is nothing to give back, then, and nothing can leak. If it is there
still, another low-level queue is made, and so another id; where that fails too often there are twice as many slots from
then on. The number that the queue carries tells how many there were.

A low-level queue can take the place of another one, see `PoolQueue.renew`. It carries the id of the first of them,
which tells the slot, and the slot tells the id of the last.
"""

from interp_api._runtime.cpython import (
    QueueError,
    QueueNotFoundError,
    queue_count,
    queue_destroy,
    queue_list,
)
from interp_api._wakeup.arena import CELL, GROWTH, NEWEST, SEATS, SLOT, SLOTS, Region, segment, tables
from interp_api._wakeup.channel import linked_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_api._wakeup.channel import QueueRefs

# What a byte of a seat says its thread waits for.
GETTER, PUTTER, JOINER, WATCHER = b"\1", b"\2", b"\3", b"\4"
STANDING_BACK = b"\5"  # a getter that is not to be rung while somebody takes the items in its place
HEIR = b"\6"  # has the token of an item whose interpreter is about to end

# Where a slot has what: cells first.
OWNER, SKIPS, VERDICTS, CURSOR = 0, 1, 2, 3
WAKING = 4  # a cell for getters, one for putters, and one that nobody reads, for the others
IS_CLOSED, IS_DROPPED, IS_WATCHED, HAS_NEWS = 56, 57, 58, 62  # bytes, each of which only grows but for the last
_SPINNER = 63  # a byte that says GETTER, too, just before those of the seats
DONES, PUTS = (64 + SEATS) // CELL, (64 + SEATS) // CELL + 64  # COLUMNS cells each

_SLOTTED = 1 << 50  # added to the number; ids and descriptors are lower, keepers and arenas higher
_RENEWED = 1 << 51  # added to the id of the first one
_DOUBLINGS = 8  # more than there are segments for
_MOST_ATTEMPTS = 32


class Slot:
    """One queue's part of the arena, as seen from this interpreter."""

    __slots__ = ("_doublings", "base", "cell", "end", "first", "id", "number", "origin", "region", "segment", "spinner")

    def __init__(self, id: int, number: int) -> None:
        """Find the slot of a queue.

        Args:
            id: the queue's.
            number: what it carries.
        """
        self.id = self.origin = id
        if number < _RENEWED:
            self.number, self._doublings = divmod(number - _SLOTTED, _DOUBLINGS)
        else:
            self.number = 0
            self.origin, self._doublings = divmod(number - _RENEWED, _DOUBLINGS)
        place = self.origin % (SLOTS << self._doublings)
        self.segment = place // SLOTS
        self.region: Region = segment(self.segment)
        self.base = place % SLOTS * SLOT
        self.cell = self.base // CELL
        self.spinner = self.base + _SPINNER
        self.first = self.spinner + 1
        self.end = self.first + SEATS

    def renewed_number(self) -> int:
        """Return what a queue carries that takes this one's place."""
        return _RENEWED + self.origin * _DOUBLINGS + self._doublings

    def current(self) -> int | None:
        """Return the id of the queue that has taken the place of the first one, None if none has or it is gone."""
        id = self.region.cells[self.cell + OWNER]
        return id if exists(id) and linked_number(id) == self.renewed_number() else None

    def claim(self) -> bool:
        """Take the slot for a new queue; return whether it is free."""
        cells, owner = self.region.cells, self.cell + OWNER
        before = cells[owner]
        if before and exists(before):
            return False
        verdicts = cells[self.cell + VERDICTS] if before else 0
        if not self.region.swap(owner, before, self.id):
            return False
        self.region.memory[self.base + CELL : self.base + SLOT] = bytes(SLOT - CELL)
        if verdicts:
            destroy(verdicts)
        return True


def exists(id: int) -> bool:
    """Return whether a low-level queue is still there."""
    try:
        queue_count(id)
    except QueueNotFoundError:
        return False
    return True


def destroy(id: int) -> None:
    """Destroy a low-level queue, if it is still there."""
    try:
        queue_destroy(id)
    except QueueError:
        pass


def create_slotted(number: int, refs: "QueueRefs") -> Slot:
    """Create a low-level queue that carries a number and has a slot; keep it alive by `refs`, which has no other.

    Raises:
        QueueError: there are too many.
    """
    while True:
        doublings = tables.cells[GROWTH]
        is_last = doublings + 1 == _DOUBLINGS
        # The ids, and so the slots, follow each other: so many attempts find every slot that there can be.
        for _ in range(SLOTS << doublings if is_last else _MOST_ATTEMPTS):
            carried = _SLOTTED + number * _DOUBLINGS + doublings
            slot = Slot(refs.create_linked(carried), carried)
            if slot.claim():
                tables.cells[NEWEST] = slot.id
                return slot
            refs.drop()
        if is_last:
            raise QueueError(f"{SLOTS << doublings} queues exist in this process, there is no room for another one")
        tables.swap(GROWTH, doublings, doublings + 1)


def open_slotted(id: int) -> Slot | None:
    """Return the slot of a queue, None if it was not made by `create_slotted`.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    number = linked_number(id)
    return Slot(id, number) if number is not None and _SLOTTED <= number < 2 * _RENEWED else None


def list_slots() -> list[Slot]:
    """Return the slots of all queues of the process."""
    slots: list[Slot] = []
    for id in queue_list():
        try:
            slot = open_slotted(id)
        except QueueError:
            continue  # gone since
        if slot is not None:
            slots.append(slot)
    return slots
