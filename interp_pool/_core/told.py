"""Something that a task has told while it ran, as its hearer gets it."""

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.task import Task


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a task has told."""

    body: "Any"
    worker: str
    """The name of its worker's thread, "" if that has gone."""
    task: "Task | None"
    """None if no task of the pool ran, or it was given up since: then nobody waits for it."""
    given_up: str | None = None
    """The name of the task that was given up."""

    @property
    def task_name(self) -> str | None:
        """What to call the task."""
        return None if self.task is None else self.task.name

    @property
    def plain_name(self) -> str | None:
        """The name of the task, also of one that was given up: its own, or that of its function."""
        return self.given_up if self.task is None else self.task.plain_name
