"""What a forked child makes anew: locks, seats with their bells, and the memory where threads say they sleep.

Owns all that the package does in a child, but for the interpreters' own part (`_interpreters.guards`). Only the main
interpreter can fork, so only it loads this file.

Low-level queues are memory of the process: a child has copies of them, with the items. The arena is shared memory, and
descriptors are shared: what a child writes there, or rings, the parent's threads would see. Locks are copied as they
are, perhaps held by a thread that the child does not have. So in the child, in this order, before anybody else runs:

    F1  the arena becomes a copy of what the parent's was, under the same number
    F2  all seats are free, and nobody sleeps or looks: their threads are the parent's
    F3  seats that go on (of this thread; of `Queue.fileno()`) are taken again, and their bells get a descriptor of the
        child's under the same number
    F4  the wait further up this thread's stack, if there is one, is rung, and looks again
"""

import os
import sys

from interp_api._runtime.locks import free_in_child
from interp_api._wakeup.arena import renew_arena
from interp_api._wakeup.seats import renew_seats
from interp_api._wakeup.slot import list_slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from interp_api._wakeup.seats import Seat

_locks: "list[RLock]" = []
_lasting: "list[Callable[[], list[Seat]]]" = []
_steps: "list[Callable[[], None]]" = []


def renew_in_child(lock: "RLock") -> None:
    """Have a lock of a module free in a forked child, unless the thread that forks holds it itself."""
    _locks.append(lock)


def keep_in_child(find: "Callable[[], list[Seat]]") -> None:
    """Have the seats that a function returns go on in a forked child."""
    _lasting.append(find)


def do_in_child(step: "Callable[[], None]") -> None:
    """Have something else done in a forked child, after all that."""
    _steps.append(step)


def _after_fork_in_child() -> None:
    for lock in _locks:
        free_in_child(lock)
    slots = list_slots()
    renew_arena([(slot.segment, slot.base) for slot in slots])  # F1
    for slot in slots:  # F2
        slot.region.memory[slot.spinner : slot.end] = bytes(slot.end - slot.spinner)
    ring_own = renew_seats([seat for find in _lasting for seat in find()])  # F2, F3
    ring_own()  # F4
    for step in _steps:
        step()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
