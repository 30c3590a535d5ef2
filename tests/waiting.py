"""Waiting in tests: for what a pool makes true, and for who sleeps where."""

from __future__ import annotations

import queue

from interp_api._wakeup.arena import SEAT_PLACES, tables
from interp_api._wakeup.seats import Seat
from interp_api._wakeup.slot import GETTER, HEIR, JOINER, PUTTER, WATCHER, open_slotted
from interp_pool._process.locks import WaitList

__all__ = [
    "GETTER",
    "HEIR",
    "JOINER",
    "PUTTER",
    "WATCHER",
    "Sleeper",
    "is_looked_at",
    "is_slept_at",
    "sleepers",
    "wait_for_sleeper",
    "wait_until",
    "watch_waiters",
]


def wait_until(pool, condition):
    """Block until a condition of a pool's inside holds, which is looked at with its lock held."""
    while True:
        with pool._kernel.lock:
            if condition():
                return
            waiter = pool._kernel.changed.enter()
        assert waiter.acquire(timeout=60)


class _Watched(WaitList):
    """A wait list that tells of each who enters."""

    __slots__ = ("entered",)

    def __init__(self):
        super().__init__()
        self.entered = queue.SimpleQueue()

    def enter(self, waiter=None):
        waiter = super().enter(waiter)
        self.entered.put(None)
        return waiter


def watch_waiters(pool):
    """Return a function that blocks until so many more threads wait for a change of a pool."""
    with pool._kernel.lock:
        watched = pool._kernel.changed = _Watched()

    def wait_for_waiters(count=1):
        for _ in range(count):
            watched.entered.get(timeout=60)

    return wait_for_waiters


def sleepers(queue, kind=GETTER):
    """Return how many threads of all interpreters sleep on a queue."""
    slot = queue._slot
    return slot.region.memory[slot.first : slot.end].count(kind)


def wait_for_sleeper(queue, kind=GETTER, count=1):
    """Return when so many threads sleep; the test's own time limit bounds it."""
    while sleepers(queue, kind) < count:
        pass


def is_slept_at(id, kind=GETTER):
    """Return whether a thread sleeps on the queue with an id, waiting for what those of a kind wait for."""
    slot = open_slotted(id)
    return kind in slot.region.memory[slot.first : slot.end]


class Sleeper:
    """Another thread, asleep on a queue."""

    def __init__(self, queue):
        self.seat = Seat()
        slot = queue._slot
        self.place = slot.first + self.seat.number
        slot.region.memory[self.place] = GETTER[0]
        tables.cells[SEAT_PLACES + self.seat.number] = slot.origin * 8 + GETTER[0]

    def is_rung(self):
        return self.seat.wait(0.0)


def is_looked_at(queue):
    """Return whether a getter looks for an item before it sleeps."""
    slot = queue._slot
    return slot.region.memory[slot.spinner] == GETTER[0]
