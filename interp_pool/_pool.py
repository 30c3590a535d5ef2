"""InterpreterPool, the service under the executor: backlog, window, settling, sizing.

Owns the way of a work item from `submit` to its settled future, and how many workers there are. What crosses to the
workers is `_messages`'; how a worker's interpreter is got and left is `_worker`'s; which states there are is
`_lifecycle`'s.

A work item waits in the backlog, where it can be cancelled, until the window has room; then its future is RUNNING and
its call item lies in the calls queue, which all workers share. One thread, the manager, takes the result items. In this
order it counts the task as finished, tops up the calls queue, and settles the future: counting later would start a
second worker for nothing when the future's waiter submits again, and the workers need not wait for callbacks.

Lock order: `_lock`, then a ledger's. Under them no user code runs: no pickling, no callbacks, no settling of futures.
"""

import itertools
import os
import threading
import weakref
from collections import deque
from contextlib import contextmanager
from functools import partial

import interp_api
from interp_api import ExecutionFailed, InterpreterError, SimpleQueue
from interp_pool._errors import BrokenInterpreterPool, ResultPicklingError, TaskPicklingError, WorkerLostError
from interp_pool._ledger import Ledger
from interp_pool._lifecycle import (
    Instruction,
    PoolEvent,
    PoolState,
    WorkerEvent,
    step_pool,
    step_worker,
)
from interp_pool._messages import (
    INITIALIZER_FAILED,
    POOL_CALLED,
    RESULT,
    RESULT_UNSENDABLE,
    TASK_FAILED,
    TASK_UNREADABLE,
    WORKER_ENDED,
    WORKER_LEAVING,
    WORKER_LEFT,
    WORKER_LOST,
    WORKER_READY,
    Payload,
    decode_failure,
)
from interp_pool._warm import close_idle
from interp_pool._worker import Worker, obtain, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from typing import Any

    from interp_api import Interpreter

MOST_IN_FLIGHT = 250  # the runtime leaks payloads beyond 300 that their receiver released but their sender did not
WORK_AHEAD = 0.0015  # seconds of work per worker that lie in the calls queue: more could not be cancelled
DEFAULT_IDLE_TIMEOUT = 60.0  # seconds a warm interpreter of 2.5 MB and more is kept for the next executor

_pool_counter = itertools.count().__next__


class PoolOptions:
    """What a pool was made with, checked. `initializer` is the payload of (function, args)."""

    __slots__ = ("idle_timeout", "initializer", "max_tasks_per_child", "max_workers", "reuse", "thread_name_prefix")

    def __init__(
        self,
        max_workers: int | None,
        thread_name_prefix: str,
        initializer: "Callable[..., object] | None",
        initargs: tuple[object, ...],
        max_tasks_per_child: int | None,
        reuse: bool,
        idle_timeout: float | None,
    ) -> None:
        if max_workers is None:
            max_workers = os.process_cpu_count() or 1
        _check_count("max_workers", max_workers)
        if max_tasks_per_child is not None:
            _check_count("max_tasks_per_child", max_tasks_per_child)
        if idle_timeout is not None and not idle_timeout >= 0:
            raise ValueError(f"idle_timeout must be a non-negative number of seconds or None, got {idle_timeout!r}")
        if initializer is not None and not callable(initializer):
            raise TypeError(f"initializer must be a callable, got {initializer!r}")
        self.max_workers = max_workers
        self.max_tasks_per_child = max_tasks_per_child
        self.reuse = reuse
        self.idle_timeout = idle_timeout
        self.thread_name_prefix = thread_name_prefix or f"InterpreterPoolExecutor-{_pool_counter()}"
        self.initializer: Payload | None = None
        if initializer is not None:
            self.initializer = _encode_initializer(initializer, initargs)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be >= 1, got {value}")


def _encode_initializer(initializer: "Callable[..., object]", initargs: tuple[object, ...]) -> Payload:
    return interp_api.encode_call(initializer, tuple(initargs), {})


