"""Making the tasks of one executor, and giving them to its pool.

Owns what `submit`, `run` and `map` do; the executor owns what they promise. This file brings the whole pool with it, so
the executor loads it when the first one is made: a worker loads the program's main module, and with it the executor's
class, and makes none.
"""

from functools import partial

import interp_api
from interp_pool._core.task import Task, name_task
from interp_pool._errors import TaskPicklingError
from interp_pool._executor.followed import Followed
from interp_pool._executor.map_by_submit import map_by_submit
from interp_pool._executor.map_run import MapRun
from interp_pool._executor.refusals import encode_batch, failed_future, pickling_error
from interp_pool._executor.results import chained
from interp_pool._executor.with_options import WithOptions
from interp_pool._executor.wrapping import sent_for
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._futures.task_future import TaskFuture
from interp_pool._options.checks import check_map
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._pool.outcomes import without_frames
from interp_pool._pool.pool import InterpreterPool
from interp_pool._seeing.reports import Listener
from interp_pool._wire.messages import TIMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from typing import Any

    from interp_pool._awaiting.map_waiter import MapWaiter
    from interp_pool._executor.arguments import ExecutorArguments
    from interp_pool._executor.returning import EncodeBatch
    from interp_pool._futures.progress import Progress
    from interp_pool._options.task_options import TaskOptions
    from interp_pool._process.open_tasks import OpenTasks


class TaskMaker:
    """Makes the tasks of one executor. Thread safety: all methods."""

    __slots__ = ("defaults", "open_tasks", "pool")

    def __init__(self, arguments: "ExecutorArguments") -> None:
        """Make the executor's pool, unless the arguments have one.

        Raises:
            Exception: what making a pool raises.
        """
        self.defaults = arguments.of_tasks()
        """The options of tasks that are given none."""
        shared = arguments.pool
        self.pool = InterpreterPool(**arguments.of_pool()) if shared is None else shared
        self.open_tasks: OpenTasks | None = None if shared is None else shared.note_executor()
        """Of the executor, if the pool is shared."""

    @property
    def is_shut_down(self) -> bool:
        """Whether the executor takes no more tasks."""
        return self.pool.is_shut_down if self.open_tasks is None else self.open_tasks.is_closed

    def check_open(self) -> None:
        """Raise what `submit` would raise now."""
        self.pool.check_open()
        if self.is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def make(
        self,
        options: "TaskOptions",
        fn: "Callable[..., Any]",
        args: "tuple[Any, ...]",
        kwargs: "dict[str, Any]",
        meant: "Callable[..., Any] | None" = None,
    ) -> "tuple[TaskFuture[Any], Task | None]":
        """Return the future of a call, and the task that is to be submitted; None if the future is done without it.

        Args:
            options: of the task.
            fn: the function.
            args: its arguments.
            kwargs: likewise.
            meant: the user's own function, which `fn` calls; None means `fn`.
        """
        if options is NO_OPTIONS:
            options = self.defaults
        try:
            sent = fn if isinstance(fn, WithOptions) else sent_for(fn, options)
        except TaskPicklingError as exc:
            self.check_open()
            return failed_future(self.pool, name_task(meant or fn, options, is_map=False), exc), None
        try:
            payload = interp_api.encode_call(sent, args, kwargs)
        except Exception as exc:
            if isinstance(fn, WithOptions):
                return self.make(fn.options, fn.__wrapped__, args, kwargs)
            return self._refuse(fn, args, kwargs, exc), None
        future: TaskFuture[Any] = TaskFuture(self.pool)
        if options is NO_OPTIONS:
            return future, Task(future, meant or fn, payload, self.open_tasks)
        future.is_interrupted_by_cancel = bool(options.interrupt_on_cancel)
        flags = 0 if options.timeout is None else TIMED
        item = Task(future, meant or fn, payload, self.open_tasks, flags, control=TaskControl(options))
        if options.is_too_late():
            self.check_open()
            error = TaskControl(options, Reason.DEADLINE).error(item.name, "was not started")
            return failed_future(self.pool, item.name, error), None
        return future, item

    def submit(self, fn: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> "TaskFuture[Any]":
        """Make a task without options and give it to the pool: in few steps, for they are those of most tasks."""
        if self.defaults is not NO_OPTIONS:
            return self.submit_with(self.defaults, fn, args, kwargs)
        try:
            payload = interp_api.encode_call(fn, args, kwargs)
        except Exception as exc:
            if isinstance(fn, WithOptions):  # looked for only here, where it costs other tasks nothing
                return self.submit_with(fn.options, fn.__wrapped__, args, kwargs)
            return self._refuse(fn, args, kwargs, exc)
        future: TaskFuture[Any] = TaskFuture(self.pool)
        item = Task(future, fn, payload, self.open_tasks)
        if self.open_tasks is None:
            self.pool.submit(item)
        else:
            self.give(item)
        return future

    def submit_with(
        self,
        options: "TaskOptions",
        fn: "Callable[..., Any]",
        args: "tuple[Any, ...]",
        kwargs: "dict[str, Any]",
        meant: "Callable[..., Any] | None" = None,
    ) -> "TaskFuture[Any]":
        """Make a task and give it to the pool. See `make` for the arguments, and `InterpreterPoolExecutor.submit`."""
        future, item = self.make(options, fn, args, kwargs, meant)
        if item is not None:
            self.give(item)
        return future

    def give(self, item: Task) -> None:
        """Give a task to the pool. Blocks: while too many wait, as `submit` does."""
        if self.open_tasks is None:
            self.pool.submit(item)
            return
        try:
            self.open_tasks.begin(item)
            self.pool.submit(item)
        except BaseException:
            self.open_tasks.end(item)
            raise

    def _refuse(
        self, fn: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", exc: Exception
    ) -> "TaskFuture[Any]":
        """Return the future of a task that cannot be pickled."""
        self.check_open()
        if not interp_api.comes_again(exc, partial(interp_api.encode_call, fn, args, kwargs)):
            raise exc
        error = pickling_error(fn, args, kwargs, without_frames(exc))
        return failed_future(self.pool, name_task(fn, None, is_map=False), error)

    def map(
        self,
        options: "TaskOptions",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        timeout: float | None,
        chunksize: int | None,
        buffersize: int | None,
        through: "Executor | None",
        executor: "Executor",
        on_progress: "Callable[[Progress], object] | None",
    ) -> "Iterator[Any]":
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
            on_progress: see the executor's `map`.
        """
        end = check_map(timeout, chunksize, buffersize)
        hear = None if on_progress is None else Listener(on_progress)
        if through is not None:
            if hear is not None:
                through = Followed(through, hear, is_chunked=(chunksize or 1) > 1)
            return map_by_submit(through, fn, iterables, end, chunksize or 1, buffersize)
        self.check_open()
        run = self.map_run(options, fn, iterables, chunksize, buffersize, None, hear)
        return chained(run.parts(end, None if buffersize is None else executor), run)

    def map_run(
        self,
        options: "TaskOptions",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        chunksize: int | None,
        buffersize: int | None,
        waiter: "MapWaiter | None" = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> MapRun:
        """Begin a map. See `MapRun` for the arguments.

        Raises:
            TaskPicklingError: the value of a context variable that is to go along cannot be pickled.
        """
        if options is NO_OPTIONS:
            options = self.defaults
        sent = sent_for(fn, options, is_item=True)
        encode: EncodeBatch = encode_batch if sent is fn else partial(encode_batch, sent=sent)
        return MapRun(
            self.pool, self.open_tasks, encode, fn, iterables, chunksize, buffersize, options, waiter, on_progress
        )
