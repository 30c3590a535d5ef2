"""An executor whose workers are interpreters: `concurrent.futures` without processes and with a GIL per worker.

The names are loaded when they are first used: a worker imports this package too, and needs none of them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._errors import BrokenInterpreterPool as BrokenInterpreterPool
    from interp_pool._errors import QueueFull as QueueFull
    from interp_pool._errors import ResultPicklingError as ResultPicklingError
    from interp_pool._errors import TaskPicklingError as TaskPicklingError
    from interp_pool._errors import WorkerLostError as WorkerLostError
    from interp_pool._executor import InterpreterPoolExecutor as InterpreterPoolExecutor
    from interp_pool._future import TaskFuture as TaskFuture
    from interp_pool._interrupted import TaskInterrupted as TaskInterrupted
    from interp_pool._pool import InterpreterPool as InterpreterPool
    from interp_pool._statistics import Statistics as Statistics
    from interp_pool._warm import close_idle as close_idle
    from interp_pool._warm_up import warm_up as warm_up

_MODULES = {
    "_errors": "BrokenInterpreterPool QueueFull ResultPicklingError TaskPicklingError WorkerLostError",
    "_executor": "InterpreterPoolExecutor",
    "_future": "TaskFuture",
    "_interrupted": "TaskInterrupted",
    "_pool": "InterpreterPool",
    "_statistics": "Statistics",
    "_warm": "close_idle",
    "_warm_up": "warm_up",
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
