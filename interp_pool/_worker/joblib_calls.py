"""A batch of joblib's as one task. Runs INSIDE a worker, or where the fallback runs it.

Owns that calls of `joblib.Parallel` inside a task are sequential: the workers are the parallelism. joblib itself sends
an object of its own with the batch, for which a worker would have to import joblib; this needs joblib only if the
task's own module has imported it.
"""

import sys

from interp_api import get_current, get_main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    type Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

_WITH_WORKERS = ("interpreters", "loky", "multiprocessing")  # backends that would start workers of their own
_is_interpreter = get_current() != get_main()  # and no process or thread of the fallback


def run_calls(calls: "list[Call]") -> "list[Any]":
    """Return the results of calls."""
    parallel: Any = sys.modules.get("joblib.parallel")
    if parallel is None or not hasattr(parallel, "register_parallel_backend"):  # another thread is importing it
        return [function(*args, **kwargs) for function, args, kwargs in calls]
    if _is_interpreter:
        for name in _WITH_WORKERS:
            parallel.BACKENDS[name] = parallel.SequentialBackend
    with parallel.parallel_config(parallel.SequentialBackend(nesting_level=1), n_jobs=1):
        return [function(*args, **kwargs) for function, args, kwargs in calls]
