"""The executor that is put into a worker process of dask: it runs the worker's tasks in interpreters.

Owns the way of one task there:

    1. the worker's loop gives the function that its own threads are given, with the run spec and the results it needs
    2. what is called, with values in place of keys, goes to the pool
    3. its end, in the thread that settles the pool's futures, becomes the answer that function would have returned

With the fallback, 2 or 3 may give the task to the worker's own threads, as if it had been annotated so: where it cannot
be pickled, and where the pool's routing says that no interpreter can load what it needs. The shape of such a call, its
function and the types of its arguments, is remembered: the next one is not even pickled.

A task that nobody wants any more is interrupted, and answers that it is to be scheduled again. The worker drops that
answer, unless somebody has asked for the task anew meanwhile, which it does not begin a second time while it runs.
"""

import threading
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from time import time

from interp_pool._dask import answers, calls, host
from interp_pool._dask.run_spec import Ready, function_of, shape_of, what_to_send
from interp_pool._errors import TaskPicklingError
from interp_pool._executor.executor import InterpreterPoolExecutor
from interp_pool._futures.task_future import TaskFuture
from interp_pool._options.task_options import TaskOptions
from interp_pool._wire.refused import warn
from interp_pool._wire.texts import brief, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.statistics import Statistics
    from interp_pool._dask.answers import Answer

    type Shape = tuple[str, ...]

MOST_SHAPES = 10_000  # of calls that are remembered


class TaskExecutor(Executor):
    """Runs the tasks of one worker process. Thread safety: all methods; the worker's loop submits."""

    def __init__(
        self, worker: "Any", threads: Executor, nthreads: int, fallback: str | None, options: "dict[str, Any]"
    ) -> None:
        """Make an executor; its interpreters start when there is work for them.

        Args:
            worker: the worker, of distributed.
            threads: its own executor: runs what is no task, and what no interpreter can.
            nthreads: most interpreters at a time.
            fallback: "thread", to run there what no interpreter can; None: that fails.
            options: others of an InterpreterPoolExecutor.
        """
        self._worker, self._threads, self._has_fallback = worker, threads, fallback is not None
        if self._has_fallback:
            calls.sends_elsewhere = True
        limits: dict[str, Any] = {
            "exit_timeout": 0.0,
            **options,
        }  # a worker's exit waits for no task: the scheduler sends it to others
        self._executor = InterpreterPoolExecutor(nthreads, fallback="thread" if self._has_fallback else None, **limits)
        # A process that a nanny starts has the main module of who made a LocalCluster: no task expects it loaded.
        executor: Any = self._executor
        executor._pool.do_without_main()
        self._max_workers = nthreads
        self._lock = threading.RLock()  # a finalizer may cancel something in the middle
        self._running: dict[Any, _Run] = {}  # by key; guarded by self._lock
        self._shapes: dict[Shape, None] = {}  # of calls that go to the threads, the oldest first
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._executor!r}>"

    def submit(self, fn: "Callable[..., Any]", /, *args: "Any", **kwargs: "Any") -> "Future[Any]":
        """Run a task of the worker in an interpreter. Anything else runs on the worker's own threads."""
        if fn is not host.run_task_simple:
            return self._threads.submit(fn, *args, **kwargs)
        spec, data, delay = args
        run = _Run(self, spec, data, delay)
        run.start()
        return run.outer

    def send(self, step: "Any", function: "Callable[..., Any]", key: object) -> "TaskFuture[Any]":
        """Give a call to the pool.

        Args:
            step: (function, args, kwargs).
            function: that the task is named by.
            key: of it.

        Raises:
            TypeError: an option has the wrong type.
            ValueError: it is out of range.
            BrokenInterpreterPool: the initializer failed.
        """
        state = self._worker.state.tasks.get(key)
        annotations: dict[str, Any] = (None if state is None else state.annotations) or {}
        limit: Any = annotations.get("timeout")
        options = TaskOptions(timeout=limit, name=str(key))
        return self._executor.submit_with(options, calls.run_call, step, {}, meant=function)

    def note(self, run: "_Run") -> None:
        """Remember that a task runs."""
        with self._lock:
            self._running[run.key] = run

    def forget(self, run: "_Run") -> None:
        """Forget a task that has ended."""
        with self._lock:
            if self._running.get(run.key) is run:
                del self._running[run.key]

    def interrupt(self, key: object) -> None:
        """Stop a task that nobody wants any more, if it runs here. Never blocks."""
        with self._lock:
            run = self._running.get(key)
        if run is not None:
            run.stop()

    def keys(self) -> "list[Any]":
        """Return the keys of the tasks that run here, or are about to."""
        with self._lock:
            return [*self._running]

    def goes_to_threads(self, shape: "Shape") -> bool:
        """Return whether calls of this shape go to the worker's own threads."""
        return shape in self._shapes

    def takes_refused(self, error: BaseException | None) -> bool:
        """Return whether a task that an interpreter could not begin can run on the worker's own threads."""
        return self._has_fallback and isinstance(error, TaskPicklingError)

    def learn(self, shape: "Shape", key: object, error: BaseException | None) -> None:
        """Have calls of this shape go to the worker's own threads from now on; log why, unless the pool has."""
        with self._lock:
            if len(self._shapes) >= MOST_SHAPES:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[shape] = None
            name = shape[0]
            is_new = error is not None and name not in self._told
            if is_new:
                self._told.add(name)
        if is_new:
            why = "" if error is None else brief(error)
            warn(f"task {str(key)!r} cannot run in an interpreter, it runs on the worker's threads instead: {why}")

    def run_on_threads(self, spec: "Any", data: "Any", delay: float) -> "Future[Answer]":
        """Run a task as the worker does without this executor: `get_worker` and `secede` work there."""
        worker = self._worker
        where = worker.active_threads, worker.active_threads_lock
        call = partial(host.run_task, spec, data, worker.execution_state, spec.key, *where, delay)
        return self._threads.submit(copy_context().run, call)

    def statistics(self) -> "Statistics":
        """Return a snapshot of the counts of its pool."""
        return self._executor.statistics()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; those that run are still done."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def terminate(self) -> None:
        """Stop what runs, and take no more tasks. Never blocks."""
        for key in self.keys():
            self.interrupt(key)
        self._executor.terminate_workers()

    @property
    def threads(self) -> Executor:
        """The worker's own executor."""
        return self._threads


