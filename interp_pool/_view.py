"""What `options()` returns: an executor that runs tasks on another one, each with the same options.

Owns how options reach tasks. It is an Executor, so it goes wherever one is expected.
"""

from concurrent.futures import Executor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Unpack

    from interp_pool._executor import InterpreterPoolExecutor, Options
    from interp_pool._future import TaskFuture
    from interp_pool._task_options import TaskOptions


class ExecutorView(Executor):
    """An executor whose tasks have options and run on another executor. Thread safety: all methods."""

    def __init__(self, executor: "InterpreterPoolExecutor", options: "TaskOptions") -> None:
        self._executor = executor
        self._options = options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} ({self._options!r}) on {self._executor!r}>"

    def options(self, **changes: "Unpack[Options]") -> "ExecutorView":
        """Return a view with some of the options changed. See `InterpreterPoolExecutor.options`."""
        return ExecutorView(self._executor, self._options.replace(dict(changes)))

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "TaskFuture[T]":
        """Schedule `fn(*args, **kwargs)` with these options. See `InterpreterPoolExecutor.submit`."""
        return self._executor.submit_with(self._options, fn, args, kwargs)

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        See `InterpreterPoolExecutor.map`. The timeout of the options counts for each message to a worker, and with it
        `chunksize` is 1 unless it is given; `timeout` here is that of all.
        """
        return self._executor.map_with(self._options, fn, iterables, timeout, chunksize, buffersize)

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        self._executor.__exit__(exc_type, *exc_info)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the executor down that the tasks run on."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)
