"""What comes of what tasks report: their futures note it, and `on_progress` is called.

Owns what becomes of an `on_progress` that raises. Who reports, and how often, is `_worker.reporting`'s.
"""

from interp_pool._futures.progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._core.told import Told


def hear(told: "Told") -> None:
    """Note a report, in the order of the reports. Called by the manager, without the lock."""
    task = told.task
    if task is not None:  # otherwise it was given up: nobody waits for it
        task.future.note_progress((*told.body, task.name, told.worker))


class Listener:
    """Calls an `on_progress`, until that raises. Thread safety: as that of what it calls."""

    def __init__(self, on_progress: "Callable[[Progress], object]") -> None:
        """Prepare to call it.

        Raises:
            TypeError: it cannot be called.
        """
        if not callable(on_progress):
            raise TypeError(f"on_progress must be a callable or None, got {on_progress!r}")
        self._call: Callable[[Progress], object] | None = on_progress

    def __call__(self, progress: Progress) -> None:
        """Call it. What it raises is logged, and it is not called again."""
        if self._call is None:
            return
        try:
            self._call(progress)
        except Exception as exc:
            self._call = None
            from logging import getLogger

            text = "on_progress has raised an exception, and is not called again:"
            getLogger("concurrent.futures").error(text, exc_info=exc)
