"""What can be asked of one task on a cluster: its limits, its rank, its name, and how many workers it may lose."""

from time import monotonic

from interp_pool._options.checks import check_count, check_int, check_limit, check_seconds, check_str
from interp_pool._options.declared import Declared, option, unless_none

RETRIES = 3  # what distributed's setting `allowed-failures` is


def _check_retries(name: str, value: object) -> int:
    return check_count(name, value, least=0)


class ClusterOptions(Declared):
    """The options of a task on a cluster, checked."""

    timeout: float | None = option(
        default=None,
        check=check_limit,
        doc="""seconds a task may run, counted in its worker from when it begins. Then it is interrupted, and its future
            gets a TimeoutError; 0.25 s later at the latest, also if it does not stop.""",
    )
    deadline: float | None = option(
        default=None,
        check=unless_none(check_seconds),
        doc="""a time on this machine's clock of `time.monotonic()`. The future of a task that is not done then gets a
            TimeoutError, and the task is cancelled, or stopped if it runs.""",
    )
    priority: int = option(
        default=0,
        check=check_int,
        doc="an int; among tasks that wait in the scheduler or in a worker, those with a higher one go first.",
    )
    retries: int = option(
        default=RETRIES,
        check=_check_retries,
        doc="""how often a task is sent to another worker because the process it was sent to was lost, whether it had
            begun there or not; then its future gets a WorkerLostError. An exception of the task itself is never
            retried.""",
    )
    name: str | None = option(
        default=None,
        check=unless_none(check_str),
        doc="what messages and dask's dashboard call the task, instead of its function's name.",
    )

    def seconds_left(self) -> float | None:
        """Return the seconds until the deadline, None if there is none."""
        return None if self.deadline is None else self.deadline - monotonic()


NO_OPTIONS = ClusterOptions()
