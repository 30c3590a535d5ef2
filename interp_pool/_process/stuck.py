"""Threads that do not end although they were told to, and the end of a process that has some.

Owns which threads these are; it must not know whose they are.

A thread cannot be ended from outside, and the runtime waits for all of them; 3.13 aborts when an interpreter is still
in use then. So where one was told to stop and has not, the process does what its exit would have done, flushes its
output and ends: with the program's status, but with 1 in place of 0 if it was the exit's own limit that stopped a task,
for then work is lost that the program takes for done.
"""

import atexit
import os
import signal
import sys
import threading
from time import monotonic

from interp_api import IS_MAIN_INTERPRETER
from interp_pool._process.exit_status import exit_status, watch_exit_status

PATIENCE = 1.0  # seconds that the exit waits for these threads; after Ctrl-C it does not
_MOST_NAMES = 3

_stuck: "dict[threading.Thread, tuple[str, bool]]" = {}  # what it does not end with, whether the exit stops it


def note_stuck(thread: threading.Thread, name: str, *, is_by_exit: bool) -> None:
    """Remember a thread that does not end.

    Args:
        thread: a worker's.
        name: of its task, or what else it is.
        is_by_exit: whether the exit stops it, and not the program, which then knows.
    """
    for other in [*_stuck]:
        if not other.is_alive():
            _stuck.pop(other, None)
    _stuck[thread] = name, is_by_exit
    expect_stuck()


def expect_stuck() -> None:
    """Be ready to end the process with its own status: a task that is told to stop may not. Never blocks."""
    if IS_MAIN_INTERPRETER:
        watch_exit_status()


def forget_stuck(thread: threading.Thread | None = None) -> None:
    """Forget a thread that goes on after all; after a fork all of them: they are the parent's."""
    if thread is None:
        _stuck.clear()
    else:
        _stuck.pop(thread, None)


def was_interrupted() -> bool:
    """Return whether the program ends because of Ctrl-C."""
    return not hasattr(sys, "ps1") and isinstance(getattr(sys, "last_exc", None), KeyboardInterrupt)


def end_without_the_stuck() -> None:
    """At exit, when everything else is done: return if no thread is stuck, otherwise end the process.

    Blocks: until the program's other threads have ended, and for PATIENCE. A worker must not end the process: there it
    blocks until the stuck ones have ended.
    """
    until = monotonic() + (0.0 if was_interrupted() else PATIENCE)
    for thread in [*_stuck]:
        thread.join(max(0.0, until - monotonic()) if IS_MAIN_INTERPRETER else None)
    left = [told for thread, told in [*_stuck.items()] if thread.is_alive()]
    if not left:
        return
    for thread in threading.enumerate():
        if not thread.daemon and thread not in _stuck and thread is not threading.current_thread():
            thread.join()
    is_by_signal = was_interrupted() and os.name == "posix"
    status = exit_status()
    if status is None or (status == 0 and any(is_by_exit for _, is_by_exit in left)):
        status = 1  # it is not known; or the program ends as if all went well, and does not know of what is lost
    how = "by SIGINT" if is_by_signal else f"with status {status}"
    do = "does" if len(left) == 1 else "do"
    warn_of([name for name, _ in left], f"the process ends, {how}, although %s {do} not stop")
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # what would come next
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or it is closed
    if is_by_signal:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def warn_of(names: list[str], text: str) -> None:
    """Log a warning, with the first few names in place of its %s; nothing if there is none."""
    if names:
        from logging import getLogger

        more = len(names) - _MOST_NAMES
        told = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        getLogger("concurrent.futures").warning(text, told)
