"""Seats: the numbers under which threads are known to whoever may have to wake them.

Owns the table of seats in the arena, one bell per seat, and the question when a bell can be closed: K1 to E3, and why
none is rung after that, are in README.md. A thread gets a seat at its first wait and keeps it until it ends. The lowest
free one is taken, so that those in use lie together.

A byte says of a seat: free; taken; or spare, which means that its bell is open and its thread has gone. Only `exchange`
takes a seat, so that each has one owner. The address is written before anybody can know the number.
"""

import os
from _thread import _local  # pyright: ignore[reportPrivateUsage]  # threading.local, without threading
from itertools import count, repeat

from interp_api._runtime.cpython import CURRENT_ID, InterpreterError, interpreter_whence, queue_list
from interp_api._wakeup.arena import (
    IS_CROWDED,
    RINGS_BEGUN,
    RINGS_ENDED,
    ROW_OWNERS,
    ROWS,
    SEAT_ADDRESSES,
    SEAT_READERS,
    SEAT_STATES,
    SEATS,
    tables,
)
from interp_api._wakeup.doorbell import Doorbell, ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FREE, _TAKEN, _SPARE = b"\0", 1, b"\2"


def is_ended(interpreter: int) -> bool:
    """Return whether there is no such interpreter any more."""
    try:
        interpreter_whence(interpreter)
    except InterpreterError:
        return True
    return False


def claim_cell(first: int, count: int) -> int | None:
    """Take for this interpreter the first cell of the tables without an owner, or whose owner has ended; None if none.

    Returns:
        How many cells are before it.
    """
    cells = tables.cells
    for number in range(count):
        owner = cells[first + number]
        if (not owner or is_ended(owner - 1)) and tables.swap(first + number, owner, CURRENT_ID + 1):
            return number
    return None


class _Row:
    """This interpreter's counts of rings."""

    __slots__ = ("_number", "begin", "end")

    begin: "Iterator[None]"
    end: "Iterator[None]"

    def __init__(self) -> None:
        self._number = claim_cell(ROW_OWNERS, ROWS)
        if self._number is None:
            tables.cells[IS_CROWDED] = 1
        self.renew()

    def renew(self) -> None:
        """Count in the memory that is the arena's now."""
        if self._number is None:
            self.begin = self.end = iter(repeat(None))
            return
        cells = tables.cells
        start = cells[RINGS_BEGUN + self._number]
        cells[RINGS_ENDED + self._number] = start
        counts: list[Iterator[None]] = [
            map(cells.__setitem__, repeat(first + self._number), count(start + 1))
            for first in (RINGS_BEGUN, RINGS_ENDED)
        ]
        self.begin, self.end = counts


row = _Row()


def is_nobody_ringing() -> bool:
    """Return whether every ring that was begun before this call has ended (E1 and E2)."""
    queue_list()  # E1, before the counts are read: a ring that it does not see will not find the thread
    cells = tables.cells
    if cells[IS_CROWDED]:
        return False
    begun, ended = cells[RINGS_BEGUN : RINGS_BEGUN + ROWS], cells[RINGS_ENDED : RINGS_ENDED + ROWS]
    if begun == ended:
        return True
    owners = cells[ROW_OWNERS : ROW_OWNERS + ROWS]
    return all(b == e or is_ended(owner - 1) for b, e, owner in zip(begun, ended, owners, strict=True))


def close_spare_bells() -> None:
    """Close bells that could not be closed when their threads ended, if that can be done now."""
    if tables.find(_SPARE, SEAT_STATES, SEAT_STATES + SEATS) >= 0:
        Seat()  # which takes over a spare one and, as nobody keeps it, closes it, and then the next one


class Seat(Doorbell):
    """A bell that others can find. Thread safety: as for a bell."""

    __slots__ = ("_pid", "_taken", "is_in_use", "number")

    def __init__(self) -> None:
        """Take a seat.

        Raises:
            OSError: the process cannot open another descriptor.
            RuntimeError: so many threads wait as there are seats.
        """
        self.is_in_use = False  # by a wait that a signal handler, or a finalizer, has interrupted
        self._pid = os.getpid()
        self._taken: list[int] = []
        cells, states = tables.cells, (SEAT_STATES, SEAT_STATES + SEATS)
        is_spare = tables.find(_SPARE, *states) >= 0
        if is_spare:
            tables.exchange_recorded(*states, _SPARE, _TAKEN, self._taken)
            is_spare = self._taken[0] >= 0
        if not is_spare:
            self._taken.clear()
            tables.exchange_recorded(*states, _FREE, _TAKEN, self._taken)
        if self._taken[0] < 0:
            raise RuntimeError(
                f"{SEATS} threads of this process wait for something or have waited: there is no room for more"
            )
        self.number = number = self._taken[0] - SEAT_STATES
        if is_spare:
            self.reader, self.address = cells[SEAT_READERS + number], cells[SEAT_ADDRESSES + number]
        else:
            super().__init__()
            cells[SEAT_READERS + number], cells[SEAT_ADDRESSES + number] = self.reader, self.address

    def move_to_child(self) -> None:
        """In a forked child: take the seat again in the child's tables, where all are free, with a bell of its own."""
        self._pid = os.getpid()
        self.renew()
        tables.memory[SEAT_STATES + self.number] = _TAKEN

    def __del__(
        self,
        close: "Callable[[int], None]" = os.close,
        getpid: "Callable[[], int]" = os.getpid,
        is_nobody_ringing: "Callable[[], bool]" = is_nobody_ringing,
    ) -> None:
        try:
            taken = self._taken
            if not taken or taken[0] < 0:
                return
            is_own = getpid() == self._pid  # otherwise this is a thread of the parent, whose tables these may be
            can_be_closed = not is_own or is_nobody_ringing()
            has_bell = hasattr(self, "address")
            if can_be_closed:
                super().__del__(close)
            if is_own:
                tables.memory[taken[0]] = 0 if can_be_closed or not has_bell else _SPARE[0]
                if can_be_closed:
                    close_spare_bells()
        except (AttributeError, OSError, TypeError, ValueError):
            pass  # the module was emptied at exit


class _ThreadSeats(_local):
    """The seat of each thread, taken at its first wait and given back when it ends."""

    seat: Seat | None = None


_own = _ThreadSeats()


def own_seat() -> Seat:
    """Return the calling thread's seat; another one while a wait further up the stack uses that."""
    seat = _own.seat
    if seat is None:
        seat = _own.seat = Seat()
    return Seat() if seat.is_in_use else seat


def renew_seats(lasting: "list[Seat]") -> "Callable[[], None]":
    """In a forked child: free all seats but those that go on, and give these bells of the child's own.

    Args:
        lasting: beside the calling thread's own, if that is in use.

    Returns:
        What rings the bell of a wait further up the stack, if there is one: who has forked in a signal handler.
    """
    own = _own.seat
    tables.memory[SEAT_STATES : SEAT_STATES + SEATS] = bytes(SEATS)
    row.renew()
    for seat in lasting:
        seat.move_to_child()
    if own is None or not own.is_in_use:
        if own is not None:
            own.move_to_child()
        return lambda: None
    own.move_to_child()
    return lambda: ring(own.address)
