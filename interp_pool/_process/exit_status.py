"""Whether the process exits, and with which status, for an exit that has to end the process itself.

Owns one callback of `sys.monitoring`, which sees SystemExit leave the outermost frame of the main thread: when the
hooks of the exit run, the runtime has the status in a variable of C, and the exception is gone. An exception that
nothing catches is in `sys.last_exc`; without either the program has come to its end, which is status 0.

The callback is there only from the moment on when it may be needed, because it takes some 0.1 us for each frame that an
exception leaves, in all threads. It uses one of the two tool numbers that no kind of tool is meant to have. If both are
taken, or the watch began when the exit had, the status is not known.
"""

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_TOOLS = (4, 3)  # 0, 1, 2 and 5 are those of debuggers, coverage, profilers and optimizers

_status: int | None = None  # of the last SystemExit that has left the main thread
_is_watching = False
_has_begun = False  # the exit
_is_known = False  # whether the watch had begun when the exit did


def watch_exit_status() -> None:
    """See with which status the program will end. Thread safety: any thread of the main interpreter."""
    global _is_watching
    if _is_watching:
        return
    monitoring = sys.monitoring
    unwind = monitoring.events.PY_UNWIND
    for tool in _TOOLS:
        try:
            monitoring.use_tool_id(tool, "interp_pool exit status")
        except ValueError:
            continue  # somebody else's
        _is_watching = True
        monitoring.register_callback(tool, unwind, _on_unwind)
        monitoring.set_events(tool, unwind)
        return


def note_exit() -> None:
    """The exit has begun: whatever ended the program has left the main thread."""
    global _has_begun, _is_known
    if not _has_begun:
        _has_begun, _is_known = True, _is_watching


def is_exiting() -> bool:
    """Return whether the exit has begun: nothing of the program's own can act on what happens now."""
    return _has_begun


def exit_status() -> int | None:
    """Return the program's status, None if it is not known."""
    if _status is not None:
        return _status
    if not hasattr(sys, "ps1") and hasattr(sys, "last_exc"):
        return 1
    return 0 if _is_known else None


def _on_unwind(_code: "CodeType", _offset: int, exc: BaseException) -> None:
    global _status
    if (
        isinstance(exc, SystemExit)
        and threading.current_thread() is threading.main_thread()
        and sys._getframe(1).f_back is None  # pyright: ignore[reportPrivateUsage]  # the frame that it leaves
    ):
        _status = _status_of(exc)


def _status_of(exc: SystemExit) -> int:
    """Return what the runtime makes of it."""
    try:
        code: object = exc.code
    except BaseException:
        return 1  # a property of the program's
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1  # a text, which it prints
    return code if -(1 << 31) <= code < 1 << 31 else -1
