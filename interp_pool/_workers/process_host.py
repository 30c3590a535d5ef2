"""A host for tasks that no worker interpreter can load: a child process of its own, from a process pool of one.

Owns the process: how it starts, how it is killed to stop the task in it, and what is told of one that has died. Each
worker has a pool of one process, so that nobody else's task is lost with it. Its process is never forked from this one,
where other interpreters may be.

    worker thread                       child process
        start      -- initializer -->   keep_initializer, initialize
        run        -- payload ------>   run: unpickle it, call it          (`_worker.hosted`)
                   <- result items --
    timer
        interrupt  -- SIGKILL ------>   the worker ends, another one takes its place

A task may be done just when it is to be killed, or not have begun. So `_current` says under the lock which one the
worker has: from before it can be seen on the board until after. Each call is sent under the lock, unless its task was
interrupted before. A worker whose process was killed takes no other task, even if this one had ended.
"""

import multiprocessing
import multiprocessing.process
import os
import sys
import threading
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from pickle import dumps
from time import monotonic_ns
from weakref import WeakSet

from interp_pool._process.hooks import come_first
from interp_pool._wire.failures import encode_failure
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    BEGAN,
    INITIALIZING,
    STRUCK,
    TASK,
    TASK_FAILED,
    TASK_UNREADABLE,
    TIMED,
)
from interp_pool._wire.refused import warn
from interp_pool._worker.hosted import Loaded, initialize, keep_initializer, load, plain, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from multiprocessing.context import BaseContext
    from typing import Any

    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._wire.messages import Failure, Payload, Place, ResultItem

_LOADED = dumps(Loaded())

_theirs: "Any" = multiprocessing.process  # private names, the same from CPython 3.13 to 3.15
# The runtime takes the name from the main module when the script ends, and pending tasks start processes after that.
_main = sys.modules.get("__main__")
_main_file = getattr(_main, "__file__", None)
_has_told_of_fork = False
_executors: "WeakSet[ProcessPoolExecutor]" = WeakSet()

come_first()  # at the exit: the standard library's hook, which refuses tasks from then on, is registered by now


class ProcessHost:
    """Runs tasks in a child process. `interrupt` and `where` may be called by other threads."""

    def __init__(
        self,
        options: "PoolOptions",
        number: int,
        cells: "Any",
        put: "Callable[[object], None]",
    ) -> None:
        """Prepare to run tasks; the process starts later.

        Args:
            options: of the pool.
            number: of the worker.
            cells: of the worker's board.
            put: takes result items; those of a task are returned, for they come at once.
        """
        self._options, self._number, self._cells, self._put = options, number, cells, put
        self._lock = threading.Lock()  # of what follows
        self._executor: Any = None
        self._current = 0  # work id
        self._killed_for = 0  # work id

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, and the worker with it."""
        return bool(self._killed_for)

    def start(self) -> "Failure | None":
        """Start the process and run the initializer in it; return what that raised. Blocks until it is done.

        Raises:
            RuntimeError: the process has died.
        """
        is_nameless = _main_file is not None and "__file__" not in vars(_main)
        if is_nameless:
            vars(_main)["__file__"] = _main_file
        self._begin(INITIALIZING)
        try:
            self._executor = make_executor(self._options)
            failure, told = self._call(INITIALIZING, initialize, self._number)  # which starts the process
        except (BrokenProcessPool, OSError, EOFError) as exc:
            raise RuntimeError(
                "its process has ended before it was ready, and what it has printed says why: perhaps the main module "
                'lacks its `if __name__ == "__main__":`'
            ) from exc
        finally:
            self._end_task(INITIALIZING)
            if is_nameless:
                vars(_main).pop("__file__", None)
        for message in told:
            self._put(message)
        return failure  # type: ignore[no-any-return]  # what `initialize` returns

    def run(self, work_id: int, payload: "Payload", flags: int) -> "list[ResultItem]":
        """Run a task or a batch; return its result items, in order. Blocks until it is done.

        Raises:
            BrokenProcessPool: the process has died, and not because somebody has interrupted the task.
        """
        self._cells[BEGAN] = 0
        self._begin(work_id)
        try:
            return self._run(work_id, payload, flags)
        finally:
            self._end_task(work_id)

    def _begin(self, work_id: int) -> None:
        with self._lock:
            self._current = work_id
        self._cells[TASK] = work_id  # from now on it may be interrupted

    def _end_task(self, work_id: int) -> None:
        self._cells[TASK] = -work_id
        with self._lock:
            self._current = 0  # nobody kills for it any more

    def _run(self, work_id: int, payload: "Payload", flags: int) -> "list[ResultItem]":
        try:
            sent = plain(payload)
        except TypeError as exc:
            return [(TASK_UNREADABLE, work_id, encode_failure(exc, "loading"), 0.0)]
        try:
            if flags & TIMED:
                self._call(work_id, load, sent)
                sent = _LOADED
            self._cells[BEGAN] = monotonic_ns()
            items: list[ResultItem] = self._call(work_id, run, self._number, work_id, sent, flags)
        except BrokenProcessPool as exc:
            if self._killed_for:
                return [(TASK_FAILED, work_id, encode_failure(TaskInterrupted("its process was ended")), 0.0)]
            status = self._end()
            raise BrokenProcessPool(f"its process has ended with exit code {status}") from exc
        return items

    def _call(self, work_id: int, function: "Callable[..., object]", *args: object) -> "Any":
        """Have the process call a function, unless the task was interrupted meanwhile."""
        with self._lock:
            if self._killed_for == work_id:
                raise BrokenProcessPool
            future: Future[Any] = self._executor.submit(function, *args)
        return future.result()

    def interrupt(self, work_id: int) -> None:
        """Kill the process, if it still runs that task. Never blocks for long."""
        with self._lock:
            if self._current == work_id:
                self._killed_for = work_id
                self._cells[STRUCK] = monotonic_ns()
                for process in _processes_of(self._executor) if self._executor is not None else ():
                    process.kill()

    def where(self) -> "tuple[str, list[Place]]":
        """Return a phrase on where the task is, and nothing more."""
        executor = self._executor
        pids = [process.pid for process in _processes_of(executor)] if executor is not None else []
        return f"in process {pids[0]}" if pids else "in a process that starts", []

    def _end(self) -> int | None:
        """End the process; return its exit code, None if it has none."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is None:
            return None
        processes = _processes_of(executor)
        executor.shutdown()
        for process in processes:
            process.join()
        return processes[0].exitcode if processes else None

    def close(self) -> None:
        """End the process. Blocks until it has ended."""
        self._end()


