"""Tally: a count that any thread of any interpreter raises and lowers, and that outlives each of them.

Owns the arithmetic of unfinished tasks. A number kept in an item would be lost with the interpreter that put it, so
the count is the number of items: `ones` counts 1 each, `thousands` 1,024 each, whatever became of their contents.

Carrying and borrowing move value between the two while holding the only token of `mutex`. Both put before they take,
so that the count is never too low in between. Two readings are not one moment, so zero is read under the mutex too.
"""

from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_count,
    queue_get,
    queue_put,
)
from interp_api._token import holding, put_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REPLACE = UNBOUND_OP_REPLACE
_CARRY = 1024  # items of 90 bytes: at most two carries' worth lie in `ones`


class Tally:
    """A cross-interpreter counter. Thread safety: all methods, from any interpreter."""

    __slots__ = ("_mutex", "_ones", "_thousands")

    def __init__(self, ones: int, thousands: int, mutex: int) -> None:
        self._ones, self._thousands, self._mutex = ones, thousands, mutex

    def fill(self) -> None:
        """Prepare the low-level queues of a new tally."""
        put_token(self._mutex)

    def raise_by_one(self, counted: list[None]) -> None:
        """Count one more, and record it in the list given."""
        counted.extend(map(queue_put, (self._ones,), (None,), (_REPLACE,)))
        if queue_count(self._ones) >= 2 * _CARRY:
            try:
                holding(self._mutex, self._carry)
            except QueueError:
                pass  # somebody else is carrying or borrowing

    def lower_by_one(self) -> bool:
        """Count one less; return False, changing nothing, if the count is zero."""
        while True:
            try:
                queue_get(self._ones)
                return True
            except QueueNotFoundError:
                raise
            except QueueError:
                if not self._locked(self._borrow):
                    return False

    def is_zero(self) -> bool:
        """Return whether nothing is counted."""
        return not queue_count(self._ones) and self._locked(self._is_zero)

    def _locked(self, action: "Callable[[], bool]") -> bool:
        while True:
            try:
                return holding(self._mutex, action)
            except QueueNotFoundError:
                raise
            except QueueError:
                pass  # somebody else is carrying or borrowing: that takes 0.2 ms

    def _is_zero(self) -> bool:
        return not queue_count(self._thousands) and not queue_count(self._ones)

    def _carry(self) -> None:
        if queue_count(self._ones) < 2 * _CARRY:
            return
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
        if queue_count(self._ones):
            return True
        if not queue_count(self._thousands):
            return False
        for _ in range(_CARRY):
            queue_put(self._ones, None, _REPLACE)
        queue_get(self._thousands)
        return True
