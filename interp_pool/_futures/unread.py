"""Errors that nobody has asked for.

A future that goes before anybody asked for its exception takes that along, and the program never knows. So who gives it
one leaves a note with it. Asking takes the note away. A note that goes with its future is logged, as asyncio does for
its tasks: once for each function and text, where the standard library's executors log and so by default on stderr.
Notes that are left at the end of the program are logged then.
"""

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1000  # that are remembered

_told: dict[tuple[str, str], None] = {}
_left: dict[int, tuple[str, str]] = {}  # what the notes say, by their ids; each is taken out once


class Unread:
    """The note of an error that nobody has asked for yet."""

    __slots__ = ()

    def __init__(self, task: str, error: str) -> None:
        _left[id(self)] = task, error

    def take_away(self) -> None:
        """Somebody has asked for the error, or does not want to know."""
        _left.pop(id(self), None)

    def __del__(self) -> None:
        left = _left.pop(id(self), None)
        if left is not None:
            _tell(*left)


def note_unread(future: "Any", task: str, error: str) -> None:
    """Leave a note with a future: what the task was called, and one line on the error it ended with."""
    note_read(future)
    future.__dict__["_unread"] = Unread(task, error)


def note_read(future: "Any") -> None:
    """Take the note of a future away. Doing so again does no harm."""
    note: Unread | None = future.__dict__.pop("_unread", None)
    if note is not None:
        note.take_away()


def _tell(task: str, error: str) -> None:
    if (task, error) in _told:
        return
    if len(_told) >= _MOST:
        _told.clear()
    _told[task, error] = None
    from logging import getLogger

    getLogger("concurrent.futures").warning(
        "%s failed, and nobody asked for its result: %s (unread='ignore' keeps this quiet)", task, error
    )


def _tell_what_is_left() -> None:
    while _left:
        _tell(*_left.popitem()[1])
    # Who logs is asked for its name. In a worker that is a foreign thread, which CPython 3.13.0 notes so that it fails
    # when `threading` has gone.
    theirs: Any = sys.modules.get("threading")
    if theirs is not None:
        theirs._thread_local_info.__dict__.pop("_track_dummy_thread_ref", None)


atexit.register(_tell_what_is_left)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_left.clear)  # they are the parent's
