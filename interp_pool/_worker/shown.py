"""Functions whose thread has the name of the task while they run; runs wherever a task does.

For samplers, which see threads and no tasks: py-spy shows what Python calls a thread, `perf` and `top -H` what the
system does, which CPython tells it since 3.14.
"""

import threading
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


class Shown(_Partial):
    """A function that is shown while it runs. A partial, so that it goes by its function's name."""

    shown_as: str

    def __call__(self, /, *args: "Any", **kwargs: "Any") -> "Any":
        thread = threading.current_thread()
        before = thread.name
        try:
            thread.name = self.shown_as
            return self.func(*self.args, *args, **self.keywords, **kwargs)
        except BaseException as exc:
            without_outer_frame(exc)  # this one: the traceback is as without
            raise
        finally:
            thread.name = before

    def __reduce__(self) -> "tuple[Any, ...]":
        return shown, (portable(self.func), self.shown_as)


def shown(function: "Callable[..., Any]", name: str) -> Shown:
    """Return a function that does the same, and is shown wherever it is called, by whoever it is sent to.

    Args:
        function: the user's.
        name: of its task; the system takes some 15 bytes of it.
    """
    made = Shown(function)
    own = {"shown_as": name, "__qualname__": getattr(function, "__qualname__", None) or type(function).__name__}
    made.__dict__.update(own)  # the latter is for messages
    return made
