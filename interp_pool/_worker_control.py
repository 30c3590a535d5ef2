"""The control thread of a worker: stops the task, or tells where it is; runs INSIDE a worker interpreter.

From outside, nothing can be run in an interpreter that is busy, and only its own threads can have an exception raised
in its task (`PyThreadState_SetAsyncExc`). So each worker has this thread from its start, asleep on a queue of its own;
starting it takes 40 us, and it costs a task nothing.

An interrupt must never hit the worker's own code in a way that loses a result, and never the next task. The exception
can be raised wherever the interpreter looks for pending events: at a call, a backward jump, or when a function begins.
The task's thread does, for each task:

    L1  put its work id on the board: from here on it can be struck
    L2  run it and pickle the outcome
    L3  make that negative
    L4  struck is set: wait for the lock, clear the exception if it is still to come, struck = 0

and the control thread, holding the lock:

    C1  struck = the work id
    C2  that work id is on the board: have TaskInterrupted raised in its thread

An exception that comes up in a finalizer or a callback of the garbage collector is not raised in the task: the runtime
reports it to `sys.unraisablehook`. There this module asks for another one, as soon as the control thread gets to run.

Either C2 comes before L3, then L4 sees struck; or it comes after L3 and does nothing. At L4 the lock keeps the task's
thread from going on while the other is between C2 and its end. An exception that is raised between L3 and the end of L4
is caught there, with an outcome at hand. One raised at L2 leads to L3 by an `except` whose first step is L3: there is
no place between where another one could be raised, or where the control thread could run. So L3 happens once, at most
one exception comes after it, and the outcome is put when nothing can strike any more. Tests force each of these orders.
"""

import _imp
import _thread
import sys
from time import monotonic_ns

from interp_api import SimpleQueue
from interp_pool._interrupted import TaskInterrupted
from interp_pool._messages import CONTROL_INTERRUPT, CONTROL_WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HASTE = 1e-4  # seconds this thread waits for a running task to give way, instead of 5 ms, once it has something to do


_shared: "dict[str, SimpleQueue]" = {}


def open_turns(id: int) -> SimpleQueue:
    """Inside a worker: open the queue that the control threads of the whole process share."""
    turns = _shared["turns"] = SimpleQueue(id)
    return turns


def shared_turns() -> SimpleQueue:
    """Return that queue, to hand it to a worker. It has one item, see `Control._load_functions`."""
    if "turns" not in _shared:
        made = SimpleQueue()
        made.put(None)
        _shared.setdefault("turns", made)  # another thread may have been faster
    return _shared["turns"]


class Control:
    """What the thread of the tasks and the control thread of one worker share."""

    __slots__ = ("_board", "_hook", "_lock", "_queue", "_thread", "_thread_id", "_turns", "has_struck", "struck")

    def __init__(self, queue_id: int, turns: SimpleQueue, board: "Any") -> None:
        """Start the control thread of the worker whose tasks run in this thread.

        Args:
            queue_id: SimpleQueue of the messages to it.
            turns: has one item, for whoever loads `_thread_state`.
            board: where this thread puts the work id of its task.
        """
        self._board = board
        self.struck = 0
        """The work id of a task that was perhaps struck, until that is cleared up."""
        self.has_struck = False
        """Whether any was."""
        self._lock = _thread.RLock()  # for release_if_held in `clear_up`
        self._queue = SimpleQueue(queue_id)
        self._turns = turns
        self._hook: Any = None  # the one before this object's, once that is in its place
        self._thread_id = _thread.get_ident()
        self._thread = _start_thread(self._serve)

    def end(self) -> None:
        """End the control thread. Blocks until that has happened."""
        self._queue.put(None)
        self._thread.join()
        if self._hook is not None and sys.unraisablehook == self._note_unraisable:
            sys.unraisablehook = self._hook

    def clear_up(self) -> None:
        """Make sure that nothing strikes any more: L4, with its own interruptions. After L3 only."""
        try:
            from interp_pool._thread_state import raise_in_thread

            with self._lock:
                raise_in_thread(self._thread_id, None)
        except TaskInterrupted:
            try:
                self._lock.release()
            except RuntimeError:
                pass  # it was released
        _release_import_lock()
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
            except Exception as exc:  # the next one may be possible
                sys.excepthook(type(exc), exc, exc.__traceback__)
            finally:
                sys.setswitchinterval(interval)

    def _load_functions(self) -> None:
        """Import `_thread_state`, one worker of the process at a time.

        Each interpreter that imports `_ctypes` writes a table of the whole process anew, on CPython 3.14 and 3.15, and
        an entry has no type meanwhile: another one then finds that it cannot define a class, or a null pointer.
        """
        if "interp_pool._thread_state" in sys.modules:
            return
        self._turns.get()
        try:
            import interp_pool._thread_state  # noqa: F401  # pyright: ignore[reportUnusedImport]  # for the callers
        finally:
            self._turns.put(None)

    def _interrupt(self, work_id: int) -> None:
        if self._board[0] != work_id:
            return
        self._load_functions()
        from interp_pool._thread_state import raise_in_thread

        if self._hook is None:
            self._hook, sys.unraisablehook = sys.unraisablehook, self._note_unraisable
        with self._lock:
            self.struck = work_id  # C1
            if self._board[0] == work_id:  # C2
                self.has_struck = True
                raise_in_thread(self._thread_id, TaskInterrupted)
                self._board[2] = monotonic_ns()

    def _note_unraisable(self, unraisable: "Any") -> None:
        """The worker's `sys.unraisablehook`: an interrupt that was raised where nothing can be must be raised again."""
        if unraisable.exc_type is not TaskInterrupted:
            self._hook(unraisable)
        elif self._board[0] > 0:
            self._queue.put((CONTROL_INTERRUPT, self._board[0]))

    def _tell_where(self, work_id: int, reply_id: int) -> None:
        from interp_api import QueueNotFoundError

        self._load_functions()
        from interp_pool._thread_state import frame_of, oldest_thread

        frame = frame_of(oldest_thread())
        places: list[tuple[str, int, str]] = []
        while frame is not None:
            places.append((frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name))
            frame = frame.f_back
        is_there = self._board[0] == work_id
        try:
            SimpleQueue(reply_id).put(tuple(reversed(places)) if is_there else None)
        except QueueNotFoundError:
            pass  # who asked has not waited


def _release_import_lock() -> None:
    """Release what an exception in the code of the import system has left: nobody imports in this thread now."""
    try:
        while _imp.lock_held():
            _imp.release_lock()
    except RuntimeError:
        pass  # another thread holds it


def _start_thread(function: "Any") -> "Any":
    """Start a thread that a Python-level `threading` does not list; importing that would cost a quarter of a MiB."""
    start: Any = _thread.start_joinable_thread
    return start(function, daemon=False)
