"""How an executor's calls become tasks of its pool.

Owns what `submit` and `map` do; the executor owns what they promise. This file brings the whole pool with it, so the
executor loads it when the first one is made: a worker loads the program's main module, and with it the executor's
class, and makes none.
"""

import threading
from functools import partial
from time import monotonic

import interp_api
from interp_pool._core.task import Task, name_task
from interp_pool._executor.map_by_submit import map_by_submit
from interp_pool._executor.map_run import MapRun
from interp_pool._executor.refusals import encode_batch, failed_future, pickling_error
from interp_pool._executor.view import WithOptions
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._futures.task_future import TaskFuture
from interp_pool._options.checks import check_seconds, check_size
from interp_pool._pool.outcomes import without_frames
from interp_pool._pool.pool import InterpreterPool
from interp_pool._wire.messages import TIMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from typing import Any

    from interp_pool._executor.arguments import ExecutorArguments
    from interp_pool._options.task_options import TaskOptions
    from interp_pool._process.open_tasks import OpenTasks


class Submitter:
    """What an executor submits with. Thread safety: all methods.

    Attributes:
        pool: where the tasks run.
        open_tasks: those of this executor, if others share the pool.
    """

    def __init__(self, arguments: "ExecutorArguments") -> None:
        """Make the executor's pool, unless the arguments have one.

        Raises:
            Exception: what making a pool raises.
        """
        shared = arguments.pool
        self.pool = InterpreterPool(**arguments.of_pool()) if shared is None else shared
        self.open_tasks: OpenTasks | None = None if shared is None else shared.note_executor()

    @property
    def is_shut_down(self) -> bool:
        """Whether the executor takes no more tasks."""
        return self.pool.is_shut_down if self.open_tasks is None else self.open_tasks.is_closed

    def submit[T](self, fn: "Callable[..., T]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> "TaskFuture[T]":
        """Do what the executor's `submit` does."""
        try:
            payload = interp_api.encode_call(fn, args, kwargs)
        except Exception as exc:
            return self._refuse(fn, args, kwargs, exc)
        pool, open_tasks = self.pool, self.open_tasks
        future: TaskFuture[T] = TaskFuture(pool)
        item = Task(future, fn, payload, open_tasks)
        if open_tasks is None:
            pool.submit(item)
        else:
            self._submit_noted(item, open_tasks)
        return future

    def submit_with[T](
        self,
        options: "TaskOptions",
        fn: "Callable[..., T]",
        args: "tuple[Any, ...]",
        kwargs: "dict[str, Any]",
        meant: "Callable[..., Any] | None" = None,
    ) -> "TaskFuture[T]":
        """Do what `submit` does for a task with options."""
        try:
            payload = interp_api.encode_call(fn, args, kwargs)
        except Exception as exc:
            return self._refuse(fn, args, kwargs, exc)
        future: TaskFuture[T] = TaskFuture(self.pool)
        future.is_interrupted_by_cancel = options.interrupt_on_cancel
        flags = 0 if options.timeout is None else TIMED
        item = Task(future, meant or fn, payload, self.open_tasks, flags, control=TaskControl(options))
        if options.is_too_late():
            self._check_open()
            error = TaskControl(options, Reason.DEADLINE).error(item.name, "was not started")
            return failed_future(self.pool, item.name, error)
        if self.open_tasks is None:
            self.pool.submit(item)
        else:
            self._submit_noted(item, self.open_tasks)
        return future

    def _submit_noted(self, item: Task, open_tasks: "OpenTasks") -> None:
        """Submit to a pool that others share."""
        try:
            open_tasks.begin(item)
            self.pool.submit(item)
        except BaseException:
            open_tasks.end(item)
            raise

    def _refuse(
        self, fn: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", exc: Exception
    ) -> "TaskFuture[Any]":
        """Return the future of a task that cannot be pickled."""
        if isinstance(fn, WithOptions):  # looked for only here, where it costs other tasks nothing
            return self.submit_with(fn.options, fn.__wrapped__, args, kwargs)
        self._check_open()
        if not interp_api.comes_again(exc, partial(interp_api.encode_call, fn, args, kwargs)):
            raise exc
        error = pickling_error(fn, args, kwargs, without_frames(exc))
        return failed_future(self.pool, name_task(fn, None, is_map=False), error)

    def _check_open(self) -> None:
        self.pool.check_open()
        if self.is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def map_with[T](
        self,
        options: "TaskOptions",
        fn: "Callable[..., T]",
        iterables: "tuple[Iterable[Any], ...]",
        timeout: float | None,
        chunksize: int | None,
        buffersize: int | None,
        through: "Executor | None",
        executor: "Executor",
    ) -> "Iterator[T]":
        """Do what `map` does with options.

        Args:
            options: of each message.
            fn: see the executor's `map_with`, as what follows.
            iterables: as there.
            timeout: as there.
            chunksize: as there.
            buffersize: as there.
            through: whose `submit` is to be called for each item or chunk; None means nobody's.
            executor: this is its `map`.
        """
        check_size("chunksize", chunksize)
        check_size("buffersize", buffersize)
        if timeout is not None:
            check_seconds("timeout", timeout)
        end = None if timeout is None or timeout > threading.TIMEOUT_MAX / 2 else monotonic() + timeout
        if through is not None:
            return map_by_submit(through, fn, iterables, end, chunksize or 1, buffersize)
        self._check_open()
        run = MapRun(self.pool, self.open_tasks, encode_batch, fn, iterables, chunksize, buffersize, options)
        return run.results(end, keeps=None if buffersize is None else executor)
