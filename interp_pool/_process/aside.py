"""Calling functions in threads of their own, several at once: what must not block the thread that would call it.

Owns the threads, which end when there is nothing more to call. One function that waits keeps others from nothing, such
as the wake-up of an asyncio loop. It must not know what they are.
"""

import threading
from collections import deque

from interp_pool._process.hooks import Part, register
from interp_pool._process.locks import start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_THREADS = 1000


class Aside(Part):
    """Calls functions in threads of its own. Thread safety: all methods."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may submit and so come here, while its thread holds it
        self._owed: deque[Callable[[], object]] = deque()
        self._running = 0  # threads; guarded by self._lock

    def call(self, function: "Callable[[], object]") -> None:
        """Call a function soon. Never blocks.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._owed.append(function)
        with self._lock:
            if self._running >= MOST_THREADS:
                return
            self._running += 1
        try:
            start_thread(threading.Thread(target=self._run, name="interp_pool callbacks"))
        except BaseException:
            with self._lock:
                self._running -= 1
            raise

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._owed:
                    self._running -= 1
                    return
                function = self._owed.popleft()
            try:
                function()
            except BaseException:  # a callback's SystemExit: others are owed theirs
                from logging import getLogger

                getLogger("concurrent.futures").critical(
                    "the pool goes on after an error in a callback:", exc_info=True
                )
            del function

    def after_fork_in_child(self) -> None:
        """Forget everything: the thread is the parent's."""
        self.__init__()  # type: ignore[misc]  # all of it anew


aside = Aside()
register(aside)
