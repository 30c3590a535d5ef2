"""Low-level queues that carry a number, and what keeps them alive.

Owns the one immutable field of a low-level queue that every interpreter can read: its maxsize. Where that is negative
the queue is unbounded, whatever the value, so it can hold a number. It must not know what the numbers mean.
"""

from itertools import starmap

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    queue_bind,
    queue_create,
    queue_maxsize,
    queue_release,
)
from interp_api._runtime.light_imports import call, exhaust

_ADDRESS_BASE = 1 << 40  # this tells our numbers from a user's maxsize of -1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def create_linked(number: int, unbound: int = UNBOUND_OP_REPLACE) -> int:
    """Create an unbounded low-level queue that carries a number >= 0, readable from every interpreter."""
    return queue_create(-_ADDRESS_BASE - number, unbound)


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


class QueueRefs:
    """Keeps low-level queues alive from this interpreter; the last reference of any interpreter destroys them."""

    __slots__ = ("_ids",)

    def __init__(self, ids: "Iterable[int]") -> None:
        """Bind all the queues.

        Raises:
            QueueNotFoundError: one of them is gone; those bound before are released.
        """
        self._ids: list[int] = []
        for id in ids:
            self.add(id)

    def add(self, id: int) -> None:
        """Bind one more queue."""
        exhaust(starmap(call, ((queue_bind, id), (self._ids.append, id))))  # what is bound is noted, whatever strikes

    def __del__(
        self,
        release: "Callable[[int], None]" = queue_release,
        gone: type[Exception] = QueueError,
    ) -> None:
        # The defaults survive the clearing of the module's globals at exit.
        for id in getattr(self, "_ids", ()):  # it may have been struck before it had any
            try:
                release(id)
            except gone:
                pass
