"""What the program tells its workers when they ask, in the place of what a child process is given. For the manager."""

import os
import sys

from interp_api import QueueNotFoundError, SimpleQueue
from interp_pool._wire.refused import warn
from interp_pool._worker.parent import (
    AUTHKEY,
    FAULT_HANDLER,
    LOCATION,
    MAY_IGNORE_CTRL_C,
    TRACKER,
    TURN,
    WHOLE_PROGRAM,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _tracker() -> int | None:
    from multiprocessing.resource_tracker import getfd

    return getfd()


def _authkey() -> bytes:
    from multiprocessing.process import current_process

    return bytes(current_process().authkey)


def _turn() -> int:
    from interp_pool._worker.profiling import turn

    return turn()


def _enable_fault_handler() -> None:
    import faulthandler

    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)


def _nothing() -> None:
    """Whoever asks is heard; the manager notes what it says."""


def _is_text(place: "Any") -> bool:
    return type(place) is str


def _locate(name: str) -> tuple[str | None, tuple[str, ...] | None] | None:
    """Return the file of a module and the directories of its submodules; None if it has neither, or is none."""
    module: Any = sys.modules.get(name)
    file: Any = getattr(module, "__file__", None)
    places: Any = getattr(module, "__path__", None)
    locations: tuple[str, ...] | None = None if places is None else tuple(filter(_is_text, places))
    if _is_text(file) and os.path.isfile(file):
        return file, locations
    has_submodules = module is not None and any(other.startswith(f"{name}.") for other in [*sys.modules])
    return (None, locations or ()) if has_submodules else None


_warned: set[str] = set()  # calls


def _may_move(told: str, has_processes: bool) -> bool:
    """Return whether an initializer is to move to processes; otherwise warn, once for each call in the process."""
    call, route, caller = told.removeprefix(WHOLE_PROGRAM).split("|")
    if has_processes and caller == "initializer":
        return True
    if call not in _warned:
        _warned.add(call)
        remedy = 'fallback="process"' if caller == "initializer" else f'fallback="process", route=["{route}"]'
        warn(
            f"{call}() in {f'{caller} {route}()' if route else f'a {caller}'} changes the whole program, not the "
            f"worker alone, so other tasks may go wrong; to have it change a process of its own: {remedy}"
        )
    return False


_ANSWERS = {
    TRACKER: _tracker,
    AUTHKEY: _authkey,
    TURN: _turn,
    MAY_IGNORE_CTRL_C: _nothing,
    FAULT_HANDLER: _enable_fault_handler,
}


def answer(what: str, reply_id: int, *, has_processes: bool) -> None:
    """Put an answer into a queue, or why there is none.

    Args:
        what: is asked for: the tracker's descriptor, once it runs, say.
        reply_id: of the queue.
        has_processes: whether the pool falls back to processes.
    """
    content: tuple[bool, object]
    try:
        if what.startswith(LOCATION):
            content = True, _locate(what.removeprefix(LOCATION))
        elif what.startswith(WHOLE_PROGRAM):
            content = True, _may_move(what, has_processes)
        else:
            content = True, _ANSWERS[what]()
    except Exception as exc:
        content = False, f"{type(exc).__name__}: {exc}"
    try:
        SimpleQueue(reply_id).put(content)
    except QueueNotFoundError:
        pass  # who asked was struck meanwhile
