"""What the program tells its workers when they ask, in the place of what a child process is given. For the manager."""

import os
import sys

from interp_api import QueueNotFoundError, SimpleQueue
from interp_pool._worker.parent import AUTHKEY, LOCATION, MAY_IGNORE_CTRL_C, TRACKER, TURN

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


_ANSWERS = {TRACKER: _tracker, AUTHKEY: _authkey, TURN: _turn, MAY_IGNORE_CTRL_C: _nothing}


def answer(what: str, reply_id: int) -> None:
    """Put an answer into a queue, or why there is none: the tracker's descriptor, once it runs, say."""
    content: tuple[bool, object]
    try:
        content = True, _locate(what.removeprefix(LOCATION)) if what.startswith(LOCATION) else _ANSWERS[what]()
    except Exception as exc:
        content = False, f"{type(exc).__name__}: {exc}"
    try:
        SimpleQueue(reply_id).put(content)
    except QueueNotFoundError:
        pass  # who asked was struck meanwhile