class _Run:
    """One task on its way."""

    __slots__ = ("_began", "_data", "_delay", "_executor", "_inner", "_is_unwanted", "_shape", "_spec", "key", "outer")

    def __init__(self, executor: TaskExecutor, spec: "Any", data: "Any", delay: float) -> None:
        self._executor, self._spec, self._data, self._delay = executor, spec, data, delay
        self.key = spec.key
        self.outer: Future[Answer] = Future()
        self._inner: Future[Any] | None = None
        self._is_unwanted = False
        self._shape: Shape = ()
        self._began = time()

    def start(self) -> None:
        """Give it to an interpreter, or to the worker's threads."""
        try:
            step = what_to_send(self._spec, self._data)
            if isinstance(step, Ready):
                self._end(answers.finished, step.value, self._began, time(), threading.get_ident())
                return
            function = function_of(self._spec, step)
            self._shape = shape_of(function, step)
            if self._executor.goes_to_threads(self._shape):
                self._move_to_threads()
                return
            self._inner = self._executor.send(step, function, self.key)
        except Exception as exc:
            self._end(answers.erred, exc, self._began)
            return
        self._executor.note(self)
        self._inner.add_done_callback(self._inner_done)
        self.outer.add_done_callback(self._outer_done)

    def stop(self) -> None:
        """Stop it: nobody wants it."""
        self._is_unwanted = True
        inner = self._inner
        if isinstance(inner, TaskFuture):
            inner.interrupt(timeout=0)
        elif inner is not None:
            inner.cancel()  # a thread that has begun with it goes on

    def _outer_done(self, outer: "Future[Any]") -> None:
        if outer.cancelled():  # the worker closes
            self.stop()

    def _inner_done(self, inner: "Future[Any]") -> None:
        self._executor.forget(self)
        if inner.cancelled():
            self._end(answers.put_back, self._began)
            return
        error = inner.exception()
        refused = self._executor.takes_refused(error)
        if refused or (error is None and inner.result() is None):  # None is what `run_call` returns on a thread
            self._executor.learn(self._shape, self.key, error)
            try:
                self._move_to_threads()
            except Exception as exc:
                self._end(answers.erred, exc, self._began)
        elif error is None:
            self._end(answers.finished, *inner.result())
        elif self._is_unwanted:
            self._end(answers.put_back, self._began)
        else:
            self._end(answers.erred, _as_exception(error, self.key), self._began)

    def _move_to_threads(self) -> None:
        if self._is_unwanted:
            self._end(answers.put_back, self._began)
            return
        moved = self._executor.run_on_threads(self._spec, self._data, self._delay)
        self._inner = moved
        moved.add_done_callback(self._moved_done)

    def _moved_done(self, moved: "Future[Answer]") -> None:
        if moved.cancelled():
            self._end(answers.put_back, self._began)
        elif self.outer.set_running_or_notify_cancel():
            error = moved.exception()
            if error is None:
                self.outer.set_result(moved.result())
            else:
                self.outer.set_exception(error)

    def _end(self, make: "Callable[..., Answer]", *args: "Any") -> None:
        """Give the worker the answer that a function makes; where it fails that, as an error.

        A result may refuse to tell its size, and an exception its text.
        """
        if not self.outer.set_running_or_notify_cancel():
            return
        try:
            answer = make(*args)
        except Exception as exc:
            answer = answers.erred(
                RuntimeError(f"task {str(self.key)!r} ended, but not well: {describe(exc)}"), self._began
            )
        answer["start"] += self._delay
        answer["stop"] += self._delay
        self.outer.set_result(answer)


def _as_exception(error: BaseException, key: object) -> BaseException:
    """Return an error that a worker passes on: one that is no Exception would end it, or be lost."""
    if isinstance(error, Exception):
        return error
    made = RuntimeError(f"task {str(key)!r} ended with {describe(error)}")
    made.__cause__ = error
    return made
