"""Waiting for an item, and looking a while before sleeping: S1 to S5 of README.md.

It must not know what the items mean. Whoever puts into a queue where anybody looks must announce that here.
"""

import os
from time import perf_counter, sleep

from interp_api._runtime.cpython import QueueNotFoundError, queue_count
from interp_api._wakeup.parking import call_one, never, ring_surely, wait_until
from interp_api._wakeup.slot import GETTER, HAS_NEWS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from interp_api._wakeup.slot import Slot

    T = TypeVar("T")  # as in `parking`

_GETTER = GETTER[0]
_HAS_PROCESSORS = os.process_cpu_count() != 1


def _yield_by_sleep() -> None:
    sleep(0.0)


# Whoever looks lets other threads run meanwhile, of this interpreter and of this processor.
_yield: "Callable[[], None]" = getattr(os, "sched_yield", _yield_by_sleep)


def announce(slot: "Slot", found: int) -> None:
    """After P1: tell the first getter, whose place P2 has found, the spinner's or that of a seat (P2a or P3)."""
    if found == slot.spinner:
        slot.region.memory[slot.base + HAS_NEWS] = 1
    else:
        call_one(slot, GETTER)


def wait_for_item(
    take: "Callable[[], T | None]",
    slot: "Slot",
    timeout: float | None,
    *,
    spin: float,
    holds: bool = False,
    is_left: "Callable[[], object]",
    stands_back: "Callable[[], object]" = never,
) -> "T | None":
    """Wait as `wait_until` does for a getter, and look for so many seconds first, `spin`, if that is not 0.

    Who holds the interpreter lock meanwhile lets no other thread of this interpreter run, and no other program on its
    processor. One that computes would keep what it is given, for a switch interval of 5 ms or a time slice of 3: for
    items that another interpreter is about to send that is long. Where there is one processor it is always given away.
    """
    try:
        if spin:
            _look(slot, spin, holds=holds and _HAS_PROCESSORS)
        found = wait_until(take, slot, GETTER, timeout, is_left=is_left, stands_back=stands_back)
        if spin and slot.region.find(GETTER, slot.first, slot.end) >= 0 and is_left():
            call_one(slot, GETTER)  # S5: putters saw the spinner, and rang nobody
    except BaseException:
        ring_surely(slot, GETTER)
        raise
    return found


def _look(slot: "Slot", seconds: float, *, holds: bool = False) -> None:
    """Look for an item for so many seconds, unless somebody does already (S1 to S3)."""
    region, spinner, news = slot.region, slot.spinner, slot.base + HAS_NEWS
    if region.memory[spinner]:
        return
    end = perf_counter() + seconds
    try:
        region.memory[spinner] = _GETTER  # S1
        region.memory[news] = 0
        if not queue_count(slot.id):
            (_look_holding if holds else _look_yielding)(slot, end, news)
    except QueueNotFoundError:
        pass  # what is called next sees that, too
    finally:
        region.memory[spinner] = 0  # S3, a store and no call: a sign left behind would silence the bells


# These loops are not in a `try`, see tests/test_bytecode.py.


def _look_yielding(slot: "Slot", end: float, news: int) -> None:
    memory = slot.region.memory
    while not memory[news] and perf_counter() < end:
        _yield()


def _look_holding(slot: "Slot", end: float, news: int) -> None:
    memory = slot.region.memory
    while not memory[news] and perf_counter() < end:
        pass
