"""Watch: a descriptor that is readable while a queue has something to get.

Owns one seat, whose byte in the queue's slot says so while nothing is there. Rung means readable; it stays so until a
`get` of this interpreter finds nothing left.
"""

from _thread import RLock

from interp_api._runtime.cpython import queue_count
from interp_api._runtime.locks import holding
from interp_api._wakeup.doorbell import ring
from interp_api._wakeup.seats import Seat
from interp_api._wakeup.slot import IS_CLOSED, IS_WATCHED, WATCHER, Slot


class Watch:
    """The bell behind `Queue.fileno()`. Thread safety: all methods."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.seat = Seat()
        self._lock = RLock()
        self._place = slot.first + self.seat.number
        slot.region.memory[slot.base + IS_WATCHED] = 1
        self._arm()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.seat.reader

    def settle(self) -> None:
        """After a get: if nothing is left, make the descriptor unreadable until the next put."""
        holding(self._lock, self._settle)

    def _settle(self) -> None:
        if not self._has_something() and self.seat.wait(0.0):
            self._arm()

    def renew(self) -> None:
        """In a forked child, where nobody watches, and the descriptor is another one under the same number: go on."""
        self._lock = RLock()
        self._arm()

    def _arm(self) -> None:
        # Say so, then look: a put either finds the byte, or what it put is seen here.
        self._slot.region.memory[self._place] = WATCHER[0]
        if self._has_something():
            self._slot.region.memory[self._place] = 0
            ring(self.seat.address)

    def _has_something(self) -> bool:
        slot = self._slot
        return bool(queue_count(slot.id) or slot.region.memory[slot.base + IS_CLOSED])

    def __del__(self) -> None:
        try:
            self._slot.region.memory[self._place] = 0
        except (AttributeError, ValueError):
            pass  # never armed, or in a forked child that has not got its own memory yet
