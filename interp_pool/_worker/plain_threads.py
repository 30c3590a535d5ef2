"""multiprocessing's daemon threads, which the runtime refuses in a worker, as threads like any other. Runs INSIDE.

They feed queues and serve pools. Each ends when its queue or pool is closed, or goes, or when a child process would
end: before its interpreter waits for its threads.
"""

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Thread(threading.Thread):
    """A thread that is no daemon, whatever it is told."""

    def __init__(self, *args: "Any", daemon: bool | None = None, **kwargs: "Any") -> None:  # noqa: ARG002  # see above
        super().__init__(*args, daemon=False, **kwargs)


class _Threading:
    """What a module has in the place of `threading`."""

    Thread = _Thread

    def __getattr__(self, name: str) -> "Any":
        return getattr(threading, name)


def _ignore(_thread: threading.Thread, _is_daemon: bool) -> None:  # as the setter of a property gets it
    """Leave it as it is."""


_is_registered = False
_never = property(lambda _thread: False, _ignore)
_Thread.daemon = _never  # type: ignore[assignment]  # as the standard library's


def _end() -> None:
    """Do what a child process does at its end, before it waits for threads."""
    sys.modules["multiprocessing.util"]._exit_function()
    # This thread is a foreign one here, which CPython 3.13.0 notes so that it fails when `threading` has gone.
    theirs: Any = threading
    theirs._thread_local_info.__dict__.pop("_track_dummy_thread_ref", None)


def prepare(module: "Any") -> None:
    """Let a module of multiprocessing start plain threads."""
    global _is_registered
    if not _is_registered:
        _is_registered = True
        theirs: Any = threading
        theirs._register_atexit(_end)
    if hasattr(module, "DummyProcess"):  # a class of threads
        module.DummyProcess.daemon = _never
    else:
        module.threading = _Threading()
