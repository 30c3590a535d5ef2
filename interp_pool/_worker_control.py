"""The control thread of a worker: stops the task, or tells where it is; runs INSIDE a worker interpreter.

From outside, nothing can be run in an interpreter that is busy, and only its own threads can have an exception raised
in its task (`PyThreadState_SetAsyncExc`). So each worker has this thread from its start, asleep on a queue of its own;
starting it takes 40 us, and it costs a task nothing.

An interrupt must never hit the worker's own code in a way that loses a result, and never the next task. The exception
can be raised wherever the interpreter looks for pending events: at a call, a backward jump, or when a function begins.
The task's thread does, for each task:

    L1  task = its work id: from here on it can be struck
    L2  run it and pickle the outcome
    L3  task = 0
    L4  struck is set: wait for the lock, clear the exception if it is still to come, struck = 0

and the control thread, holding the lock:

    C1  struck = the work id
    C2  task is that work id: have TaskInterrupted raised in its thread

Either C2 comes before L3, then L4 sees struck; or it comes after L3 and does nothing. At L4 the lock keeps the task's
thread from going on while the other is between C2 and its end. An exception that is raised between L3 and the end of L4
is caught there, with an outcome at hand. One raised at L2 leads to L3 by an `except` whose first step is L3: there is
no place between where another one could be raised, or where the control thread could run. So L3 happens once, at most
one exception comes after it, and the outcome is put when nothing can strike any more. Tests force each of these orders.
"""

import _thread
import sys

from interp_api import SimpleQueue
from interp_pool._async_exc import raise_in_thread
from interp_pool._interrupted import TaskInterrupted
from interp_pool._messages import CONTROL_INTERRUPT, CONTROL_WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_HASTE = 1e-4  # seconds this thread waits for a running task to give way, instead of 5 ms, once it has something to do


class Control:
    """What the thread of the tasks and the control thread of one worker share."""

    __slots__ = ("_lock", "_queue", "_thread", "_thread_id", "struck", "task")

    def __init__(self, queue_id: int) -> None:
        """Start the control thread of the worker whose tasks run in this thread."""
        self.task = 0
        """The work id of the task that can be struck, 0 if there is none."""
        self.struck = 0
        """The work id of a task that was perhaps struck, until that is cleared up."""
        self._lock = _thread.RLock()  # for release_if_held in `clear_up`
        self._queue = SimpleQueue(queue_id)
        self._thread_id = _thread.get_ident()
        self._thread = _start_thread(self._serve)

    def end(self) -> None:
        """End the control thread. Blocks until that has happened."""
        self._queue.put(None)
        self._thread.join()

    def clear_up(self) -> None:
        """Make sure that nothing strikes any more: L4, with its own interruptions. After L3 only."""
        try:
            with self._lock:
                raise_in_thread(self._thread_id, None)
        except TaskInterrupted:
            try:
                self._lock.release()
            except RuntimeError:
                pass  # it was released
        self.struck = 0

    def _serve(self) -> None:
        while True:
            message: Any = self._queue.get()
            if message is None:
                return
            interval = sys.getswitchinterval()
            sys.setswitchinterval(_HASTE)  # of this interpreter alone
            try:
                if message[0] == CONTROL_INTERRUPT:
                    self._interrupt(message[1])
                elif message[0] == CONTROL_WHERE:
                    self._tell_where(*message[1:])
            finally:
                sys.setswitchinterval(interval)

    def _interrupt(self, work_id: int) -> None:
        if self.task != work_id:
            return
        with self._lock:
            self.struck = work_id  # C1
            if self.task == work_id:  # C2
                raise_in_thread(self._thread_id, TaskInterrupted)

    def _tell_where(self, work_id: int, reply_id: int) -> None:
        frame: FrameType | None = sys._current_frames().get(self._thread_id)  # pyright: ignore[reportPrivateUsage]
        is_there = self.task == work_id
        frames: list[tuple[str, int, str]] = []
        while frame is not None:
            frames.append((frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_qualname))
            frame = frame.f_back
        SimpleQueue(reply_id).put(tuple(reversed(frames)) if is_there and self.task == work_id else None)


def _start_thread(function: "Any") -> "Any":
    """Start a thread that a Python-level `threading` does not list; importing that would cost a quarter of a MiB."""
    start: Any = _thread.start_joinable_thread
    return start(function, daemon=False)
