"""The end of a process whose tasks do not end: bounded where the program has said so, and never silent.

Tasks that nobody has told to stop are waited for, as in the standard library: one that takes long and one that never
ends look the same. The exit tells which they are, and stops them when the pool's `exit_timeout` is up.

A thread cannot be ended from outside, and the runtime waits for all of them; 3.13 aborts when an interpreter is still
in use then. So where a task was told to stop and has not, the process does what its exit would have done, flushes its
output and ends.
"""

import atexit
import os
import signal
import sys
import threading
from functools import partial
from time import monotonic

import interp_api
from interp_pool._stopping import GRACE, Reason
from interp_pool._timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._pool import InterpreterPool
    from interp_pool._work import WorkItem

PATIENCE = 1.0  # seconds that the exit waits for abandoned workers; after Ctrl-C it does not
NOTICE = 10.0  # seconds after which the exit says what it waits for
_MOST_NAMES = 3

_stopped: "list[WorkItem]" = []  # what the exit began to stop
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


def limit_exit(pool: "InterpreterPool") -> None:
    """Before the exit waits for a pool: see to it that it tells for whom, and stops them in time. Never blocks."""
    if pool.is_closed:
        return
    if pool.exit_timeout is not None:
        timer.call_at(monotonic() + pool.exit_timeout, partial(_stop_tasks, pool))
    timer.call_at(monotonic() + NOTICE, partial(_name_tasks, pool))


def _stop_tasks(pool: "InterpreterPool") -> None:
    _stopped.extend(pool.stop_all(GRACE, Reason.EXIT))


def _was_stopped_by_exit(item: "WorkItem") -> bool:
    """Return whether a task has ended so: it may have been stopped before, have ended just then, or not have ended."""
    if item.control is None or item.control.reason is not Reason.EXIT:
        return False
    if item.future.cancelled():
        return True
    error = item.future.exception(0)
    return error is not None and getattr(error, "has_stopped", True)


def _name_tasks(pool: "InterpreterPool") -> None:
    names = pool.name_what_runs()
    if names:
        _warn("the process waits, at its exit, for %s; Ctrl-C stops that", _list(names))


def was_interrupted() -> bool:
    """Return whether the program ends because of Ctrl-C."""
    return isinstance(_last_error(), KeyboardInterrupt)


def end_without_the_stuck() -> None:
    """At exit, when everything else is done: return if no task is stuck, otherwise end the process.

    Blocks: until the program's other threads have ended, and for PATIENCE. A pool within a worker must not end the
    process: there it blocks until the tasks have ended.
    """
    is_nested = interp_api.get_current() != interp_api.get_main()
    until = monotonic() + (0.0 if was_interrupted() else PATIENCE)
    for thread in [*_stuck]:
        thread.join(None if is_nested else max(0.0, until - monotonic()))
    names = [name for thread, name in [*_stuck.items()] if thread.is_alive()]
    stopped = [item.name for item in _stopped if _was_stopped_by_exit(item)]
    if stopped:
        _warn("the exit has stopped %s: the exit timeout is up", _list(stopped))
    if not names:
        return
    for thread in threading.enumerate():
        if not thread.daemon and thread not in _stuck and thread is not threading.current_thread():
            thread.join()
    is_by_signal = was_interrupted() and os.name == "posix"
    how = "by SIGINT" if is_by_signal else "with status 1"
    _warn("the process ends, %s, although %s %s not stop", how, _list(names), "does" if len(names) == 1 else "do")
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


def _list(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _warn(text: str, *args: str) -> None:
    from logging import getLogger

    getLogger("concurrent.futures").warning(text, *args)


def _last_error() -> BaseException | None:
    """Return the exception the program ends with, if its traceback was printed."""
    return None if hasattr(sys, "ps1") else getattr(sys, "last_exc", None)