def make_executor(options: "PoolOptions") -> "ProcessPoolExecutor":
    """Return a process pool of one worker."""
    context = _context_of(options)
    made = ProcessPoolExecutor(1, mp_context=context, initializer=keep_initializer, initargs=_initializer_of(options))
    _executors.add(made)
    return made


def _context_of(options: "PoolOptions") -> "BaseContext":
    """Return the context that processes start in: the one that was given, unless it forks."""
    global _has_told_of_fork
    given: Any = options.mp_context
    if given is not None and given.get_start_method() != "fork":
        return given  # type: ignore[no-any-return]  # `check_mp_context` says so
    methods = multiprocessing.get_all_start_methods()
    method = "forkserver" if "forkserver" in methods else "spawn"
    is_said = given is not None and given is not multiprocessing.get_context()  # multiprocessing.Pool gives that always
    if is_said and not _has_told_of_fork:
        _has_told_of_fork = True
        warn(
            'mp_context says "fork", but a program with interpreters cannot be forked safely: the processes of the '
            f'fallback start by "{method}", so they have what modules define, and not what the program has set since'
        )
    return multiprocessing.get_context(method)


def _initializer_of(options: "PoolOptions") -> "tuple[Any, ...]":
    """Return what `keep_initializer` is to be given: the payload, which may have a function by value.

    Where that has what only this process has, as a queue of multiprocessing's, the objects themselves: a child gets
    those.
    """
    watches = options.watches_now()
    try:
        return watches, None if options.initializer_call is None else plain(options.initializer_call)
    except TypeError:
        return watches, None, options.initializer, options.initargs


def _processes_of(executor: "Any") -> "list[Any]":
    """Return the processes of a pool: a private name, the same from CPython 3.13 to 3.15."""
    return [*(executor._processes or {}).values()]


def _forget_processes() -> None:
    """In a forked child: let multiprocessing know that the processes, and the fork server, are the parent's.

    It forgets neither: it would wait for them at the child's exit, and ask that server for processes.
    """
    for executor in _executors:
        _theirs._children.difference_update(_processes_of(executor))
    module: Any = sys.modules.get("multiprocessing.forkserver")
    server: Any = None if module is None else module._forkserver
    if server is not None and server._forkserver_pid is not None:
        os.close(server._forkserver_alive_fd)  # else the server would live as long as this process
        server.__init__()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_processes)
