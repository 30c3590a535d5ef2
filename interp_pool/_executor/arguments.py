"""The arguments of an executor: those of a pool, or a pool, and what is there for other executors' sake."""

import sys

from interp_pool._options.declared import option
from interp_pool._options.pool_options import PoolArguments
from interp_pool._options.task_options import NO_OPTIONS, TaskOptions, check_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypedDict

    from interp_pool._futures.progress import Progress
    from interp_pool._options.variables import Context
    from interp_pool._pool.pool import InterpreterPool

    class MapArguments(TypedDict, total=False):
        """The keyword arguments of `map`, which documents them; for type checkers."""

        timeout: float | None
        chunksize: int | None
        buffersize: int | None
        on_progress: Callable[[Progress], object] | None


class ExecutorArguments(PoolArguments):
    """The arguments of an executor. Those of its own pool are checked by that."""

    pool: "InterpreterPool | None" = option(
        default=None,
        doc="""run the tasks in this pool instead of one of the executor's own; then none of the arguments above that
            describe workers may be given, and shutting the executor down leaves the pool open.""",
    )
    context: "Context | None" = option(
        default=None,
        doc="what tasks have of their callers' contexts, unless `options` says otherwise: see there.",
    )

    def complete(self) -> None:
        """Check how the arguments go together.

        Raises:
            TypeError: they do not, or the pool is none.
        """
        prefix: Any = self.thread_name_prefix
        if prefix is None or _is_context(prefix):
            self.__dict__["thread_name_prefix"] = ""  # by position, it is mp_context for a ProcessPoolExecutor
        if self.context is not None:
            self.__dict__["context"] = check_variables("context", self.context)
        pool: Any = self.pool
        if pool is None:
            return
        from interp_pool._pool.pool import InterpreterPool

        if not isinstance(pool, InterpreterPool):
            raise TypeError(f"pool must be an InterpreterPool, got {pool!r}")
        if self.of_pool().keys() - {"mp_context"}:  # which has no effect then
            raise TypeError("pool cannot be combined with arguments that describe workers: give them to the pool")

    def of_tasks(self) -> TaskOptions:
        """Return the options of tasks that are given none."""
        return NO_OPTIONS if self.context is None else NO_OPTIONS.replace({"context": self.context})

    def of_pool(self) -> "dict[str, Any]":
        """Return what was given for a pool of its own."""
        given = self.given()
        return {name: given[name] for name in PoolArguments.declared if name in given}


def _is_context(value: object) -> bool:
    """Return whether it is one of multiprocessing."""
    kind = getattr(sys.modules.get("multiprocessing.context"), "BaseContext", ())
    return isinstance(value, kind)
