"""Progress: what a task has reported of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task was when it last reported, or an item of a map."""

    done: float
    """How much of the work is done, in the task's own unit."""
    total: float | None = None
    """How much there is, None if the task has not said."""
    message: str | None = None
    """What it is at."""
    item: int | None = None
    """Of a map: which of its items, from 0; None if that is not known."""
    task_name: str = ""
    """What to call the task."""
    worker: str = ""
    """The name of its worker's thread, "" if that is not known."""

    @property
    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; None if the task has not said how much there is."""
        if self.total is None:
            return None
        return min(1.0, self.done / self.total) if self.total else 1.0
