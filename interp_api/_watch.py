"""Watch: a descriptor that is readable while a queue has something to get.

Owns one bell, whose address lies among the queue's watchers while nothing is there. Rung means readable; it stays so
until a `get` of this interpreter finds nothing left.
"""

from _thread import allocate_lock

from interp_api._channel import ring_all, take_back
from interp_api._cpython import UNBOUND_OP_REPLACE, QueueError, queue_count, queue_put
from interp_api._doorbell import Doorbell


class Watch:
    """The bell behind `Queue.fileno()`. Thread safety: all methods."""

    def __init__(self, items: int, closed: int, watchers: int) -> None:
        self._items, self._closed, self._watchers = items, closed, watchers
        self._bell = Doorbell()
        self._lock = allocate_lock()
        self._arm()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._bell.reader

    def settle(self) -> None:
        """After a get: if nothing is left, make the descriptor unreadable until the next put."""
        with self._lock:
            if not self._has_something() and self._bell.wait(0.0):
                self._arm()

    def _arm(self) -> None:
        # Publish, then look: a put either counts the address, or what it put is seen here.
        queue_put(self._watchers, self._bell.address, UNBOUND_OP_REPLACE)
        if self._has_something():
            ring_all(self._watchers)

    def _has_something(self) -> bool:
        return bool(queue_count(self._items) or queue_count(self._closed))

    def __del__(self) -> None:
        # The address is published, or a ring is there or on its way: leave neither behind a closed descriptor.
        try:
            if not take_back(self._bell.address, self._watchers):
                self._bell.wait(1.0)
        except (AttributeError, QueueError, OSError):
            pass  # never armed
