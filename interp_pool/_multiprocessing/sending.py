"""How the tasks of multiprocessing's Pool reach the executor, and their results come back.

Owns what stands in the place of that class's queue of tasks and of the threads that serve it. What a task is, and what
becomes of its result, is multiprocessing's own: its Pool puts sequences of tasks here, and finds the object that waits
for a task by the number of its job.

    apply, map    all items are there: they are submitted at once, in the thread that calls
    imap          a thread takes one item after the other, as in multiprocessing, and waits while AHEAD tasks for each
                  worker are not done: the iterable may have no end

A result is entered by one thread at a time (`_enter_all`): multiprocessing does that in one thread, and relies on it.

A forked child has none of these threads. What was put is done by the parent; here it ends with an error.
"""

import threading
from collections import deque
from concurrent.futures import CancelledError
from itertools import count
from multiprocessing import pool as multiprocessing_pool
from weakref import WeakValueDictionary

from interp_api import ExecutionFailed, portable
from interp_pool._core.task import name_task
from interp_pool._errors import ResultPicklingError, TaskPicklingError, broken
from interp_pool._executor.chunks import run_chunk, run_single_chunk
from interp_pool._futures.task_future import KNOWN
from interp_pool._multiprocessing.lost import lose
from interp_pool._multiprocessing.results import asked, note_for
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._process.hooks import Part, register
from interp_pool._wire.texts import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._executor.executor import InterpreterPoolExecutor
    from interp_pool._futures.task_future import TaskFuture

    # The number of its job, its place in that, the function, its arguments.
    type PoolTask = tuple[int, int, Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    type Outcome = tuple[bool, Any]  # whether it has a result, and that or the exception

AHEAD = 64
_TERMINATED = "the pool was terminated before this task had begun"

_theirs: "Any" = multiprocessing_pool  # what type checkers do not know of it is the same from 3.13 to 3.15
_CHUNKS: "dict[Any, Callable[..., list[Any]]]" = {
    _theirs.mapstar: run_single_chunk,
    _theirs.starmapstar: run_chunk,
}


class Sending:
    """The queue of tasks of one Pool. Thread safety: all methods."""

    def __init__(
        self, executor: "InterpreterPoolExecutor", cache: "dict[int, Any]", processes: int, *, logs_unread: bool
    ) -> None:
        """Make one.

        Args:
            executor: runs the tasks.
            cache: what waits for results, by the number of its job.
            processes: workers that there may be.
            logs_unread: whether errors are logged that nobody has asked for.
        """
        self._executor, self._cache, self._processes = executor, cache, processes
        self._logs_unread = logs_unread
        self._reset()
        _sendings[_next_sending()] = self

    def _reset(self) -> None:
        self._room = threading.Semaphore(AHEAD * self._processes)
        self._lock = threading.Lock()  # of the next two
        self._feeders: set[threading.Thread] = set()  # they take items for imap
        self._is_closed = False
        self._is_stopped = False
        self._done: deque[tuple[int, int, Outcome, Any]] = deque()  # not entered yet; with the function
        self._entering = threading.Lock()  # held by who enters

    def put(self, sequence: "tuple[Iterable[PoolTask], Callable[[int], object] | None]") -> None:
        """Submit tasks; with a function that is to be told how many there are, in another thread.

        Raises:
            RuntimeError: no thread can be started.
        """
        tasks, set_length = sequence
        if set_length is None:
            for task in tasks:
                self._send(task)
            return
        told: Any = set_length
        asked(told.__self__)  # the iterator that waits for the results
        feeder = threading.Thread(target=self._feed, args=(tasks, set_length), daemon=True)
        with self._lock:
            self._feeders.add(feeder)
        try:
            feeder.start()
        except BaseException:
            self._forget(feeder)
            raise

    def close(self) -> None:
        """Take no more. What was put goes on. Never blocks."""
        with self._lock:
            self._is_closed = True
        self._shut_down_if_idle()

    def stop(self) -> None:
        """Take no more, and end what there is. Never blocks."""
        self._is_stopped = True
        self._room.release(AHEAD)  # who waits for it sends its item, which is refused
        self._executor.terminate_workers()

    def join(self) -> None:
        """Block until everything has ended."""
        for feeder in [*self._feeders]:
            feeder.join()
        self._executor.shutdown()

    def after_fork_in_child(self) -> None:
        """Be a new one for the pool, which goes on; what is not done ends with an error."""
        is_closed, is_stopped = self._is_closed, self._is_stopped
        self._reset()
        self._is_closed, self._is_stopped = is_closed, is_stopped
        lost = [*self._cache.values()]
        self._cache.clear()
        for result in lost:
            lose(result, broken("the process was forked: the task is done by the parent, not here"))

    def _feed(self, tasks: "Iterable[PoolTask]", set_length: "Callable[[int], object]") -> None:
        try:
            set_length(self._take(tasks))
        finally:
            self._forget(threading.current_thread())

    def _take(self, tasks: "Iterable[PoolTask]") -> int:
        """Submit one task after the other; return how many there were."""
        count = 0
        for task in tasks:  # which cannot fail: what the iterable raises is the last task
            self._room.acquire()
            count += 1
            if not self._send(task, has_room=True):
                return count
        return count

    def _forget(self, feeder: threading.Thread) -> None:
        with self._lock:
            self._feeders.discard(feeder)
        self._shut_down_if_idle()

    def _shut_down_if_idle(self) -> None:
        with self._lock:
            is_idle = self._is_closed and not self._feeders
        if is_idle:
            self._executor.shutdown(wait=False)

    def _send(self, task: "PoolTask", *, has_room: bool = False) -> bool:
        """Submit a task, which has taken room or not; return whether others may follow."""
        job, place, function, args, kwds = task
        if function is _theirs._helper_reraises_exception:  # it goes to a worker, to come back from there
            self._finish(job, place, (False, args[0]), function, has_room=has_room)
            return True
        meant = args[0][0] if function in _CHUNKS else function
        try:
            future: Any = self._submit(function, args, kwds)
        except Exception as exc:
            error = CancelledError(_TERMINATED) if self._is_stopped and isinstance(exc, RuntimeError) else exc
            self._finish(job, place, (False, error), meant, has_room=has_room)
            return not isinstance(exc, RuntimeError)  # it is shut down, or the interpreter is exiting

        def note_done(done: "TaskFuture[Any]") -> None:
            self._finish(job, place, outcome_of(done), meant, has_room=has_room)

        future.add_done_callback(note_done)
        return True

    def _submit(self, function: "Any", args: "tuple[Any, ...]", kwds: "dict[str, Any]") -> "TaskFuture[Any]":
        chunk = _CHUNKS.get(function)
        if chunk is None:
            return self._executor.submit(function, *args, **kwds)
        ((own, items),) = args
        return self._executor.submit_with(NO_OPTIONS, chunk, (portable(own), items), kwds, meant=own)

    def _finish(self, job: int, place: int, outcome: "Outcome", meant: "Any", *, has_room: bool) -> None:
        if has_room:
            self._room.release()
        self._done.append((job, place, outcome, meant))
        # Who enters may be further up this thread's stack: the callback of another result. It goes on with this one.
        while self._done and self._entering.acquire(blocking=False):
            try:
                self._enter_all()
            finally:
                self._entering.release()

    def _enter_all(self) -> None:
        while self._done:
            job, place, (has_result, value), meant = self._done.popleft()
            waiting = self._cache.get(job)
            if waiting is None:
                continue
            if not has_result and self._logs_unread and not isinstance(value, KNOWN):
                note_for(waiting, name_task(meant, None, is_map=False), describe(value))
            waiting._set(place, (has_result, value))


_sendings: "WeakValueDictionary[int, Sending]" = WeakValueDictionary()
_next_sending = count().__next__


class _Sendings(Part):
    """All of them, which begin anew together, after the pools."""

    def after_fork_in_child(self) -> None:
        for reference in _sendings.valuerefs():
            sending = reference()
            if sending is not None:
                sending.after_fork_in_child()


register(_Sendings())


def outcome_of(future: "TaskFuture[Any]") -> "Outcome":
    """Return what became of a task, as multiprocessing tells it. Blocks until it is done."""
    try:
        error = future.exception()
    except CancelledError:
        return False, CancelledError(_TERMINATED)
    return (True, future.result()) if error is None else (False, as_told(error))


def as_told(error: BaseException) -> BaseException:
    """Return the exception that multiprocessing would raise in place of ours."""
    told: BaseException = error
    cause = error.__cause__
    if isinstance(error, ImportError):
        return error  # a module that no worker can load: its text says what to do
    if isinstance(error, ResultPicklingError):
        told = _theirs.MaybeEncodingError(cause or error, "what the task returned")
        told.__cause__ = error
    elif isinstance(error, TaskPicklingError) and cause is not None:
        told = cause
        told.add_note(str(error))
    elif type(cause) is ExecutionFailed:
        error.__cause__ = _theirs.RemoteTraceback(f'\n"""\n{cause}\n"""')
    return told
