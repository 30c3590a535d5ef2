"""InterpreterPlugin: gives each worker process of dask an executor of interpreters.

Owns when that executor is there, and that distributed's cancelling reaches it: a worker cannot stop a task that it
runs, and only notes that nobody wants it any more; this is told here.
"""

from interp_pool._dask import host
from interp_pool._dask.task_executor import TaskExecutor
from interp_pool._options.checks import check_count, check_flag
from interp_pool._options.pool_options import PoolArguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from interp_pool._core.statistics import Statistics

EXECUTOR = "interpreters"
"""What the executor is called in `dask.annotate(executor=...)`."""

_ENDED = ("closing", "closed", "failed")  # states of a worker


class InterpreterPlugin(host.WorkerPlugin):  # type: ignore[misc]  # distributed has no types here
    """A WorkerPlugin that adds an executor "interpreters" to each worker process of a cluster.

    Register it with `client.register_plugin(InterpreterPlugin())`, or start workers with
    `dask worker ... --preload interp_pool.dask`. Then `with dask.annotate(executor="interpreters")` sends tasks there;
    `timeout=` beside it bounds the seconds that each may run. A task that is cancelled stops while it runs.

    Another one takes the place of the one before; tasks that run there are still done.

    Thread safety: none is needed; a worker calls it in its event loop.

    Source: `distributed.diagnostics.plugin.WorkerPlugin`.
    """

    name = "interp_pool"

    def __init__(
        self,
        nthreads: int | None = None,
        fallback: "Literal['thread'] | None" = "thread",
        default: bool = False,
        **options: "Any",
    ) -> None:
        """Make the plugin.

        Args:
            nthreads: most interpreters in a worker process; None means as many as it has threads.
            fallback: "thread": a task that no interpreter can load, or that cannot be pickled, runs on the worker's own
                threads, as without this plugin; None: it fails.
            default: whether tasks without an annotation go to interpreters too.
            **options: `initializer`, `route` and others that an InterpreterPoolExecutor takes.

        Raises:
            TypeError: an argument has the wrong type, or there is no such option.
            ValueError: a number is out of range, or there is no such fallback.
        """
        if nthreads is not None:
            check_count("nthreads", nthreads)
        if fallback not in ("thread", None):
            raise ValueError(f"fallback must be 'thread' or None, got {fallback!r}")
        check_flag("default", default)
        for name in ("max_workers", "pool"):
            if name in options:
                raise TypeError(f"{name} cannot be given here: nthreads says how many interpreters a worker has")
        PoolArguments(**options)
        self.nthreads, self.fallback, self.default, self.options = nthreads, fallback, default, options
        self._executor: TaskExecutor | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} nthreads={self.nthreads}, fallback={self.fallback!r}, default={self.default}>"

    def setup(self, worker: "Any") -> None:
        """Add the executor. Called by the worker.

        Raises:
            RuntimeError: the worker has another executor of that name.
        """
        there = worker.executors.get(EXECUTOR)
        if there is not None and not isinstance(there, TaskExecutor):
            raise RuntimeError(
                f"the worker has an executor {EXECUTOR!r} already, which is {there!r}: name it otherwise"
            )
        threads = worker.executors["default"]
        if isinstance(threads, TaskExecutor):
            threads = threads.threads
        self._executor = TaskExecutor(
            worker, threads, self.nthreads or worker.state.nthreads, self.fallback, self.options
        )
        worker.executors[EXECUTOR] = self._executor
        if self.default:
            worker.executors["default"] = self._executor

    def teardown(self, worker: "Any") -> None:
        """Remove the executor; when the worker closes what runs is stopped. Called by the worker.

        Nothing is waited for: distributed's closing may be cancelled wherever it waits, and then never ends.
        """
        executor, self._executor = self._executor, None
        if executor is None:
            return
        if worker.executors.get("default") is executor:
            worker.executors["default"] = executor.threads
        if worker.executors.get(EXECUTOR) is executor:
            del worker.executors[EXECUTOR]
        if worker.status.name in _ENDED:
            executor.terminate()
        else:
            executor.shutdown(wait=False)

    def transition(self, key: "Any", start: str, finish: str, **_: "Any") -> None:
        """Stop a task that runs and is released. Called by the worker."""
        if finish == "released" and start in ("executing", "long-running", "resumed") and self._executor is not None:
            self._executor.interrupt(key)


class ClusterPlugin(host.WorkerPlugin):  # type: ignore[misc]  # as above
    """Sees to it that there is an InterpreterPlugin, with whatever options."""

    name = "interp_pool-cluster"
    idempotent = True

    async def setup(self, worker: "Any") -> None:
        """Add one if there is none. Called by the worker."""
        if EXECUTOR not in worker.executors:
            await worker.plugin_add(InterpreterPlugin(), catch_errors=False)


def executor_statistics(dask_worker: "Any") -> "Statistics | None":
    """Return the counts of a worker's pool, None if it has none. Runs in the worker's event loop."""
    executor = dask_worker.executors.get(EXECUTOR)
    return executor.statistics() if isinstance(executor, TaskExecutor) else None


def running_keys(dask_worker: "Any") -> "list[Any]":
    """Return the keys of the tasks that a worker runs. Runs in its event loop."""
    return [task.key for task in dask_worker.state.executing]


async def dask_setup(worker: "Any") -> None:
    """Add an InterpreterPlugin to a worker that was started with `--preload interp_pool.dask`.

    Its arguments come from dask's configuration, `interp-pool: {nthreads: 2, default: true}` say, or from the
    environment, `DASK_INTERP_POOL__DEFAULT=true`.

    Args:
        worker: that distributed has just started.

    Raises:
        TypeError: it is no worker, or an argument in the configuration is wrong.
        ValueError: a number in the configuration is out of range.
    """
    if not isinstance(worker, host.Worker):
        raise TypeError(f"--preload interp_pool.dask is for `dask worker` alone, got {type(worker).__name__}")
    given = {name.replace("-", "_"): value for name, value in host.config.get("interp-pool", {}).items()}
    await worker.plugin_add(InterpreterPlugin(**given), catch_errors=False)


async def dask_teardown(worker: "Any") -> None:
    """Remove the plugin that `dask_setup` has added, if it is still there."""
    if InterpreterPlugin.name in getattr(worker, "plugins", ()):
        await worker.plugin_remove(InterpreterPlugin.name)
