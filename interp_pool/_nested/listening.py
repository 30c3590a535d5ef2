"""A thread that settles the futures of a task's tasks while the thread of the tasks does not: it starts when needed.

That is when somebody wants a callback, as asyncio does, or waits in a thread of the task's own. It ends with the task.
A callback that waits itself, in this very thread, has another one take its place. It must not know what the replies
mean.
"""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_api import PoolQueue

_PATIENCE = 1.0  # seconds for a callback that runs


class Listener:
    """The thread, if there is one. Thread safety: all methods; nothing may strike who calls them."""

    def __init__(self, replies: "PoolQueue", take: "Callable[[], None]") -> None:
        self._replies, self._take = replies, take
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # guarded by self._lock

    def start(self) -> None:
        """Have it listen, if it does not, or if this is the thread, which cannot while it waits."""
        with self._lock:
            if self._thread in (None, threading.current_thread()):
                before, self._thread = self._thread, threading.Thread(target=self._listen, name="interp_pool nested")
                try:
                    self._thread.start()
                except BaseException:
                    self._thread = before
                    raise

    def end(self) -> None:
        """Have it end. Blocks until that has happened, unless a callback takes long."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._replies.ring_all()
            thread.join(_PATIENCE)

    def _listen(self) -> None:
        replies, own = self._replies, threading.current_thread()
        while self._thread is own:
            replies.wait(unless=lambda: self._thread is not own)
            self._take()
