"""Whether a future's condition was left locked for ever, which nobody but its owner could undo.

The standard library's `wait` and `as_completed` take the conditions of all futures one by one. An exception of a signal
handler that strikes there leaves those it has taken locked, and whoever finishes such a future would wait for ever.

Owns how that is told from a condition that somebody is only slow to release. A lock cannot tell, but the stack of the
thread that has it can: no code of the standard library's futures, and none of ours, blocks while it holds a condition.
So whoever holds one on purpose has a frame of theirs that is not just waiting; everybody else has lost it. A thread
that waits for a future in a handler, which interrupted one who holds it, waits for who asks here: it counts as lost.
"""

import sys
import threading
from concurrent.futures import Future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

LOOK = 0.01  # seconds to wait for a condition between two looks at who has it

_HOLDERS = (sys.modules[Future.__module__].__file__, __file__.replace("left_locked", "lazy"))
_WAITERS = threading.__file__
_OWN_WAIT = __file__.replace("left_locked", "task_future"), "TaskFuture._wait"


def take(condition: threading.Condition, held: "list[bool]") -> bool:
    """Acquire a future's condition, and record that in the same step; return False if it was left locked.

    Args:
        condition: of the future.
        held: gets an item when it is acquired, by the same C call: an exception that strikes later finds it there.

    Blocks: while another thread uses it.
    """
    acquire = condition.acquire
    held.extend(filter(None, map(acquire, (True,), (LOOK,))))
    while not held:
        # Twice with a wait in between, in which one that was released and taken again in between would be ours.
        is_left = _is_left(condition)
        held.extend(filter(None, map(acquire, (True,), (LOOK,))))
        if not held and is_left and _is_left(condition):
            return False
    return True


def successor(condition: threading.Condition) -> threading.Condition:
    """Return what everybody uses in the place of a condition that was left locked: the same for all who ask."""
    made: threading.Condition = condition.__dict__.setdefault("_successor", threading.Condition())
    return made


def _is_left(condition: threading.Condition) -> bool:
    """Return whether the thread that holds a condition is not in code that will release it.

    One that is alive must be the main thread: signal handlers strike nowhere else. Its frame is asked for alone,
    because `sys._current_frames` walks the threads of other interpreters while these run.
    """
    from interp_pool._process.thread_state import frame_of, oldest_thread

    owner = repr(condition._lock).partition("owner=")[2].split(" ")[0]  # type: ignore[attr-defined]  # no public way
    if owner != str(threading.main_thread().ident):
        return owner not in ("0", *(str(thread.ident) for thread in threading.enumerate()))
    frame = frame_of(oldest_thread())
    inner: FrameType | None = None
    while frame is not None:
        code = frame.f_code
        if (code.co_filename, code.co_qualname) == _OWN_WAIT:
            return True
        if code.co_filename in _HOLDERS and (inner is None or inner.f_code.co_filename != _WAITERS):
            return False
        inner, frame = frame, frame.f_back
    return True
