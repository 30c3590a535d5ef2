"""What can be asked of one task: its limits, its rank and its name."""

from time import monotonic

from interp_pool._options.checks import (
    check_flag,
    check_int,
    check_limit,
    check_output_file,
    check_seconds,
    check_str,
)
from interp_pool._options.declared import Declared, option, unless_none
from interp_pool._wire.messages import PROFILED, TIMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from interp_pool._options.variables import Context


def check_variables(name: str, value: object) -> object:
    from interp_pool._options.variables import check_context  # only where there is one

    return check_context(name, value)


class TaskOptions(Declared):
    """The options of a task, checked."""

    timeout: float | None = option(
        default=None,
        check=check_limit,
        doc="""seconds a task may run, counted from when a worker has loaded it. Then it is interrupted, and its future
            gets a TimeoutError; 0.25 s later at the latest, also if the task does not stop: see `interrupt` of the
            future.""",
    )
    deadline: float | None = option(
        default=None,
        check=unless_none(check_seconds),
        doc="""a time on the clock of `time.monotonic()`. A task that is not done then gets a TimeoutError: if it runs
            it is interrupted, otherwise it is not started.""",
    )
    priority: int = option(
        default=0,
        check=check_int,
        doc="""an int; among tasks that wait, those with a higher one go first. Others get one turn in eight. Tasks that
            were already sent to the workers are not overtaken: one at least, and as many as take a few milliseconds if
            they take as long as those before.""",
    )
    name: str | None = option(
        default=None,
        check=unless_none(check_str),
        doc="what messages call the task, instead of its function's name.",
    )
    context: "Context | None" = option(
        default=None,
        check=unless_none(check_variables),
        doc="""context variables of the caller that the task has, too: a list of `contextvars.ContextVar`, each bound
            at the top level of a module, where the worker finds it; or "all" for those whose values can be pickled,
            and what is left out is logged once. The values are taken and pickled when the task is submitted, or the
            map called. decimal's context and the warning filters go along. None means what the executor says, and []
            nothing.""",
    )
    interrupt_on_cancel: bool | None = option(
        default=None,
        check=unless_none(check_flag),
        doc="""whether cancelling interrupts the task if it runs: `cancel()` of the future, also through the asyncio
            future that wraps it, and the cancelling of a coroutine in `run` or `amap`. None means that only the latter
            does.""",
    )
    profile: "str | PathLike[str] | None" = option(
        default=None,
        check=unless_none(check_output_file),
        doc="""a file for `pstats`: the task runs under cProfile, and what it has taken is in that file, with all other
            tasks of the process that name it. It is written when an executor is shut down, at the exit, and by
            `interp_pool.write_profiles()`; a file that was there is replaced. None means not to measure.""",
    )
    show_name: bool = option(
        default=False,
        check=check_flag,
        doc="""whether the worker's thread has the task's name while the task runs, for samplers: py-spy, and from
            CPython 3.14 on `perf` and `top -H`, too. Log records have it as their `threadName` then.""",
    )

    @property
    def flags(self) -> int:
        """Those of the messages of a map."""
        return (0 if self.timeout is None else TIMED) | (0 if self.profile is None else PROFILED)

    def is_too_late(self) -> bool:
        """Return whether a task with this deadline need not be started."""
        return self.deadline is not None and self.deadline <= monotonic()


NO_OPTIONS = TaskOptions()
