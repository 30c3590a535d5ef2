"""The exceptions of the executor and the pool."""

import sys
from pickle import PicklingError

from interp_api import NotShareableError, QueueFull

if sys.version_info >= (3, 14):
    from concurrent.futures.interpreter import BrokenInterpreterPool
else:
    from concurrent.futures.thread import BrokenThreadPool

    class BrokenInterpreterPool(BrokenThreadPool):
        """The pool cannot run tasks any more: its initializer failed, or its process was forked."""


def broken(text: str) -> BrokenInterpreterPool:
    """Return the error of a broken pool; a program that knows BrokenProcessPool can catch it as one, too."""
    base = getattr(sys.modules.get("concurrent.futures.process"), "BrokenProcessPool", None)
    if base is None:
        return BrokenInterpreterPool(text)
    if not _broken_process_pools:
        bases = BrokenInterpreterPool, base
        names = {name: getattr(BrokenInterpreterPool, name) for name in ("__module__", "__qualname__", "__doc__")}
        _broken_process_pools.append(type(BrokenInterpreterPool.__name__, bases, names | {"__reduce__": _reduced}))
    return _broken_process_pools[0](text)


_broken_process_pools: list[type[BrokenInterpreterPool]] = []  # the class, once it is needed


def _reduced(error: BrokenInterpreterPool) -> "tuple[object, ...]":
    """Pickle it as what another interpreter can import."""
    return BrokenInterpreterPool, error.args


class TaskPicklingError(NotShareableError, PicklingError):
    """A task cannot be sent to a worker, or not be unpickled there: its function or an argument is at fault."""


class ResultPicklingError(NotShareableError, PicklingError):
    """A task ran, but its result cannot be sent back, or not be unpickled here."""


class TaskImportError(ImportError, TaskPicklingError):
    """A task cannot be unpickled in a worker, because a module that it needs cannot be loaded there."""


class ResultImportError(ImportError, ResultPicklingError):
    """A task ran, but pickling its result needs a module that cannot be loaded in a worker."""


class WorkerLostError(RuntimeError):
    """The worker failed outside of the task's own code while it ran the task; whether the task took effect is open."""


__all__ = ["BrokenInterpreterPool", "QueueFull", "ResultPicklingError", "TaskPicklingError", "WorkerLostError"]
