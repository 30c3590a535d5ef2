"""Call functions at their time: one thread for the whole process, while there is something to call.

Owns the thread and the order of the calls. It must not know what they are for. They must be short, and never block.

No signal handler's exception strikes that thread, so it also does for others what must not be left half done. Asking it
takes no lock, but to start it. It alone has the heap.

    ask     A1  append the call to the inbox             thread   W1  note when it will wake
            A2  earlier than that, or too many: ring              W2  something in the inbox: take it, and go to W1
            A3  no thread noted: start one                        W3  sleep until then, or until it rings
                                                                  E1  nothing to call for a while: note no thread
                                                                  E2  nothing in the inbox: end; otherwise go on

Either A2 finds what W1 noted, or W2 finds the call. E1, E2 and the starting hold the lock:
either A3 finds no thread, or E2 finds the call.
"""

import heapq
import itertools
import threading
from collections import deque
from time import monotonic

from interp_api import holding, is_held_here
from interp_pool._process.hooks import Part, register
from interp_pool._process.locks import start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LINGER = 1.0  # seconds the thread stays without anything to call: starting one costs some 100 us
_FEW = 1000  # calls that have been cancelled and still wait for their time, which is a few words each


class Call:
    """A call that is to come."""

    __slots__ = ("function",)

    def __init__(self, function: "Callable[[], object]") -> None:
        self.function: Callable[[], object] | None = function

    @property
    def is_to_come(self) -> bool:
        """Whether it has neither begun nor been cancelled. Where it has begun, what it looks at may come too late."""
        return self.function is not None

    def cancel(self) -> None:
        """Do not call it. Lets go of the function at once."""
        self.function = None


class Timer(Part):
    """Calls functions at their time. Thread safety: all methods."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._inbox: deque[tuple[float, int, Call]] = deque()
        self._bell = threading.Lock()  # locked, unless it has been rung
        self._bell.acquire()
        self._wake_at = 0.0
        self._calls: list[tuple[float, int, Call]] = []  # a heap; the thread's, or guarded by self._lock without one
        self._purge_at = _FEW  # so many of them: drop those that were cancelled
        self._thread: threading.Thread | None = None  # guarded by self._lock
        self._is_ended = False  # guarded by self._lock
        self._next_number = itertools.count().__next__

    def call_at(self, when: float, function: "Callable[[], object]") -> Call:
        """Call a function at a time on the monotonic clock, in the timer's thread. Never blocks.

        After `end` it is not called any more.

        Raises:
            RuntimeError: no thread can be started.
            MemoryError: likewise.
        """
        call = Call(function)
        if self._is_ended:
            return call
        try:
            self._inbox.append((when, self._next_number(), call))  # A1
            if when < self._wake_at or len(self._inbox) >= _FEW:  # A2
                self._ring()
            thread = self._thread
            if thread is None or thread.ident is None:  # A3
                holding(self._lock, self._start)
        except BaseException:
            call.cancel()
            raise
        return call

    def rest(self) -> None:
        """End the thread if there is nothing to call. Blocks until that has happened."""
        thread = self._thread
        if thread is None:
            return
        self.pause()
        if self._has_calls():
            self.resume()

    def pause(self, patience: float | None = None) -> bool:
        """End the thread, until the next call is asked for. Blocks until that has happened, or for so many seconds."""
        thread = holding(self._lock, self._dismiss)
        if thread is not None and thread.ident is not None and thread is not threading.current_thread():
            thread.join(patience)
        return True

    def _dismiss(self) -> threading.Thread | None:
        thread, self._thread = self._thread, None
        self._ring()
        return thread

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it has been rung

    def resume(self) -> None:
        """Start the thread again if something is to be called."""
        if self._has_calls():
            holding(self._lock, self._start)

    def _has_calls(self) -> bool:
        return any(call.function for _, _, call in [*self._inbox, *self._calls])  # others were cancelled

    def end(self) -> None:
        """Call nothing any more: the process exits. Blocks until the thread has ended."""
        self._is_ended = True
        self.pause()
        self._calls.clear()

    @property
    def is_held_here(self) -> bool:
        """Whether this thread is in the middle of something of the timer's."""
        return is_held_here(self._lock)

    def after_fork_in_child(self) -> None:
        """Forget everything: the thread is the parent's."""
        self.__init__()  # type: ignore[misc]  # all of it anew

    def _start(self) -> None:
        """Start a thread if there is none. One that was struck before it had started ends, should it start."""
        if self._is_ended or (self._thread is not None and self._thread.ident is not None):
            return
        thread = threading.Thread(target=self._run, name="interp_pool timer")
        self._thread = thread
        start_thread(thread)

    def _run(self) -> None:
        me = threading.current_thread()
        while self._thread is me:
            is_idle = not self._calls
            self._wake_at = monotonic() + LINGER if is_idle else self._calls[0][0]  # W1
            if self._take_new():  # W2
                continue
            left = min(max(0.0, self._wake_at - monotonic()), threading.TIMEOUT_MAX)
            is_rung = self._bell.acquire(timeout=left)  # W3
            if self._thread is not me:
                self._ring()  # perhaps for another, which is the thread now
            elif not is_idle:
                self._call_what_is_due()
            elif not is_rung:
                with self._lock:
                    self._thread = None  # E1
                    if self._inbox:  # E2
                        self._thread = me

    def _take_new(self) -> bool:
        """Take what is in the inbox into the heap; return whether there was anything."""
        if not self._inbox:
            return False
        while self._inbox:
            heapq.heappush(self._calls, self._inbox.popleft())
        if len(self._calls) >= self._purge_at:
            self._calls = [entry for entry in self._calls if entry[2].function is not None]
            heapq.heapify(self._calls)
            self._purge_at = 2 * len(self._calls) + _FEW
        return True

    def _call_what_is_due(self) -> None:
        while self._calls:
            when, _, call = self._calls[0]
            if call.function is not None and when > monotonic():
                return
            heapq.heappop(self._calls)
            function, call.function = call.function, None  # before it looks at anything
            if function is not None:
                try:
                    function()
                except BaseException:  # others rely on this thread
                    from logging import getLogger

                    getLogger("concurrent.futures").critical("a timed action of a pool failed:", exc_info=True)


timer = Timer()
register(timer)
