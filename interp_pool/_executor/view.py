"""What `options()` returns: an executor that runs tasks on another one, each with the same options.

Owns how options reach tasks. It is an Executor, so it goes wherever one is expected, and has what programs read of
executors: their private names too.

Where the executor's `submit` or `map` was overridden or replaced, tasks go through that. The options then travel with
the function, as a `WithOptions`, which the executor's own methods know.
"""

from concurrent.futures import Executor

from interp_pool._executor.with_options import WithOptions
from interp_pool._options.declared import keywords
from interp_pool._options.task_options import TaskOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from contextlib import AbstractContextManager
    from os import PathLike
    from typing import Any, Protocol, Self

    from interp_pool._core.statistics import Statistics
    from interp_pool._executor.awaited_map import AsyncResults
    from interp_pool._executor.making import TaskMaker
    from interp_pool._futures.progress import Progress
    from interp_pool._futures.task_future import TaskFuture

    class HasViews(Protocol):
        """What a view needs of its executor, whose methods tell what they do."""

        @property
        def submits_itself(self) -> bool: ...
        @property
        def maps_itself(self) -> bool: ...
        @property
        def tasks(self) -> TaskMaker: ...
        @property
        def submit(self) -> "Callable[..., TaskFuture[Any]]": ...
        @property
        def map(self) -> "Callable[..., Iterator[Any]]": ...
        def submit_with[T](
            self, options: TaskOptions, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> TaskFuture[T]: ...
        def map_with[T](
            self,
            options: TaskOptions,
            fn: Callable[..., T],
            iterables: tuple[Iterable[Any], ...],
            timeout: float | None,
            chunksize: int | None,
            buffersize: int | None,
            through: Executor | None,
            on_progress: Callable[[Progress], object] | None,
        ) -> Iterator[T]: ...
        def statistics(self) -> Statistics: ...
        def trace(self, path: str | PathLike[str]) -> AbstractContextManager[None]: ...
        def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None: ...
        def renew_workers(self) -> None: ...
        def terminate_workers(self) -> None: ...
        def kill_workers(self) -> None: ...
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...
        def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None: ...
        async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None: ...


def _passed_on(name: str) -> property:
    """Return a property of a view that is the executor's."""
    return property(lambda view: getattr(view._executor, name))


class ExecutorView(Executor):
    """An executor whose tasks have options and run on another executor. Thread safety: all methods."""

    def __init__(self, executor: "HasViews", options: TaskOptions) -> None:
        self._executor = executor
        self._options = options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} ({self._options!r}) on {self._executor!r}>"

    @keywords(TaskOptions)
    def options(self, **changes: "Any") -> "ExecutorView":
        """Return a view with some of the options changed. See `InterpreterPoolExecutor.options`.

        {options}
        """
        return ExecutorView(self._executor, self._options.replace(changes))

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "TaskFuture[T]":
        """Schedule `fn(*args, **kwargs)` with these options. See `InterpreterPoolExecutor.submit`."""
        if self._executor.submits_itself:
            return self._executor.submit_with(self._options, fn, args, kwargs)
        call: Any = WithOptions(fn, self._options)
        return self._executor.submit(call, *args, **kwargs)

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        See `InterpreterPoolExecutor.map`. The timeout of the options counts for each message to a worker, and with it
        `chunksize` is 1 unless it is given; `timeout` here is that of all.
        """
        executor = self._executor
        through = self._overriding
        if through is None and not executor.maps_itself:
            call: Any = WithOptions(fn, self._options)
            own = {} if on_progress is None else {"on_progress": on_progress}  # which another `map` may not know
            return executor.map(call, *iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize, **own)
        if not executor.submits_itself:
            through = self
        return executor.map_with(self._options, fn, iterables, timeout, chunksize, buffersize, through, on_progress)

    def run[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "Coroutine[Any, Any, T]":
        """Run `fn(*args, **kwargs)` with these options, for a coroutine to await. See `InterpreterPoolExecutor.run`."""
        from interp_pool._executor.awaited_run import run

        through = self._overriding if self._executor.submits_itself else self
        return run(self._executor, self._options, fn, args, kwargs, through)

    def amap[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        ordered: bool = True,
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "AsyncResults[T]":
        """Return an asynchronous iterator over the results of `map(fn, *iterables)`.

        See `InterpreterPoolExecutor.amap`, and `map` here for what the options mean.
        """
        from interp_pool._executor.awaited_map import amap

        executor, options = self._executor, self._options
        through = self._overriding if executor.submits_itself else self
        return amap(
            executor, options, fn, iterables, timeout, chunksize, buffersize, through, on_progress, is_ordered=ordered
        )

    @property
    def _overriding(self) -> "ExecutorView | None":
        """This view, if its `submit` is not the class's own."""
        return None if "submit" not in self.__dict__ and type(self).submit is _OWN_SUBMIT else self

    _max_workers = _passed_on("_max_workers")
    _threads = _passed_on("_threads")
    _thread_name_prefix = _passed_on("_thread_name_prefix")
    _broken = _passed_on("_broken")
    _shutdown = _passed_on("_shutdown")

    def statistics(self) -> "Statistics":
        """Return a snapshot of the counts of the pool. See `InterpreterPoolExecutor.statistics`."""
        return self._executor.statistics()

    def trace(self, path: "str | PathLike[str]") -> "AbstractContextManager[None]":
        """Return what traces the pool, also what has other options. See `InterpreterPoolExecutor.trace`."""
        return self._executor.trace(path)

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay. See `InterpreterPool.resize`."""
        self._executor.resize(max_workers, min_workers=min_workers)

    def renew_workers(self) -> None:
        """Give each worker a new interpreter, after its task. See `InterpreterPool.renew_workers`."""
        self._executor.renew_workers()

    def terminate_workers(self) -> None:
        """Stop everything at once, also what has other options. See `InterpreterPoolExecutor.terminate_workers`."""
        self._executor.terminate_workers()

    def kill_workers(self) -> None:
        """Stop everything, and wait for nothing. See `InterpreterPoolExecutor.kill_workers`."""
        self._executor.kill_workers()

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        self._executor.__exit__(exc_type, *exc_info)

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        await self._executor.__aexit__(exc_type, *exc_info)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the executor down that the tasks run on."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


_OWN_SUBMIT = ExecutorView.submit
