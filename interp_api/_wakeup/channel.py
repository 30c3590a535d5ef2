"""Low-level queues that carry a number, and what keeps them alive.

Owns the one immutable field of a low-level queue that every interpreter can read: its maxsize. Where that is negative
the queue is unbounded, whatever the value, so it can hold a number. It must not know what the numbers mean.
"""

from itertools import repeat, starmap

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    queue_bind,
    queue_create,
    queue_creation,
    queue_maxsize,
    queue_release,
)
from interp_api._runtime.light_imports import call, exhaust

_ADDRESS_BASE = 1 << 40  # this tells our numbers from a user's maxsize of -1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    _Map = map[None]  # pyright: ignore[reportIndexIssue]  # not at run time
else:
    _Map = map


def create_linked(number: int) -> int:
    """Create an unbounded low-level queue that carries a number >= 0, readable from every interpreter."""
    return queue_create(-_ADDRESS_BASE - number, UNBOUND_OP_REPLACE)


def linked_number(qid: int) -> int | None:
    """Return the number a queue carries, or None if it is not one of ours.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    number = -queue_maxsize(qid) - _ADDRESS_BASE
    return number if number >= 0 else None


def check_timeout(timeout: float | None) -> float | None:
    """Return the time limit in seconds, None for no limit.

    Raises:
        ValueError: it is negative or not a number.
    """
    if timeout is None or timeout == float("inf"):
        return None
    if not timeout >= 0:
        raise ValueError(f"timeout must be a non-negative number of seconds or None, got {timeout!r}")
    return timeout


class _Ref(_Map):
    """A reference, `_Ref(queue_release, (id,))`: when it goes, it takes the one step of this map."""

    __slots__ = ()
    # In C, which no exception of a signal handler strikes; a method in Python may be struck before its first line.
    __del__ = _Map.__next__


class QueueRefs:
    """Keeps low-level queues alive from this interpreter; the last reference of any interpreter destroys them."""

    __slots__ = ("_refs",)

    def __init__(self, ids: "Iterable[int]") -> None:
        """Bind all the queues.

        Raises:
            QueueNotFoundError: one of them is gone; those bound before are released.
        """
        self._refs: list[_Ref] = []
        for id in ids:
            self.add(id)

    def add(self, id: int) -> None:
        """Bind one more queue."""
        exhaust(starmap(call, ((queue_bind, id), (self._refs.extend, _made_for((id,))))))  # what is bound is noted

    def create(self, maxsize: int) -> int:
        """Create a low-level queue and bind it, in one step; return its id."""
        ids: list[int] = []
        steps = (ids.extend, queue_creation(maxsize, UNBOUND_OP_REPLACE)), (exhaust, map(queue_bind, ids))
        exhaust(starmap(call, (*steps, (self._refs.extend, _made_for(ids)))))
        return ids[0]

    def create_linked(self, number: int) -> int:
        """Do the same for an unbounded queue that carries a number >= 0."""
        return self.create(-_ADDRESS_BASE - number)

    def drop(self) -> None:
        """Release all of them."""
        self._refs.clear()


def _made_for(ids: "Iterable[int]") -> "Iterable[_Ref]":
    return map(_Ref, repeat(queue_release), zip(ids))
