"""The outside of one worker: its interpreter and the thread that runs the resident loop in it.

Owns how an interpreter is got, prepared, left and given back. It must not know tasks or futures: what it has to tell it
puts into the results queue, like the loop inside.
"""

import os
import sys
import threading
import warnings
from time import monotonic, monotonic_ns

import interp_api
from interp_api import ExecutionFailed, Interpreter, InterpreterNotFoundError, SimpleQueue
from interp_pool._errors import BrokenInterpreterPool
from interp_pool._failures import decode_failure
from interp_pool._lifecycle import WorkerState
from interp_pool._messages import (
    CONTROL_INTERRUPT,
    CONTROL_WHERE,
    INITIALIZER_FAILED,
    INITIALIZING,
    WORKER_ENDED,
    WORKER_LEFT,
    WORKER_LOST,
)
from interp_pool._warm import reserve
from interp_pool._worker_control import shared_turns
from interp_pool._worker_main import tidy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._messages import Payload, ResultItem, Setup
    from interp_pool._options import PoolOptions

_ENOUGH = 0.04  # seconds in which a task of pure Python stops: so long after it was struck, or of its thread's own time

if sys.platform == "linux":
    from time import clock_gettime, pthread_getcpuclockid

    def _cpu_seconds(ident: int) -> float:
        return clock_gettime(pthread_getcpuclockid(ident))
else:

    def _cpu_seconds(ident: int) -> float:  # noqa: ARG001  # nobody can tell here
        return float("inf")


_PACKAGE_PARENTS = [
    os.path.dirname(os.path.dirname(os.path.abspath(file))) for file in (str(interp_api.__file__), __file__)
]


class Worker:
    """One worker of a pool.

    `state`, `is_started`, `is_dirty`, `told_at` and `left_at` belong to the pool; the rest is set once. What the board
    tells may be outdated when it is read.
    """

    def __init__(self, number: int, options: "PoolOptions", calls: SimpleQueue, results: SimpleQueue) -> None:
        self.number = number
        self.state = WorkerState.STARTING
        self.is_started = False
        self.is_dirty = False  # its interpreter is not to be used again
        self.told_at: float | None = None  # when its initializer was told to stop, on the monotonic clock
        self.left_at = 0.0  # when it was in state LEFT
        self._board = bytearray(24)
        self._cells = memoryview(self._board).cast("q")
        self._control = SimpleQueue()
        self._options = options
        self._calls, self._results = calls, results
        self._path = list(sys.path)
        self._may_close = threading.Event()
        self.thread = threading.Thread(target=self._main, name=f"{options.thread_name_prefix}_{number}")

    def start(self) -> None:
        """Start the thread; the messages that follow end with WORKER_LEFT, and after `let_go` WORKER_ENDED."""
        self.thread.start()
        self.is_started = True

    @property
    def task(self) -> int:
        """The work id of the task that runs, 0 if there is none."""
        work_id = self._cells[0]
        return work_id if 0 < work_id < INITIALIZING else 0

    @property
    def is_initializing(self) -> bool:
        """Whether it runs the initializer."""
        return self._cells[0] == INITIALIZING

    @property
    def seconds_running(self) -> float | None:
        """How long ago the last timed task began; None if it is still being unpickled."""
        began = self._cells[1]
        return (monotonic_ns() - began) / 1e9 if began else None

    @property
    def cpu_seconds(self) -> float:
        """How much of a processor's time its thread, which must run, has had; infinite where nobody can tell."""
        assert self.thread.ident is not None
        return _cpu_seconds(self.thread.ident)

    def has_ignored(self, asked_at: float, cpu_seconds: float) -> bool:
        """Return whether its task has not stopped although it had the time to: on a busy machine it may not have had.

        Args:
            asked_at: when it was told to, on the monotonic clock.
            cpu_seconds: of its thread, then.
        """
        struck_at = self._cells[2] / 1e9
        if struck_at >= asked_at:
            return monotonic() - struck_at >= _ENOUGH
        return not self.cpu_seconds - cpu_seconds < _ENOUGH  # inf - inf is nan

    def interrupt(self, work_id: int) -> None:
        """Have a task stopped, if it still runs. Never blocks."""
        self._control.put((CONTROL_INTERRUPT, work_id))

    def ask_where(self, work_id: int, reply: SimpleQueue) -> None:
        """Have the place where a task is put into a queue, None if it does not run. Never blocks."""
        self._control.put((CONTROL_WHERE, work_id, reply.id))

    def let_go(self) -> None:
        """Allow the thread to close the interpreter: everything it has sent is settled."""
        self._may_close.set()

    def _main(self) -> None:
        interpreter: Interpreter | None = None
        try:
            try:
                interpreter, is_initialized = obtain(self._options)
                self._serve(interpreter, is_initialized)
            except InterpreterNotFoundError:  # a fork in another thread closed it before it was entered
                interpreter, is_initialized = obtain(self._options)
                self._serve(interpreter, is_initialized)
        except BaseException as exc:
            self._put(WORKER_LOST, (abs(self._cells[0]) or None, f"{type(exc).__name__}: {exc}"))
        # What the worker has sent is lost when its interpreter is closed before it was taken, and large results point
        # into its memory.
        self._put(WORKER_LEFT, None)
        self._may_close.wait()
        try:
            if interpreter is not None:
                release(interpreter, self._options, is_dirty=self.is_dirty)
        except BaseException as exc:
            self._put(WORKER_LOST, (None, f"{type(exc).__name__}: {exc}"))
        finally:
            self._put(WORKER_ENDED, None)

    def _put(self, kind: int, body: object) -> None:
        self._results.put((kind, self.number, body, 0.0))

    def _serve(self, interpreter: Interpreter, is_initialized: bool) -> None:
        options = self._options
        initializer = None if is_initialized else options.initializer
        most_tasks = options.max_tasks_per_child or 0
        filters, board = _warning_filters(), memoryview(self._board)
        limits = most_tasks, options.max_leftover_threads
        setup = (self.number, self.thread.name, options.is_named, initializer, filters, *limits, board)
        _enter(interpreter, self._path, "serve", setup, self._results, self._calls, self._control, shared_turns())


