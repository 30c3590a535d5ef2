"""ClusterExecutor: the `concurrent.futures` interface over a cluster of dask whose workers run interpreters.

Owns the arguments, their checks and what is pickled; how tasks travel is `cluster`'s and `cluster_map`'s.
"""

from concurrent.futures import Executor
from time import monotonic

from interp_pool._dask import host
from interp_pool._dask.calls import pack, run_packed, shape_of_call
from interp_pool._dask.cluster import Cluster, ClusterStatistics
from interp_pool._dask.cluster_map import ClusterMap
from interp_pool._dask.cluster_options import NO_OPTIONS, ClusterOptions
from interp_pool._executor.refusals import pickling_error, refuse_on_progress
from interp_pool._options.checks import check_seconds, check_size
from interp_pool._options.declared import keywords
from interp_pool._pool.outcomes import without_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import Any


class _Face(Executor):
    """What an executor and its views have in common."""

    _cluster: Cluster
    _options: ClusterOptions

    @property
    def _max_workers(self) -> int:
        return self._cluster.count_threads()

    @property
    def _shutdown(self) -> bool:
        return self._cluster.is_shut_down

    @keywords(ClusterOptions)
    def options(self, **changes: "Any") -> "ClusterView":
        """Return an executor that runs tasks here, each with these options.

        {options}

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
        """
        return ClusterView(self._cluster, self._options.replace(changes))

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "Future[T]":
        """Schedule `fn(*args, **kwargs)` in an interpreter of some worker.

        The call is pickled now, in this thread; a function that `__main__` defines goes by value. All arguments are the
        function's: none of them means something to dask.

        Returns:
            The task's future. Its `cancel()` also stops the task while it runs, and never blocks; its callbacks run in
            the client's event loop, and must not wait for the cluster. If the call cannot be pickled it has a
            TaskPicklingError.

        Raises:
            TypeError: `fn` cannot be called, or an argument is a future of dask, which no interpreter knows.
            RuntimeError: the executor is shut down, or the client closed.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a callable, got {fn!r}")
        for arg in (*args, *kwargs.values()):
            if isinstance(arg, host.DaskFuture):
                raise TypeError(f"an argument is a future of dask, {arg!r}: give its result, or use client.submit")
        future = self._cluster.begin()
        try:
            call = pack((fn, args, kwargs), shape_of_call(fn, (*args, *kwargs.values())))
        except Exception as exc:
            self._cluster.fail(future, pickling_error(fn, args, kwargs, without_frames(exc)))
            return future
        except BaseException:
            future.cancel()
            raise
        try:
            name = getattr(fn, "__name__", None) or type(fn).__name__
            self._cluster.send(future, run_packed, call, name, self._options)
        except BaseException:
            future.cancel()
            raise
        return future

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: None = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        Args:
            fn: takes as many arguments as there are iterables.
            iterables: consumed before this returns, or with `buffersize` as results are taken.
            timeout: seconds from now that all results must be there; None means no limit.
            chunksize: items per message to a worker; None means as many as take some 20 ms, more in a large cluster and
                fewer towards the end; or one, where the options have a timeout, which counts for each message. An item
                is pickled when its message is sent, which may be later, and in the client's event loop.
            buffersize: most items whose results have not been taken; None means no limit.
            on_progress: None; what tasks report does not come back from a cluster.

        Raises:
            TimeoutError: from the iterator, when the time is up.
            Exception: from the iterator, whatever `fn` raised for the item.
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            RuntimeError: the executor is shut down, or the client closed.

        Blocks: until the scheduler has told how many threads there are.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a callable, got {fn!r}")
        refuse_on_progress(on_progress, "an executor on a cluster")
        check_size("chunksize", chunksize)
        check_size("buffersize", buffersize)
        end = None if timeout is None else monotonic() + check_seconds("timeout", timeout)
        if chunksize is None and self._options.timeout is not None:
            chunksize = 1
        return ClusterMap(self._cluster, self._options, fn, iterables, chunksize, buffersize).results(end)

    def statistics(self) -> ClusterStatistics:
        """Return a snapshot of the counts of this executor's tasks, and of the workers' pools.

        Raises:
            RuntimeError: the client is closed, or this is its event loop.

        Blocks: until the scheduler and all workers have answered.
        """
        return self._cluster.statistics()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks; those that were submitted are still done. Client and cluster stay.

        Args:
            wait: return only when they are done.
            cancel_futures: cancel the tasks that no worker has begun with.

        Blocks: with `wait`, until the last of them has ended; with `cancel_futures`, until the workers have told what
            they run. In a callback of one of its futures it blocks for neither, and cancels what runs too.
        """
        self._cluster.shutdown(wait, cancel_futures)

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt):
            self._cluster.cancel_all()
        self.shutdown()


class ClusterExecutor(_Face):
    """An executor whose tasks run in interpreters, in the worker processes of a cluster, on whatever machines.

    Workers get an InterpreterPlugin if they have none; register one before for other options than its defaults.

    Each `submit` is a run of its own: the same call twice runs twice. A task that was sent to a worker process which is
    then lost goes to another one, which may mean that it runs a second time: see `retries` in `options`.

    Thread safety: all methods may be called from several threads at once. Not after a fork.
    """

    def __init__(self, client: "Any") -> None:
        """Make an executor on a client of a cluster.

        Args:
            client: a `distributed.Client`, not an asynchronous one. It stays the caller's to close.

        Raises:
            TypeError: it is none.
            ImportError: the scheduler or a worker cannot import this package.

        Blocks: until the scheduler and all workers have answered.
        """
        self._cluster, self._options = Cluster(client), NO_OPTIONS

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._cluster!r}>"


class ClusterView(_Face):
    """A ClusterExecutor's tasks with options. Thread safety: all methods."""

    def __init__(self, cluster: Cluster, options: ClusterOptions) -> None:
        """Make a view; see `ClusterExecutor.options`."""
        self._cluster, self._options = cluster, options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} ({self._options!r}) on {self._cluster!r}>"
