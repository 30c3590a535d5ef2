"""A host for tasks that no worker interpreter can load: the worker's own thread, in the program's interpreter.

What runs there can be told to stop by nobody.
"""

from _thread import get_ident

from interp_pool._process.thread_state import frame_of, this_thread
from interp_pool._wire.failures import encode_failure
from interp_pool._wire.messages import BEGAN, INITIALIZING, SPLIT, TASK
from interp_pool._worker.hosted import NoControl
from interp_pool._worker.running import run_flagged, run_task
from interp_pool._worker.surroundings import end_task, flush_streams
from interp_pool._worker.telling import ToldBy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._wire.messages import Failure, Payload, Place, ResultItem


class ThreadHost:
    """Runs tasks in the thread that calls it."""

    def __init__(self, options: "PoolOptions", number: int, cells: "Any", put: "Callable[[object], None]") -> None:
        """Prepare to run tasks.

        Args:
            options: of the pool.
            number: of the worker.
            cells: of the worker's board.
            put: takes result items.
        """
        self._options, self._number, self._cells, self._put = options, number, cells, put
        self._thread = 0  # once it runs: the address of its state

    def start(self) -> "Failure | None":
        """Run the initializer; return what it raised."""
        options = self._options
        self._thread = this_thread()
        self._cells[TASK] = INITIALIZING
        try:
            if options.initializer is not None:
                options.initializer(*options.initargs)
        except BaseException as exc:
            return encode_failure(exc, "loading")
        finally:
            self._cells[TASK] = -INITIALIZING
        return None

    def run(self, work_id: int, payload: "Payload", flags: int) -> "list[ResultItem]":
        """Run a task or a batch; return its last result item. Blocks until it is done."""
        cells = self._cells
        thread = get_ident()
        with ToldBy(self._put, cells, self._number, thread):
            if not flags:
                cells[BEGAN] = 0
                cells[TASK] = work_id
                last = run_task(work_id, payload)
            else:  # who waits for parts gets them; what a batch gives back its thread would have to be asked for
                last = run_flagged(work_id, payload, flags & ~SPLIT, cells, self._put, NoControl())
            flush_streams()
            end_task(thread, work_id)
        cells[TASK] = -work_id
        return [last]

    def interrupt(self, work_id: int) -> None:
        """Do nothing: an exception from outside would leave what the whole program uses half done."""

    def where(self) -> "tuple[str, list[Place]]":
        """Return a phrase on where the task is, and the lines of Python it is in, the innermost last.

        The worker's thread must be alive.
        """
        frame = frame_of(self._thread) if self._thread else None
        places: list[Place] = []
        while frame is not None:
            places.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
            frame = frame.f_back
        return "on a thread of the main interpreter", places[::-1]

    has_ended = False
    """Whether the worker is to end. A thread never is."""

    def close(self) -> None:
        """Let go of everything."""
