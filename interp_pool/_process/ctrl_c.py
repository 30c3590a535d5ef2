"""Whether an exception comes of Ctrl-C.

Owns how that is told of an exception that is not KeyboardInterrupt itself: under `asyncio.run` the first Ctrl-C cancels
the main task, and only the end of `asyncio.run` raises KeyboardInterrupt; a nursery of Trio raises a group. Neither
library is imported for it.

What `asyncio.Runner` knows of Ctrl-C is told by no public name. The private ones are those of CPython 3.13 to 3.15.
"""

import signal
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def struck_by_ctrl_c(kind: type[BaseException], error: object = None) -> bool:
    """Return whether an exception of some kind comes of Ctrl-C."""
    if isinstance(error, BaseExceptionGroup):
        return _has_ctrl_c(error)
    return issubclass(kind, KeyboardInterrupt) or (kind.__name__ == "CancelledError" and is_cancelling())


def _has_ctrl_c(group: "Any") -> bool:
    return group.subgroup(KeyboardInterrupt) is not None


def is_cancelling() -> bool:
    """Return whether Ctrl-C has cancelled the main task of `asyncio.run`, which is about to end."""
    if "asyncio" not in sys.modules:
        return False
    handler: Any = signal.getsignal(signal.SIGINT)  # of a Runner: a partial of its method
    count = getattr(getattr(getattr(handler, "func", None), "__self__", None), "_interrupt_count", 0)
    if not count:
        return False
    main_task = handler.keywords.get("main_task")
    return main_task is None or main_task.cancelling() > 0  # otherwise the program goes on


def is_closing_after_ctrl_c() -> bool:
    """Return whether `asyncio.run` ends in the main thread, by Ctrl-C, and this is another one that helps it to.

    It shuts the loop's default executor down in a thread, where nobody is told of Ctrl-C any more.
    """
    runner: Any = getattr(sys.modules.get("asyncio"), "Runner", None)
    if runner is None or threading.current_thread() is threading.main_thread():
        return False
    from interp_pool._process.thread_state import frame_of, oldest_thread

    frame = frame_of(oldest_thread())  # the main thread's
    while frame is not None and frame.f_code is not runner.__exit__.__code__:
        frame = frame.f_back
    return frame is not None and frame.f_locals.get("exc_type") is KeyboardInterrupt