def obtain(options: "PoolOptions") -> tuple[Interpreter, bool]:
    """Return a warm or new interpreter, and whether the initializer has run in it."""
    if options.is_reusable:
        warm = reserve.take(options.initializer)
        if warm is not None:
            return warm, True
    if options.reuse and options.initializer is not None:
        warm = reserve.take(None)
        if warm is not None:
            return warm, False
    return interp_api.create(), False


def prepare(interpreter: Interpreter, options: "PoolOptions", is_initialized: bool) -> None:
    """Make an interpreter as ready as a worker's is when it takes its first task.

    Raises:
        BrokenInterpreterPool: the initializer failed.
    """
    initializer = None if is_initialized else options.initializer
    reply = SimpleQueue()
    _enter(interpreter, sys.path, "prepare", (0, "", False, initializer, _warning_filters(), 0, None, None), reply)
    item: ResultItem = reply.get_nowait()  # type: ignore[assignment]  # what _worker_main.prepare put
    if item[0] == INITIALIZER_FAILED:
        raise BrokenInterpreterPool("the initializer failed in a leased interpreter") from decode_failure(item[2])


def release(interpreter: Interpreter, options: "PoolOptions", *, is_dirty: bool = False) -> None:
    """Keep an interpreter for others if it is fit for them and not dirty, otherwise close it.

    Raises:
        InterpreterError: somebody is still running it.
    """
    try:
        is_reusable = options.is_reusable and not options.max_tasks_per_child and not is_dirty
        is_fit = is_reusable and interpreter.call(tidy)
    except InterpreterNotFoundError:
        return  # its user closed it
    except ExecutionFailed:
        is_fit = False
    if is_fit:
        reserve.give(options.initializer, interpreter, options.idle_timeout)
    else:
        interpreter.close()


def _enter(interpreter: Interpreter, path: "list[Any]", function: str, setup: "Setup", *queues: SimpleQueue) -> None:
    """Set `sys.path` inside and run a function of `_worker_main` with the ids of a queue for the setup and others."""
    setup_queue = SimpleQueue()
    setup_queue.put(setup)
    ids = tuple(queue.id for queue in (setup_queue, *queues))
    # Anything else in it the import system ignores, and it need not have a literal.
    entries = [str(entry) for entry in path if isinstance(entry, str)]
    entries += [parent for parent in dict.fromkeys(_PACKAGE_PARENTS) if parent not in entries]
    interpreter.exec(
        f"(lambda sys: sys.path.__setitem__(slice(None), {entries!r}))(__import__('sys'))\n"
        f"__import__('interp_pool._worker_main', fromlist=['*']).{function}{ids!r}",
        dedent=False,
    )


def _warning_filters() -> "Payload":
    """Encode the warning filters; categories that are not built in by module and name, for the worker may lack them."""
    filters: list[Any] = list(warnings.filters)
    entries = [(action, message, _reference(category), *rest) for action, message, category, *rest in filters]
    return interp_api.encode(entries, share=False)


def _reference(category: "Any") -> object:
    return category if category.__module__ == "builtins" else (category.__module__, category.__qualname__)
