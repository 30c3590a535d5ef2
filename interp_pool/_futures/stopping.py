"""Why a task is being stopped, how far that has come, and what its future gets for it.

Owns the words and errors of interrupts, timeouts and deadlines. It must not know workers or queues.
"""

from enum import Enum

from interp_pool._options.task_options import NO_OPTIONS, TaskOptions
from interp_pool._wire.interrupted import TaskInterrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._process.timer import Call


GRACE = 0.25  # seconds a task has to stop before its worker is abandoned; pure Python takes 5 ms


class Reason(Enum):
    """Why a task is being stopped."""

    INTERRUPT = "it was interrupted"
    TIMEOUT = "its timeout has passed"
    DEADLINE = "its deadline has passed"
    TERMINATED = "its workers were terminated"
    EXIT = "the process ends"

    @property
    def is_timeout(self) -> bool:
        """Whether the future gets a TimeoutError."""
        return self in (Reason.TIMEOUT, Reason.DEADLINE)


class TaskControl:
    """What a pool remembers of a task with options, or of one that is being stopped. Guarded by the pool's lock."""

    __slots__ = ("alarm", "asked_at", "cpu_seconds", "options", "patience", "reason", "stop_by")

    def __init__(self, options: TaskOptions = NO_OPTIONS, reason: Reason | None = None) -> None:
        self.options = options
        self.alarm: Call | None = None  # the next look at it
        self.reason = reason  # once it is being stopped
        self.stop_by = 0.0  # on the monotonic clock: then its worker is abandoned
        self.patience = 0.0  # seconds more that it has if it had no chance to stop, on a busy machine
        self.asked_at: float | None = None  # when the worker that runs it was asked to stop it
        self.cpu_seconds = 0.0  # of that worker's thread, then

    def end(self) -> None:
        """Look at the task no more: it has ended."""
        if self.alarm is not None:
            self.alarm.cancel()

    def explain(self, name: str, error: BaseException) -> BaseException:
        """Return what the future gets for an error that a worker reports: TimeoutError, if it was stopped for that.

        Also where the task has answered the interrupt with an error of its own, which is then the cause.
        """
        if self.asked_at is None or self.reason is None or not self.reason.is_timeout:
            return error
        timed_out = self._time_out(name, "was stopped")
        timed_out.__cause__ = error
        return timed_out

    def error(self, name: str, what: str) -> BaseException:
        """Return what the future gets of a task that was not started, or does not stop."""
        assert self.reason is not None
        if self.reason.is_timeout:
            return self._time_out(name, what)
        error = TaskInterrupted(f"{name} {what}: {self.reason.value}")
        error.has_stopped = False
        return error

    def _time_out(self, name: str, what: str) -> TimeoutError:
        options = self.options
        if self.reason is Reason.TIMEOUT:
            return TimeoutError(f"{name} {what}: it ran longer than its timeout of {options.timeout:g} s")
        return TimeoutError(f"{name} {what}: it was not done by its deadline")
