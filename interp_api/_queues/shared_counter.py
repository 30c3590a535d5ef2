"""SharedCounter: a count that any thread of any interpreter raises and lowers, and that outlives each of them.

Owns the arithmetic of unfinished tasks. A slot has two columns of cells: how many tasks were put, and how many are
done. Each interpreter has a row of its own, which nobody else writes, from its first count on; when it has ended,
another one goes on from there. One count is one C call, which adds and stores while it holds the interpreter's lock.

Many cells are not read in one moment. Those of what is done are read first, then the runtime's mutex is taken, then
those of what was put: what was done had been put before. If both sums are the same, nothing was unfinished in between.

    done                                      join
    D1  the own cell of what is done += 1     J1  the byte of a joiner, see G1 of `_wakeup/README.md`
    D2  take the mutex                        J2  take the mutex
    D3  nobody joins: done                    J3  the sums are the same: go on
    D4  the sums are the same: ring all       J4  sleep

Of those that are at D2, let X be the last, and J2 after it: then J3 sees all of D1. Otherwise D3 of X sees the joiner,
and D4 all of D1.

The last row is for all interpreters that come when there is none left, and is changed by `exchange` alone.
"""

from itertools import count, repeat, starmap

from interp_api._runtime.cpython import queue_count
from interp_api._runtime.light_imports import call, exhaust
from interp_api._wakeup.arena import COLUMN_OWNERS, COLUMNS, COLUMNS_USED, tables
from interp_api._wakeup.seats import claim_cell
from interp_api._wakeup.slot import DONES, PUTS, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SHARED = COLUMNS - 1
_own: list[int] = []  # this interpreter's row, as soon as it has one


def _row() -> int:
    if not _own:
        found = claim_cell(COLUMN_OWNERS, _SHARED)
        number = _SHARED if found is None else found
        while (used := tables.cells[COLUMNS_USED]) <= number:
            tables.swap(COLUMNS_USED, used, number + 1)
        _own.append(number)
    return _own[0]


class SharedCounter:
    """A cross-interpreter counter. Thread safety: all methods, from any interpreter; one object in each."""

    __slots__ = ("_counts", "_slot")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._counts: dict[int, Iterator[None]] = {}

    def renew_in_child(self) -> None:
        """In a forked child: count in the memory that is the arena's now."""
        self._counts.clear()

    def raise_by_one(self, counted: list[None]) -> None:
        """Count one more, and record it in the list given, whatever strikes afterwards."""
        self._count(PUTS, counted)

    def undo(self, counted: list[None]) -> None:
        """Take back what was counted according to the list, once."""
        if counted:
            self._count(DONES, [], counted)

    def lower_by_one(self) -> bool:
        """Count one less; return False, changing nothing, if the count is zero. D3 and D4 are the caller's."""
        if self.unfinished() <= 0:
            return False
        self._count(DONES, [])
        queue_count(self._slot.id)  # D2
        return True

    def unfinished(self) -> int:
        """Return how many are unfinished, at most; zero means that there was a moment when it was so."""
        cells, first = self._slot.region.cells, self._slot.cell
        queue_count(self._slot.id)  # J2
        dones = sum(cells[first + DONES : first + DONES + tables.cells[COLUMNS_USED]])
        queue_count(self._slot.id)
        return sum(cells[first + PUTS : first + PUTS + tables.cells[COLUMNS_USED]]) - dones

    def is_zero(self) -> bool:
        """Return whether nothing is counted."""
        return self.unfinished() <= 0

    def _count(self, column: int, counted: list[None], undone: "list[None] | None" = None) -> None:
        counts = self._counts.get(column) or self._begin(column)
        if counts is None:
            self._slot.region.add(self._slot.cell + column + _SHARED, 1)
            counts = repeat(None)
        record: Any = (counted.append, None) if undone is None else (undone.pop,)
        exhaust(starmap(call, ((next, counts), record)))

    def _begin(self, column: int) -> "Iterator[None] | None":
        row = _row()
        if row == _SHARED:
            return None
        cells, index = self._slot.region.cells, self._slot.cell + column + row
        return self._counts.setdefault(column, map(cells.__setitem__, repeat(index), count(cells[index] + 1)))
