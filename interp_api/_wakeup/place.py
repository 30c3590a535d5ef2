"""Place: where somebody sleeps at a queue without blocking a thread, such as a loop that waits for descriptors.

Owns one seat, and its byte in the queue's slot. For the rest it is a sleeper like any (G1 to G7 of README.md), whose
look and whose reading of the bell are its user's. It must not know what that waits for.

The steps are given as C calls, for a chain of them: with others that say whether it may sleep at all, so that neither
another thread nor an exception of a signal handler comes in between.
"""

from interp_api._wakeup.arena import SEAT_PLACES, tables
from interp_api._wakeup.doorbell import ring
from interp_api._wakeup.parking import note_place
from interp_api._wakeup.seats import Seat
from interp_api._wakeup.slot import GETTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_api._wakeup.slot import Slot

    type Steps = tuple[tuple[Any, ...], ...]  # of a function and its arguments each


class Place:
    """A place to sleep at a queue, as a getter. Thread safety: all but `read`, which is for who waits."""

    __slots__ = ("_seat", "falling_asleep", "leaving")

    def __init__(self, slot: "Slot") -> None:
        """Take a seat.

        Raises:
            OSError: the process cannot open another descriptor.
            RuntimeError: so many threads wait as there are seats.
        """
        self._seat = seat = Seat()
        memory, position = slot.region.memory, slot.first + seat.number
        place = SEAT_PLACES + seat.number
        self.falling_asleep: Steps = (
            (tables.cells.__setitem__, place, slot.origin * 8 + GETTER[0]),
            (slot.region.cells.__setitem__, note_place(slot, GETTER), 0),
            (memory.__setitem__, position, GETTER[0]),
        )
        """C calls: from now on a put rings (G1). Look afterwards."""
        self.leaving: Steps = ((memory.__setitem__, position, 0), (tables.cells.__setitem__, place, 0))
        """C calls: no put rings any more (G5). Look once more afterwards, and ring another if there is something."""

    def fileno(self) -> int:
        """Return the descriptor that is readable once it has been rung."""
        return self._seat.reader

    def read(self) -> None:
        """Make it unreadable. Blocks: until it is readable."""
        self._seat.wait(None)

    def ring(self) -> None:
        """Make it readable."""
        ring(self._seat.address)