class WorkItem:
    """One task on its way: the future to settle, and the payload, which also keeps shared memory alive."""

    __slots__ = ("future", "ledger", "payload")

    def __init__(self, future: "Future[Any]", payload: Payload, ledger: "Ledger | None" = None) -> None:
        self.future = future
        self.payload = payload
        self.ledger = ledger

    def end(self) -> None:
        """Called once the future is settled, whichever way."""
        if self.ledger is not None:
            self.ledger.end()


class InterpreterPool:
    """Workers, each an interpreter with a thread of its own, that run tasks for one or several executors.

    Thread safety: all methods.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        thread_name_prefix: str = "",
        initializer: "Callable[..., object] | None" = None,
        initargs: tuple[object, ...] = (),
        max_tasks_per_child: int | None = None,
        reuse: bool = True,
        idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
    ) -> None:
        """Make a pool; workers start when there is work for them.

        Args:
            max_workers: most interpreters at a time; None means `os.process_cpu_count()`.
            thread_name_prefix: the workers' threads are named so, with a number.
            initializer: called in each worker's interpreter before its first task.
            initargs: its arguments.
            max_tasks_per_child: a worker is replaced by one with a new interpreter after so many tasks; None means never.
            reuse: whether interpreters come from the process's warm reserve and go back there.
            idle_timeout: seconds an idle interpreter stays in that reserve, None for ever. CPython 3.13 keeps them
                for ever, because closing one leaks more than keeping it costs.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        interp_api.check_main_is_not_loading("make a pool")
        self._options = PoolOptions(
            max_workers, thread_name_prefix, initializer, initargs, max_tasks_per_child, reuse, idle_timeout
        )
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # workers came or went, or the state changed
        self._state = PoolState.RUNNING  # guarded by self._lock
        self._backlog: deque[WorkItem] = deque()  # guarded by self._lock
        self._in_flight: dict[int, WorkItem] = {}  # guarded by self._lock
        self._workers: dict[int, Worker] = {}  # guarded by self._lock
        self._active = 0  # workers that take call items or soon will; guarded by self._lock
        self._lent = 0  # interpreters on lease; guarded by self._lock
        self._stops_sent = 0  # ends in the calls queue that no worker has taken; guarded by self._lock
        self._seconds_per_task: float | None = None  # moving average; guarded by self._lock
        self._broken: BaseException | str | None = None  # guarded by self._lock
        self._manager: threading.Thread | None = None  # guarded by self._lock
        self._is_forgotten = False  # set without the lock, see forget()
        self._next_work_id = itertools.count().__next__
        self._next_worker = itertools.count().__next__
        self._calls, self._results = SimpleQueue(), SimpleQueue()
        _pools.add(self)

    @property
    def max_workers(self) -> int:
        """Most interpreters at a time."""
        return self._options.max_workers

    @property
    def thread_name_prefix(self) -> str:
        """How the workers' threads are named."""
        return self._options.thread_name_prefix

    @property
    def broken(self) -> "BaseException | str | None":
        """Why the pool cannot run tasks any more, None if it can."""
        return self._broken

    @property
    def is_shut_down(self) -> bool:
        """Whether the pool takes no more tasks because `shutdown` was called."""
        return self._state is not PoolState.RUNNING

    @property
    def worker_threads(self) -> set[threading.Thread]:
        """The threads of the workers that have not ended."""
        with self._lock:
            return {worker.thread for worker in self._workers.values()}

    def __repr__(self) -> str:
        with self._lock:
            workers, in_flight = len(self._workers), len(self._in_flight)
            busy = min(workers, in_flight)
            return (
                f"<{type(self).__name__} {self._state.name.lower()}: workers {workers} of {self.max_workers}, "
                f"busy {busy}, lent {self._lent}, queued {len(self._backlog) + in_flight - busy}>"
            )

    def __enter__(self) -> "InterpreterPool":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()

    def submit(self, item: WorkItem) -> None:
        """Take a work item; its future will be settled whatever happens.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down, or the interpreter is exiting.
        """
        with self._lock:
            self._check_open()
            self._backlog.append(item)
            self._send_calls()

    def check_open(self) -> None:
        """Raise what `submit` would raise now."""
        with self._lock:
            self._check_open()

    def cancel_backlog(self, ledger: Ledger) -> None:
        """Cancel the tasks of one executor that no worker has been given."""
        with self._lock:
            cancelled = [item for item in self._backlog if item.ledger is ledger]
            self._backlog = deque(item for item in self._backlog if item.ledger is not ledger)
        for item in cancelled:
            _cancel(item)

    def forget(self) -> None:
        """Shut the pool down without waiting; for a finalizer, which may run in a thread that holds the lock."""
        self._is_forgotten = True
        self._results.put((POOL_CALLED, 0, None, 0.0))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks and let the workers end when those that were taken are done.

        Args:
            wait: return only when that has happened and all threads of the pool have ended.
            cancel_futures: cancel the tasks that have not been sent to a worker yet.

        Blocks: with `wait`, until the last task has ended. Called from a callback of one of the pool's own futures it
        does not wait.
        """
        cancelled: list[WorkItem] = []
        with self._lock:
            self._do(step_pool(self._state, PoolEvent.SHUTDOWN_ASKED))
            if cancel_futures:
                cancelled.extend(self._backlog)
                self._backlog.clear()
            self._finish_if_done()
            manager = self._manager
        for item in cancelled:
            _cancel(item)
        if wait and manager is not None and manager is not threading.current_thread():
            manager.join()

    @contextmanager
    def lease(self) -> "Iterator[Interpreter]":
        """Lend a warm interpreter, with the initializer run in it, to the caller alone.

        It counts as a worker. At the end of the `with` block it is tidied up and becomes warm again.

        Raises:
            BrokenInterpreterPool: the initializer failed, or the pool is broken.
            RuntimeError: the pool is shut down.

        Blocks: while `max_workers` interpreters are in use, until a worker has done what is queued before.
        """
        with self._changed:
            self._check_open()
            if self._active + self._lent >= self.max_workers and self._active > self._stops_sent:
                self._stop_workers(1)
            while len(self._workers) + self._lent >= self.max_workers:
                self._changed.wait()
                self._check_open()
            self._lent += 1
        try:
            interpreter, is_initialized = obtain(self._options)
            try:
                if not is_initialized and self._options.initializer is not None:
                    self._initialize(interpreter)
                yield interpreter
            finally:
                release(interpreter, self._options)
        finally:
            with self._changed:
                self._lent -= 1
                self._changed.notify_all()
                if self._state is PoolState.RUNNING:
                    self._send_calls()

    def _initialize(self, interpreter: "Interpreter") -> None:
        function, args, kwargs = interp_api.decode(self._options.initializer)  # type: ignore[arg-type, misc]
        try:
            interpreter.call(function, *args, **kwargs)
        except ExecutionFailed as exc:
            raise BrokenInterpreterPool("the initializer failed in a leased interpreter") from exc

    # Everything below is called with self._lock held, up to the manager's part.

    def _check_open(self) -> None:
        if self._broken is not None:
            broken = BrokenInterpreterPool(f"the pool is broken and takes no tasks: {self._broken}")
            raise broken from (self._broken if isinstance(self._broken, BaseException) else None)
        if self._state is not PoolState.RUNNING:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _window(self) -> int:
        """Return how many call items may be in flight."""
        workers = max(1, self._active)
        ahead = workers
        if self._seconds_per_task is not None:
            ahead = max(1, int(workers * WORK_AHEAD / (self._seconds_per_task + 1e-6)))
        return min(workers + ahead, MOST_IN_FLIGHT)

    def _send_calls(self) -> None:
        """Start workers as needed and move work items from the backlog to the calls queue while there is room."""
        self._start_workers()
        while self._backlog and len(self._in_flight) < self._window():
            item = self._backlog.popleft()
            if not item.future.set_running_or_notify_cancel():
                item.end()
                continue
            work_id = self._next_work_id()
            self._in_flight[work_id] = item
            self._calls.put((work_id, item.payload))
            if type(item.payload) is bytes:
                item.payload = b""  # the queue has it; a tuple may hold the only reference to shared memory

    def _start_workers(self) -> None:
        wanted = min(self.max_workers - self._lent, len(self._in_flight) + len(self._backlog))
        while self._active < wanted and len(self._workers) + self._lent < self.max_workers:
            if self._manager is None:
                self._manager = threading.Thread(target=self._manage, name=f"{self.thread_name_prefix}_manager")
                self._manager.start()
            number = self._next_worker()
            worker = self._workers[number] = Worker(number, self._options, self._calls, self._results)
            self._active += 1
            worker.start()

    def _stop_workers(self, count: int) -> None:
        for _ in range(count):
            self._calls.put(None)
        self._stops_sent += count

    def _finish_if_done(self) -> None:
        if self._state is PoolState.DRAINING and not self._backlog and not self._in_flight:
            self._do(step_pool(self._state, PoolEvent.WORK_FINISHED))
        if self._state in (PoolState.STOPPING, PoolState.BROKEN) and not self._workers:
            self._do(step_pool(self._state, PoolEvent.WORKERS_GONE))

    def _do(self, stepped: tuple[PoolState, tuple[Instruction, ...]]) -> None:
        self._state, instructions = stepped
        for instruction in instructions:
            if instruction is Instruction.STOP_WORKERS:
                self._stop_workers(max(0, self._active - self._stops_sent))
            elif instruction is Instruction.END_MANAGER:
                self._results.put((POOL_CALLED, 0, None, 0.0))
        self._changed.notify_all()

    def _take_all_tasks(self) -> list[WorkItem]:
        items = [*self._in_flight.values(), *self._backlog]
        self._in_flight.clear()
        self._backlog.clear()
        return items

    # The manager's part: called without the lock.

    def _manage(self) -> None:
        """Take result items until the pool is closed."""
        is_closed = False
        while not is_closed:
            settlements: list[Callable[[], object]] = []
            messages = [self._results.get(), *self._results.drain(MOST_IN_FLIGHT)]
            with self._lock:
                for kind, number, body, seconds in messages:  # type: ignore[misc]
                    if kind <= RESULT_UNSENDABLE:
                        self._count_finished(kind, number, body, seconds, settlements)
                    elif kind != POOL_CALLED:
                        self._note_worker(kind, number, body, settlements)
                    elif self._is_forgotten:
                        self._do(step_pool(self._state, PoolEvent.SHUTDOWN_ASKED))
                if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                    self._send_calls()
                self._finish_if_done()
                is_closed = self._state is PoolState.CLOSED
            # A result may point into its worker's memory: nothing of it may outlive the settling.
            messages = body = None
            for settle in settlements:
                settle()
            settlements.clear()
            settle = None

    def _count_finished(
        self, kind: int, work_id: int, body: "Any", seconds: float, settlements: "list[Callable[[], object]]"
    ) -> None:
        item = self._in_flight.pop(work_id, None)
        if item is None:
            return  # the pool broke meanwhile, and the future with it
        average = self._seconds_per_task
        self._seconds_per_task = seconds if average is None else average + 0.1 * (seconds - average)
        settlements.append(partial(_settle, item, kind, body))

    def _note_worker(self, kind: int, number: int, body: "Any", settlements: "list[Callable[[], object]]") -> None:
        worker = self._workers[number]
        worker.state, instructions = step_worker(worker.state, _WORKER_EVENTS[kind])
        for instruction in instructions:
            if instruction is Instruction.COUNT_OUT:
                self._active -= 1
                if kind == WORKER_LEAVING and body:
                    self._stops_sent -= 1
            elif instruction is Instruction.LET_GO:
                settlements.append(worker.let_go)
            elif instruction is Instruction.FORGET_WORKER:
                del self._workers[number]
                settlements.append(worker.thread.join)
                self._changed.notify_all()
            elif instruction is Instruction.BREAK_POOL:
                self._break(_start_failure(kind, body), settlements)
            elif instruction is Instruction.FAIL_LOST_TASK:
                item = self._in_flight.pop(body[0], None)
                if item is not None:
                    settlements.append(partial(_fail_lost, item, body[1]))

    def _break(self, cause: BaseException, settlements: "list[Callable[[], object]]") -> None:
        self._broken = cause
        self._do(step_pool(self._state, PoolEvent.INITIALIZER_FAILED))
        settlements.append(partial(_log_initializer_failure, cause))
        settlements.extend(partial(_fail_broken, item, cause) for item in self._take_all_tasks())

    # Around a fork.

    def _before_fork(self) -> None:
        """Let idle workers end: their interpreters would kill the child. The next task starts new ones."""
        with self._changed:
            if self._in_flight or self._backlog or self._state is not PoolState.RUNNING:
                return
            self._stop_workers(max(0, self._active - self._stops_sent))
            while self._workers and not self._in_flight:
                self._changed.wait()

    def _after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._workers.clear()
        self._active = self._stops_sent = 0
        self._manager = None
        self._broken = "the process was forked, and its workers live in the parent"
        self._state, _ = step_pool(self._state, PoolEvent.FORKED)


_WORKER_EVENTS = {
    WORKER_READY: WorkerEvent.WORKER_READY,
    INITIALIZER_FAILED: WorkerEvent.INITIALIZER_FAILED,
    WORKER_LEAVING: WorkerEvent.WORKER_LEAVING,
    WORKER_LOST: WorkerEvent.WORKER_LOST,
    WORKER_LEFT: WorkerEvent.WORKER_LEFT,
    WORKER_ENDED: WorkerEvent.WORKER_ENDED,
}


def _settle(item: WorkItem, kind: int, body: "Any") -> None:
    """Settle a future with what the worker sent."""
    error: BaseException | None
    try:
        if kind == RESULT:
            result = interp_api.decode(body)
            item.future.set_result(result)
            item.end()
            return
        error = task_error(kind, decode_failure(body))
    except Exception as exc:
        error = ResultPicklingError(f"result could not be unpickled: {exc}")
        error.__cause__ = exc
    _fail(item, error)


def task_error(kind: int, failure: BaseException) -> BaseException:
    """Return what a future gets for a failure the worker sent."""
    if kind == TASK_FAILED:
        return failure
    if kind == TASK_UNREADABLE:
        error: BaseException = TaskPicklingError(f"args not shareable: the worker could not unpickle them: {failure}")
    else:
        error = ResultPicklingError(f"result not shareable: {failure}")
    error.__cause__ = failure.__cause__ or failure
    return error


def _fail(item: WorkItem, error: BaseException) -> None:
    item.future.set_exception(error)
    item.end()


def _cancel(item: WorkItem) -> None:
    item.future.cancel()
    item.future.set_running_or_notify_cancel()
    item.end()


def _fail_broken(item: WorkItem, cause: BaseException) -> None:
    error = BrokenInterpreterPool(f"the pool broke before the task was done: {cause}")
    error.__cause__ = cause
    if item.future.running() or item.future.set_running_or_notify_cancel():
        _fail(item, error)
    else:
        item.end()


def _fail_lost(item: WorkItem, failure: "Any") -> None:
    error = WorkerLostError("the worker failed while it ran the task; the pool goes on with another")
    error.__cause__ = InterpreterError(failure) if isinstance(failure, str) else decode_failure(failure)
    _fail(item, error)


def _start_failure(kind: int, body: "Any") -> BaseException:
    return decode_failure(body) if kind == INITIALIZER_FAILED else InterpreterError(f"a worker could not start: {body[1]}")


def _log_initializer_failure(cause: BaseException) -> None:
    from concurrent.futures._base import LOGGER

    LOGGER.critical("Exception in initializer:", exc_info=cause)


_pools: "weakref.WeakSet[InterpreterPool]" = weakref.WeakSet()
_exiting = False


def _at_exit() -> None:
    """Finish the work of pools that nobody shut down, before the interpreter waits for their threads."""
    global _exiting
    _exiting = True
    for pool in list(_pools):
        pool.shutdown(wait=False)
    for pool in list(_pools):
        pool.shutdown()
    close_idle()


def _before_fork() -> None:
    for pool in list(_pools):
        pool._before_fork()
    close_idle()


def _after_fork_in_child() -> None:
    for pool in list(_pools):
        pool._after_fork_in_child()


# The standard library's executors use the same hook: atexit's run too late, after the wait for the threads.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
