"""Call functions at their time: one thread for the whole process, while there is something to call.

Owns the thread and the order of the calls. It must not know what they are for. They must be short, and never block.
"""

import heapq
import itertools
import threading
from time import monotonic

from interp_pool._ledger import release_if_held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LINGER = 1.0  # seconds the thread stays without anything to call: starting one costs some 100 us
_FEW = 1000  # calls that have been called off and still wait for their time, which is a few words each


class Call:
    """A call that is to come."""

    __slots__ = ("function",)

    def __init__(self, function: "Callable[[], object]") -> None:
        self.function: Callable[[], object] | None = function

    def call_off(self) -> None:
        """Do not call it. Lets go of the function at once."""
        self.function = None


class Timer:
    """Calls functions at their time. Thread safety: all methods."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())  # for release_if_held(); taken once at a time
        self._calls: list[tuple[float, int, Call]] = []  # a heap; guarded by self._changed
        self._purge_at = _FEW  # so many of them: drop those that were called off; guarded by self._changed
        self._thread: threading.Thread | None = None  # guarded by self._changed
        self._is_ended = False  # guarded by self._changed
        self._next_number = itertools.count().__next__

    def call_at(self, when: float, function: "Callable[[], object]") -> Call:
        """Call a function at a time on the monotonic clock, in the timer's thread. Never blocks.

        After `end` it is not called any more.
        """
        call = Call(function)
        try:
            with self._changed:
                if self._is_ended:
                    return call
                heapq.heappush(self._calls, (when, self._next_number(), call))
                if len(self._calls) >= self._purge_at:
                    self._calls = [entry for entry in self._calls if entry[2].function is not None]
                    heapq.heapify(self._calls)
                    self._purge_at = 2 * len(self._calls) + _FEW
                if self._thread is None:
                    self._start()
                elif self._calls[0][2] is call:
                    self._changed.notify()
        except BaseException:
            call.call_off()
            if self._thread is not None and self._thread.ident is None:
                self._thread = None  # its start was struck; if it has started all the same, it ends
            release_if_held(self._changed)
            raise
        return call

    def rest(self) -> None:
        """End the thread if there is nothing to call. Blocks until that has happened."""
        with self._changed:
            is_needed = any(call.function for _, _, call in self._calls)
        if not is_needed:
            self.pause()
            self.resume()  # something may have come meanwhile

    def pause(self) -> None:
        """End the thread, until the next call is asked for. Blocks until that has happened."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def resume(self) -> None:
        """Start the thread again if something is to be called."""
        with self._changed:
            if any(call.function for _, _, call in self._calls) and self._thread is None and not self._is_ended:
                self._start()

    def end(self) -> None:
        """Call nothing any more: the process exits. Blocks until the thread has ended."""
        with self._changed:
            self._is_ended = True
            self._calls.clear()
        self.pause()

    def after_fork_in_child(self) -> None:
        """Forget everything: the thread is the parent's."""
        self.__init__()  # type: ignore[misc]  # all of it anew

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="interp_pool timer")
        self._thread = thread
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                if self._thread is not me:
                    return
                now = monotonic()
                if not self._calls:
                    if not self._changed.wait(LINGER) and not self._calls and self._thread is me:
                        self._thread = None
                        return
                    continue
                when, _, call = self._calls[0]
                if call.function is not None and when > now:
                    self._changed.wait(min(when - now, threading.TIMEOUT_MAX))
                    continue
                heapq.heappop(self._calls)
            function = call.function
            if function is not None:
                try:
                    function()
                except BaseException:  # others rely on this thread
                    from logging import getLogger

                    getLogger("concurrent.futures").critical("a timed action of a pool failed:", exc_info=True)
            del function, call


timer = Timer()
