"""How a coroutine waits for something another interpreter does: without a thread, and without polling.

Owns who waits at a queue in one event loop, and in which order. It must not know what they wait for, nor what a loop
is (`_wakeup.loops`). To the others a loop is one more sleeper: it has a seat, and a bell that the loop watches. The
steps A1 to A7, B1, B2 and L1 to L4, and why no wake-up is lost: README.md.

A loop has one seat for each kind of thing that its coroutines wait for, whatever the number of queues and coroutines.
"""

import os
from collections import OrderedDict
from weakref import WeakValueDictionary

from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
    QueueNotFoundError,
)
from interp_api._wakeup.doorbell import ring
from interp_api._wakeup.loops import find_running
from interp_api._wakeup.parking import call_one
from interp_api._wakeup.seats import Seat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_api._wakeup.loops import Loop
    from interp_api._wakeup.slot import Slot

_desks: "WeakValueDictionary[tuple[int, bytes], Desk]" = WeakValueDictionary()  # by the loop's id; the loop keeps them


class Desk(Seat):
    """The seat of one loop for one kind of wait, and who waits there. Not thread-safe: for the loop's thread."""

    __slots__ = ("__weakref__", "_kind", "lines", "loop")

    def __init__(self, loop: "Loop", kind: bytes) -> None:
        """Take a seat, and have the loop watch its bell.

        Raises:
            OSError: the process cannot open another descriptor.
            RuntimeError: there are no more seats, or the loop cannot watch descriptors.
        """
        self.lines: dict[int, Line] = {}
        self.loop, self._kind = loop, kind
        super().__init__()
        loop.watch(self.reader, self.on_ring)

    def line(self, slot: "Slot", is_left: "Callable[[], object]") -> "Line":
        """Return the line of a queue, a new one if nobody waits there."""
        line = self.lines.get(slot.origin)
        if line is None:
            line = self.lines[slot.origin] = Line(self, slot, self._kind, is_left)
        return line

    def on_ring(self) -> None:
        """Have those look again for whom the bell may have rung (B1 and B2)."""
        try:
            self.wait(0.0)  # B1
            self._wake_rung()
        except BaseException:
            ring(self.address)  # struck by an exception of a signal handler: once more
            raise

    def _wake_rung(self) -> None:
        for line in [*self.lines.values()]:
            if not line.is_armed():
                line.wake_first()  # B2

    def __del__(self, getpid: "Callable[[], int]" = os.getpid) -> None:  # type: ignore[override]  # nobody calls it
        try:
            if getpid() == self._pid:
                for line in self.lines.values():
                    line.disarm()  # before the bell is closed: who sees the byte rings
        except (AttributeError, TypeError, ValueError):
            pass  # it never had a seat, or the module was emptied at exit
        super().__del__()


class Line:
    """The coroutines of one loop that wait for the same at one queue, first come first served."""

    __slots__ = ("_desk", "_is_left", "_kind", "_position", "_slot", "waiting")

    def __init__(self, desk: Desk, slot: "Slot", kind: bytes, is_left: "Callable[[], object]") -> None:
        self._desk, self._slot, self._kind, self._is_left = desk, slot, kind, is_left
        self._position = slot.first + desk.number
        self.waiting: OrderedDict[object, Any] = OrderedDict()  # waiters; None for one that is about to look

    def is_armed(self) -> bool:
        """Return whether who has something for this line would ring."""
        return self._slot.region.memory[self._position] != 0

    def arm(self) -> None:
        """Have whoever has something ring (the store of A2, A5 and L2)."""
        self._slot.region.memory[self._position] = self._kind[0]

    def disarm(self) -> None:
        """Have nobody ring (the store of L3)."""
        self._slot.region.memory[self._position] = 0

    def wake_first(self) -> bool:
        """Have the first one look; return False if there is none that ever will."""
        waiter = next(iter(self.waiting.values()), None)
        return waiter is None or self._desk.loop.wake(waiter)

    async def stand(self, me: object, look: "Callable[[], Any]") -> "Any":
        """Wait in the line until `look` returns something else than None, and return that (A1 to A7)."""
        loop, is_first = self._desk.loop, not self.waiting
        self.waiting[me] = None  # A1
        while True:
            if is_first:
                self.arm()  # A2, A5
                found = look()  # A3, A6
                if found is not None:
                    return found
            waiter = self.waiting[me] = loop.make_waiter()
            await loop.suspend(waiter)  # A4
            is_first = True  # only the first is woken

    def leave(self, me: object) -> None:
        """Leave the line, for whatever reason, such that nobody counts on who has left (L1 to L4). May be repeated."""
        self.waiting.pop(me, None)  # L1
        if self.waiting:
            self.arm()  # L2
            if not self._may_find() or self.wake_first():
                return
        self.disarm()  # L3
        if not self.waiting and self._desk.lines.get(self._slot.origin) is self:
            del self._desk.lines[self._slot.origin]
        slot = self._slot
        if self._may_find() and slot.region.find(self._kind, slot.first, slot.end) >= 0:
            call_one(slot, self._kind)  # L4

    def _may_find(self) -> bool:
        """Return whether a look would find something, or fail."""
        try:
            return bool(self._is_left())
        except QueueNotFoundError:
            return True


async def await_until[T](
    look: "Callable[[], T | None]", slot: "Slot", kind: bytes, *, is_left: "Callable[[], object]"
) -> T:
    """Call `look` until it returns something else than None, and let the event loop run in between (A, B, L).

    Whoever makes `look` succeed must ring a sleeper afterwards. The coroutines of one loop are served in their order.

    Args:
        look: must call the runtime, must not block, and may raise to end the wait.
        slot: where to wait.
        kind: what to be rung for.
        is_left: whether somebody else's look would return something, or raise; calls the runtime before it reads what
            is changed without a call of it.

    Returns:
        What `look` returned.

    Raises:
        RuntimeError: no event loop that can be used runs here, or there are no more seats.
    """
    desk = _own_desk(kind)
    await desk.loop.give_way()  # before the look: who is cancelled here has taken nothing
    if slot.origin not in desk.lines:
        found = look()
        if found is not None:
            return found
    line, me, is_out = desk.line(slot, is_left), object(), False
    try:
        try:
            found = await line.stand(me, look)
        except BaseException:
            line.leave(me)  # cancelled
            is_out = True
            raise
        line.leave(me)
    except BaseException:
        if is_out:
            raise
        try:  # struck while it left
            line.leave(me)
        except BaseException:  # struck once more
            line.leave(me)
            raise
        raise
    return found  # type: ignore[no-any-return]  # what `look` returned


def _own_desk(kind: bytes) -> Desk:
    """Return the desk of the loop that runs the calling coroutine."""
    running, make = find_running()
    desk = _desks.get((id(running), kind))
    if desk is None or desk.loop.loop is not running:
        desk = _desks[id(running), kind] = Desk(make(), kind)
    return desk


if IS_MAIN_INTERPRETER:
    from interp_api._wakeup.fork import do_in_child

    do_in_child(_desks.clear)  # a child's seats are others, and nobody waits in its tables
