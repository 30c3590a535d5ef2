"""An executor whose workers are interpreters: `concurrent.futures` without processes and with a GIL per worker.

The names are loaded when they are first used: a worker imports this package too, and needs none of them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._core.histogram import Histogram as Histogram
    from interp_pool._core.statistics import Statistics as Statistics
    from interp_pool._errors import BrokenInterpreterPool as BrokenInterpreterPool
    from interp_pool._errors import QueueFull as QueueFull
    from interp_pool._errors import ResultPicklingError as ResultPicklingError
    from interp_pool._errors import TaskPicklingError as TaskPicklingError
    from interp_pool._errors import WorkerLostError as WorkerLostError
    from interp_pool._executor.executor import InterpreterPoolExecutor as InterpreterPoolExecutor
    from interp_pool._executor.scipy_map import scipy_map as scipy_map
    from interp_pool._executor.tracked import progress as progress
    from interp_pool._futures.progress import Progress as Progress
    from interp_pool._futures.task_future import TaskFuture as TaskFuture
    from interp_pool._multiprocessing.pool import Pool as Pool
    from interp_pool._nested.face import current_executor as current_executor
    from interp_pool._pool.pool import InterpreterPool as InterpreterPool
    from interp_pool._pool.tracing import trace as trace
    from interp_pool._process.profiles import write_profiles as write_profiles
    from interp_pool._swap.patching import patch as patch
    from interp_pool._wire.interrupted import TaskInterrupted as TaskInterrupted
    from interp_pool._worker.reporting import report as report
    from interp_pool._workers.reserve import close_idle as close_idle
    from interp_pool._workers.warm_up import warm_up as warm_up

_MODULES = {
    "_errors": "BrokenInterpreterPool QueueFull ResultPicklingError TaskPicklingError WorkerLostError",
    "_executor.executor": "InterpreterPoolExecutor",
    "_executor.scipy_map": "scipy_map",
    "_multiprocessing.pool": "Pool",
    "_swap.patching": "patch",
    "_process.profiles": "write_profiles",
    "_futures.task_future": "TaskFuture",
    "_wire.interrupted": "TaskInterrupted",
    "_nested.face": "current_executor",
    "_pool.pool": "InterpreterPool",
    "_futures.progress": "Progress",
    "_worker.reporting": "report",
    "_executor.tracked": "progress",
    "_pool.tracing": "trace",
    "_core.histogram": "Histogram",
    "_core.statistics": "Statistics",
    "_workers.reserve": "close_idle",
    "_workers.warm_up": "warm_up",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]  # loaded when first used


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOME[name]}", fromlist=[name])  # importlib would be one more in every worker
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return __all__
