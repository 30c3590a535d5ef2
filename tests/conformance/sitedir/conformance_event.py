"""An event that tasks in other interpreters can wait for, made of one queue of the layer under test.

The upstream executor tests skip themselves for want of it ("InterpreterPoolExecutor doesn't support events").
"""

from __future__ import annotations

import importlib
import queue
import sys
from typing import Any


class QueueEvent:
    """`threading.Event`'s `set` and `wait`; set is one item in the queue, and every waiter puts it back."""

    def __init__(self) -> None:
        name = "concurrent.interpreters" if sys.version_info >= (3, 14) else "test.support.interpreters"
        self._queue: Any = importlib.import_module(name).create_queue()

    def set(self) -> None:
        """Let every waiter go, now and later."""
        self._queue.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set.

        Args:
            timeout: Seconds; None means for ever.

        Returns:
            False when it timed out.
        """
        try:
            self._queue.get(timeout=timeout)
        except queue.Empty:
            return False
        self._queue.put(None)
        return True
