"""Tally: a count that any thread of any interpreter raises and lowers, and that outlives each of them.

Owns the arithmetic of unfinished tasks. A number kept in an item would be lost with the interpreter that put it, so
the count is the number of items: `ones` counts 1 each, `thousands` 1,024 each, whatever became of their contents.

Carrying and borrowing move value between the two while holding the only token of `mutex`. Both put before they take,
so that the count is never seen too low, and zero is final.
"""

from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_count,
    queue_get,
    queue_put,
)

_REPLACE = UNBOUND_OP_REPLACE
_CARRY = 1024  # items of 90 bytes: at most two carries' worth lie in `ones`


class Tally:
    """A cross-interpreter counter. Thread safety: all methods, from any interpreter."""

    __slots__ = ("_mutex", "_ones", "_thousands")

    def __init__(self, ids: tuple[int, int, int]) -> None:
        self._ones, self._thousands, self._mutex = ids

    def fill(self) -> None:
        """Prepare the low-level queues of a new tally."""
        queue_put(self._mutex, None, _REPLACE)

    def raise_by_one(self) -> None:
        """Count one more."""
        queue_put(self._ones, None, _REPLACE)
        if queue_count(self._ones) >= 2 * _CARRY:
            self._carry()

    def lower_by_one(self) -> bool:
        """Count one less; return False, changing nothing, if the count is zero."""
        while True:
            try:
                queue_get(self._ones)
                return True
            except QueueError:
                if not self._borrow():
                    return False

    def is_zero(self) -> bool:
        """Return whether nothing is counted."""
        return not queue_count(self._ones) and not queue_count(self._thousands)

    def _carry(self) -> None:
        if not self._lock():
            return  # somebody else is carrying
        try:
            if queue_count(self._ones) >= 2 * _CARRY:
                self._move_up()
        finally:
            queue_put(self._mutex, None, _REPLACE)

    def _move_up(self) -> None:
        queue_put(self._thousands, None, _REPLACE)
        taken = 0
        try:
            while taken < _CARRY:
                queue_get(self._ones)
                taken += 1
        except QueueError:  # so many were counted off meanwhile: undo
            for _ in range(taken):
                queue_put(self._ones, None, _REPLACE)
            queue_get(self._thousands)

    def _borrow(self) -> bool:
        if not self._lock():
            return True  # somebody else is borrowing or carrying: look again
        try:
            if queue_count(self._ones):
                return True
            if not queue_count(self._thousands):
                return False
            for _ in range(_CARRY):
                queue_put(self._ones, None, _REPLACE)
            queue_get(self._thousands)
            return True
        finally:
            queue_put(self._mutex, None, _REPLACE)

    def _lock(self) -> bool:
        try:
            queue_get(self._mutex)
        except QueueNotFoundError:
            raise
        except QueueError:
            return False
        return True
