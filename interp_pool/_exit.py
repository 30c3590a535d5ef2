"""The end of a process that has workers whose task does not stop: bounded, and said.

A thread cannot be ended from outside, and the runtime waits for all of them; 3.13 aborts when an interpreter is still
in use then. So where a task was told to stop and has not, the process does what its exit would have done, flushes its
output and ends. Tasks that nobody has told to stop are waited for, as in the standard library.
"""

import atexit
import os
import signal
import sys
import threading
from time import monotonic

import interp_api

PATIENCE = 1.0  # seconds that the exit waits for abandoned workers; after Ctrl-C it does not

_stuck: "dict[threading.Thread, str]" = {}  # abandoned workers; the name of the task


def note_stuck(thread: threading.Thread, name: str) -> None:
    """Remember a worker whose task does not stop."""
    for other in [*_stuck]:
        if not other.is_alive():
            _stuck.pop(other, None)
    _stuck[thread] = name


def forget_stuck(thread: threading.Thread | None = None) -> None:
    """Forget a worker whose task has stopped at last; after a fork all of them: they are the parent's."""
    if thread is None:
        _stuck.clear()
    else:
        _stuck.pop(thread, None)


def was_interrupted() -> bool:
    """Return whether the program ends because of Ctrl-C."""
    return isinstance(_last_error(), KeyboardInterrupt)


def end_without_the_stuck() -> None:
    """At exit, when everything else is done: return if no task is stuck, otherwise end the process.

    Blocks: until the program's other threads have ended, and for PATIENCE. A pool within a worker must not end the
    process: there it blocks until the tasks have ended.
    """
    if interp_api.get_current() != interp_api.get_main():
        for thread in [*_stuck]:
            thread.join()
        return
    until = monotonic() + (0.0 if was_interrupted() else PATIENCE)
    for thread in [*_stuck]:
        thread.join(max(0.0, until - monotonic()))
    names = [name for thread, name in [*_stuck.items()] if thread.is_alive()]
    if not names:
        return
    for thread in threading.enumerate():
        if not thread.daemon and thread not in _stuck and thread is not threading.current_thread():
            thread.join()
    from logging import getLogger

    is_by_signal = was_interrupted() and os.name == "posix"
    how = "by SIGINT" if is_by_signal else "with status 1"
    what = f"{names[0]} does" if len(names) == 1 else f"{', '.join(names)} do"
    getLogger("concurrent.futures").warning("the process ends, %s, although %s not stop", how, what)
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # what would come next
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or it is closed
    if is_by_signal:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(1)  # what the program has given to sys.exit() cannot be known; and work was left behind


def _last_error() -> BaseException | None:
    """Return the exception the program ends with, if its traceback was printed."""
    return None if hasattr(sys, "ps1") else getattr(sys, "last_exc", None)
