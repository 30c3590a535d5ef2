"""A thread that settles the futures of a task's tasks while the thread of the tasks does not: it starts when needed.

That is when somebody wants a callback, as asyncio does, or waits in a thread of the task's own. It ends with the task.
It must not know what the replies mean.
"""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_api import PoolQueue

_PATIENCE = 1.0  # seconds for a callback that runs


class Listener:
    """The thread, if there is one. Thread safety: all methods."""

    def __init__(self, replies: "PoolQueue", take: "Callable[[], None]", wake: "Callable[[], None]") -> None:
        self._replies, self._take, self._wake = replies, take, wake
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # guarded by self._lock
        self._is_over = False

    def start(self) -> None:
        """Have it listen, if it does not."""
        with self._lock:
            if self._thread is None:
                self._is_over = False
                thread = threading.Thread(target=self._listen, name="interp_pool nested")
                thread.start()
                self._thread = thread

    def end(self) -> None:
        """Have it end. Blocks until that has happened, unless a callback takes long."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_over = True
        if thread is not None and thread is not threading.current_thread():
            self._replies.ring_all()
            thread.join(_PATIENCE)

    def _listen(self) -> None:
        replies = self._replies
        while not self._is_over:
            replies.wait(unless=lambda: self._is_over)
            self._take()
