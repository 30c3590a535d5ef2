"""How long tasks waited and ran, and how long pickling their results took, for the histograms of a pool.

Owns who notes it, in a pool that is to have histograms: what takes its tasks, and its pump. Other pools have the plain
ones, so that their tasks cost no more for it: not a look whether there are any.

    submit     the time is noted in the task, and a flag that asks its worker for more
    worker     sends, with the outcome, when it called the function, and what running and pickling took
    pump       adds that to the histograms, when it strikes the task off

What no worker has told is in none: of a task that was cancelled or lost, or stopped before it began or after its
function had returned. The task of a worker that is abandoned has run until then.
"""

from time import monotonic_ns

from interp_pool._core.histogram import Meters
from interp_pool._pool.pump import Pump
from interp_pool._wire.messages import METERED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._pool.kernel import Kernel
    from interp_pool._wire.messages import Metered
    from interp_pool._workers.handle import Worker


def pump_of(kernel: "Kernel") -> Pump:
    """Return a pump, one that notes times if the pool is to have histograms."""
    return MeteringPump(kernel) if kernel.options.is_metered else Pump(kernel)


def submit_of(kernel: "Kernel", submit: "Callable[..., bool]") -> "Callable[..., bool]":
    """Return what takes tasks, and notes when, if the pool is to have histograms."""
    return MeteringIntake(submit).submit if kernel.options.is_metered else submit


class MeteringIntake:
    """Notes when tasks are taken. Thread safety: all methods."""

    __slots__ = ("_submit",)

    def __init__(self, submit: "Callable[..., bool]") -> None:
        self._submit = submit

    def submit(self, item: "Task", *, is_taken: bool = False, waiter: "Any" = None) -> bool:
        """Take a task; see `Intake.submit`."""
        item.submitted = monotonic_ns()
        item.flags |= METERED
        return self._submit(item, is_taken=is_taken, waiter=waiter)


class MeteringPump(Pump):
    """A pump that notes times. Thread safety: all methods."""

    __slots__ = ()

    def account(
        self, item: "Task", kind: int, body: "Any", seconds: "Any", *, is_fed: bool = False, is_again: bool = False
    ) -> None:
        """Count a task as finished, or a part of it as come, and note its times. Called with the lock held."""
        metered = _metered(seconds)
        if metered is not None:
            seconds, began, encoding = metered
            meters, count = _meters_of(self._kernel), item.count or 1
            meters.run.add(seconds / count, count)
            meters.wait.add((began - item.submitted) / 1e9)
            meters.encode.add(encoding)
        super().account(item, kind, body, seconds, is_fed=is_fed, is_again=is_again)


def note_abandoned(kernel: "Kernel", worker: "Worker") -> None:
    """Note how long the task of a worker that is given up has run. Called with the lock held."""
    seconds = worker.seconds_running
    if kernel.options.is_metered and seconds is not None:
        _meters_of(kernel).run.add(seconds)


def _meters_of(kernel: "Kernel") -> Meters:
    """Return what a pool notes times in; in a forked child it has to begin anew."""
    tasks = kernel.tasks
    if tasks.meters is None:
        tasks.meters = Meters()
    return tasks.meters


def _metered(seconds: "Any") -> "Metered | None":
    """Return what a message of a task tells instead of the seconds; None if it tells these, as some do."""
    told: Any = seconds
    return told if isinstance(seconds, tuple) else None
