"""How a thread waits for something another interpreter does, without polling: the wake-up protocol.

Owns who sleeps where, and who rings whom. It must not know what the sleepers wait for. Each queue has a slot in the
arena, where each seat (`_wakeup.seats`) has a byte: 0, or the kind of what its thread waits for here. The steps G1 to
G7, P1 to P3 and W1 to W3, and why no wake-up is lost: README.md.
"""

from itertools import starmap
from os import write
from time import monotonic, monotonic_ns

from interp_api._runtime.cpython import QueueNotFoundError, queue_count
from interp_api._runtime.light_imports import call, exhaust
from interp_api._wakeup.arena import SEAT_ADDRESSES, SEAT_PLACES, tables
from interp_api._wakeup.doorbell import RING
from interp_api._wakeup.seats import close_spare_bells, own_seat, row
from interp_api._wakeup.slot import CURSOR, STANDING_BACK, WAKING, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")  # a function with [T] would import typing in every worker on 3.13

_NOTE = 1 << 12  # the note of whom one wakes: the time in units of 1,024 ns, times this, plus the seat plus one
_OLD = 1000  # of these units


def fence(slot: Slot) -> None:
    """Order what this thread has stored before what it reads next, for everybody who does the same.

    Raises:
        QueueNotFoundError: there is no such queue any more.
    """
    queue_count(slot.id)


def ring_one(slot: Slot, kind: bytes, after: int = -1) -> int:
    """Ring the first sleeper of a kind (P2 and P3), between K1 and K4.

    Args:
        slot: where it sleeps.
        kind: of what it waits for.
        after: the position behind which to search, -1 for all.

    Returns:
        The position of the one that was rung, -1 if there was none.
    """
    found = -1
    try:
        next(row.begin)  # K1
        queue_count(slot.id)  # K2
        memory = slot.region.memory
        found = memory.find(kind, max(slot.first, after + 1), slot.end)
        if found >= 0:
            address = tables.cells[SEAT_ADDRESSES + found - slot.first]
            note = (monotonic_ns() >> 10) * _NOTE + found - slot.first + 1
            note_down = slot.region.cells.__setitem__, note_place(slot, kind), note
            # P3, one chain: no byte is cleared without a ring, and the note is there before both.
            exhaust(starmap(call, (note_down, (memory.__setitem__, found, 0), (write, address, RING))))
    except BlockingIOError:
        pass  # a pipe that is full of rings
    except QueueNotFoundError:
        pass  # nobody waits for what is gone
    finally:
        next(row.end)  # K4
    close_spare_bells()
    return found


def note_place(slot: Slot, kind: bytes) -> int:
    """Return the cell with the note of whom somebody wakes, among those that wait for a kind."""
    return slot.cell + WAKING + min(kind[0], 3) - 1


def is_waking(slot: Slot, kind: bytes) -> bool:
    """Return whether a sleeper was rung that has not looked yet, and so will ring on if there is more (W1 to W3)."""
    note = slot.region.cells[note_place(slot, kind)]
    return (
        note != 0
        and tables.cells[SEAT_PLACES + note % _NOTE - 1] == slot.origin * 8 + kind[0]
        and (monotonic_ns() >> 10) - note // _NOTE < _OLD
    )


def call_one(slot: Slot, kind: bytes) -> None:
    """After P1: ring a sleeper of a kind, if nobody is on its way."""
    if not is_waking(slot, kind):
        ring_one(slot, kind)


def call_next(slot: Slot, kind: bytes) -> None:
    """After P1: ring a sleeper of a kind, in turn, if nobody is on its way."""
    if is_waking(slot, kind):
        return
    last = slot.region.cells[slot.cell + CURSOR]
    found = ring_one(slot, kind, last)
    if found < 0:
        found = ring_one(slot, kind)
    slot.region.cells[slot.cell + CURSOR] = found


def ring_all(slot: Slot, kind: bytes) -> None:
    """Ring every sleeper of a kind once; each looks again, and may go on sleeping."""
    found = -1
    while (found := ring_one(slot, kind, found)) >= 0:
        pass


def ring_surely(slot: Slot, kind: bytes) -> None:
    """Ring a sleeper, also if an exception strikes meanwhile: for who has just been struck by one."""
    try:
        ring_one(slot, kind)
    except BaseException:
        ring_one(slot, kind)
        raise


def never() -> bool:
    """Return False."""
    return False


def wait_until(
    look: "Callable[[], T | None]",
    slot: Slot,
    kind: bytes,
    timeout: float | None,
    *,
    is_left: "Callable[[], object]" = never,
    stands_back: "Callable[[], object]" = never,
) -> "T | None":
    """Call `look` until it returns something else than None, sleeping in between (G1 to G7).

    Whoever makes `look` succeed must ring a sleeper afterwards.

    Args:
        look: must call the runtime, be safe to call from any thread, must not block, and may raise to end the wait.
        slot: where to sleep.
        kind: what to be rung for.
        timeout: seconds, None for no limit.
        is_left: whether somebody else would find something, too.
        stands_back: while this is true, nothing is looked for, and nobody rings this thread but who makes it false.

    Returns:
        What `look` returned, None if the time was up.
    """
    found = None
    if not stands_back():
        found = look()
        if found is not None or timeout == 0.0:
            return found
    deadline = None if timeout is None else monotonic() + timeout
    seat, value = own_seat(), kind[0]
    position, note = slot.first + seat.number, note_place(slot, kind)
    place = SEAT_PLACES + seat.number
    try:
        try:
            seat.is_in_use = True
            tables.cells[place] = slot.origin * 8 + value  # before the first G1, for W2
            while True:
                slot.region.cells[note] = 0  # before each look: a note that P2 sees is of who looks after P1
                slot.region.memory[position] = value  # G1, before the look: P2 of whom the look misses finds it
                if stands_back():
                    slot.region.memory[position] = STANDING_BACK[0]
                    if not stands_back():
                        continue  # who took this thread's place gave it back just now, perhaps before the line above
                    ring_one(slot, kind)  # a ring that has come here may have been somebody else's
                    found = None
                else:
                    found = look()  # G2
                    if found is not None:
                        slot.region.memory[position] = 0
                        if not stands_back():  # who asks for this place now does not find the byte any more
                            break
                        continue
                if not seat.wait(None if deadline is None else max(0.0, deadline - monotonic())):  # G3
                    break
                found = None  # no `if` at the end of a loop, see tests/test_bytecode.py
        finally:
            slot.region.memory[position] = 0  # G5, a store and no call: nothing strikes before it
            tables.cells[place] = 0  # before the last look, which comes after P1 if P2 still sees this place
            seat.is_in_use = False
        if found is None and not stands_back():
            found = look()  # G6
        if found is not None and is_left():
            call_one(slot, kind)  # G7
    except BaseException:
        ring_surely(slot, kind)
        raise
    return found
