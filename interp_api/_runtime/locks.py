"""Taking a reentrant lock such that no exception of a signal handler leaves it locked.

Such exceptions strike where the interpreter looks for signals: after a call of C code, when a function begins, at a
backward jump. On CPython 3.14 that is also between the taking of a lock by `with` and the beginning of its block.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable
    from threading import Condition


def holding[R](lock: "RLock", step: "Callable[[], R]") -> R:
    """Take a step with a reentrant lock held, and leave it as it was, whatever strikes and however often."""
    if is_held_here(lock):  # a finalizer's or a signal handler's, run in the middle of a step
        return step()
    try:
        with lock:
            return step()
    except BaseException:
        # Nothing strikes between the raising and this call. `with` has released it, or not.
        try:
            lock.release()
        except RuntimeError:
            pass
        raise


def is_held_here(lock: "RLock | Condition") -> bool:
    """Return whether this thread holds a reentrant lock."""
    return lock._is_owned()  # type: ignore[union-attr,no-any-return]  # private, but theirs since 2.7


def free_in_child(lock: "RLock") -> None:
    """In a forked child: free a lock that a thread of the parent may have held, but not one that this thread holds."""
    if not is_held_here(lock):
        lock._at_fork_reinit()  # type: ignore[attr-defined]  # what `threading` and `logging` use for theirs
