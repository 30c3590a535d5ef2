"""Records of tasks go to the loggers of the program: when that begins, and ends. Runs INSIDE a worker, or in a child.

Owns what a worker knows of the program's loggers, the newest of it. It is a watch, see `_worker.telling`. Nothing of
`logging` is imported before a task does so; then `_worker.forwarding` is begun.
"""

import sys
from marshal import loads

from interp_api import QueueError, SimpleQueue
from interp_pool._worker.parent import have_prepared, leave_unprepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    type Levels = tuple[int, int, bool, list[tuple[str, int, bool]]]
    """A number, higher in newer ones; what `logging.disable` was told; whether warnings are captured; and the name, the
    level and whether it is disabled, of loggers, the root's first."""

_levels: "Levels | None" = None
_show: "Any" = None  # what `warnings.showwarning` was


def begin(encoded: bytes) -> None:
    """Begin to forward records, or go on with other levels."""
    global _levels
    levels: Levels = loads(encoded)
    if _levels is not None and _levels[0] > levels[0]:
        return  # what the control thread was told came first
    _levels = levels
    have_prepared("logging", "logs")
    if levels[2]:
        _capture_warnings()


def follow(queue_id: int) -> None:
    """Go on with the levels in a queue. Called by the control thread."""
    from interp_pool._worker import telling

    try:
        telling.begin(((__name__, SimpleQueue(queue_id).get_nowait()),))
    except QueueError:
        pass  # there are newer ones by now


def prepare(_module: "ModuleType") -> None:
    """Have the loggers forward their records: `logging` is there."""
    from interp_pool._worker import forwarding, running

    running.name_this_thread()  # it has a name from now on, and records have it
    if _levels is not None:
        forwarding.begin(*_levels[1:])


def end() -> None:
    """Forward nothing any more."""
    global _levels
    _levels = None
    leave_unprepared("logging")
    forwarding: Any = sys.modules.get("interp_pool._worker.forwarding")
    if forwarding is not None:
        forwarding.end()


def _capture_warnings() -> None:
    """Have warnings logged, as `logging.captureWarnings` does; that is imported for the first one."""
    global _show
    import warnings

    if "logging" in sys.modules:
        _log_warnings()
    elif warnings.showwarning is not _log_warning:
        _show = warnings.showwarning
        warnings.showwarning = _log_warning  # type: ignore[assignment]  # it passes its arguments on


def _log_warnings() -> None:
    import logging

    logging.captureWarnings(capture=True)


def _log_warning(*args: "Any") -> None:
    import warnings

    if warnings.showwarning is _log_warning:
        warnings.showwarning = _show
        _log_warnings()
        warnings.showwarning(*args)
    else:
        _show(*args)
