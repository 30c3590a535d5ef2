"""Functions whose task's name the operating system shows as that of the thread; runs wherever a task does.

For samplers, which see threads and no tasks: py-spy, `perf`, `top -H`. CPython names threads since 3.14; nothing is
shown before. What Python calls the thread, as in log records, stays.
"""

import _thread
import sys
from functools import partial

from interp_api import portable
from interp_pool._wire.failures import without_outer_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _Partial = partial[Any]
else:
    _Partial = partial

_set_name: "Callable[[str], None] | None" = getattr(_thread, "set_name", None)


class Shown(_Partial):
    """A function that is shown while it runs. A partial, so that it goes by its function's name."""

    shown_as: str

    def __call__(self, /, *args: "Any", **kwargs: "Any") -> "Any":
        assert _set_name is not None
        before = _own_name()
        try:
            _set_name(self.shown_as)
            return self.func(*self.args, *args, **self.keywords, **kwargs)
        except BaseException as exc:
            without_outer_frame(exc)  # this one: the traceback is as without
            raise
        finally:
            _set_name(before)

    def __reduce__(self) -> "tuple[Any, ...]":
        return shown, (portable(self.func), self.shown_as)


def shown(function: "Callable[..., Any]", name: str) -> "Callable[..., Any]":
    """Return a function that does the same, and is shown wherever it is called, by whoever it is sent to.

    Where CPython cannot name threads, that is the function itself.

    Args:
        function: the user's.
        name: of its task; the system takes some 15 bytes of it.
    """
    if _set_name is None:
        return function
    made = Shown(function)
    own = {"shown_as": name, "__qualname__": getattr(function, "__qualname__", None) or type(function).__name__}
    made.__dict__.update(own)  # the latter is for messages
    return made


def _own_name() -> str:
    """Return what the system calls this thread."""
    if sys.platform == "linux":
        try:
            with open("/proc/thread-self/comm", encoding="utf-8", errors="replace") as file:
                return file.read().removesuffix("\n")
        except OSError:
            pass  # there is no /proc here
    import threading

    return threading.current_thread().name
