"""What happens to this process's threads and interpreters when it forks or exits.

Owns the hooks, and in which order the parts of the package are asked. It must not know what these are: each registers
when it is loaded, and so after those it relies on. Before a fork and at the exit they are asked in the reverse order,
after a fork in the order itself.

One lock is held by the thread that forks until it has, which orders all locks: this one, then a pool's, then
`interp_api`'s.
"""

import atexit
import os
import sys
import threading

from interp_api import creating, free_in_child, is_held_here
from interp_pool._process.exit_status import note_exit
from interp_pool._process.stuck import end_without_the_stuck, forget_stuck, was_interrupted

PATIENCE = 5.0  # seconds that a fork waits for another one, and for each thread that has nothing to wait for


class Part:
    """Something with threads, interpreters or locks of its own. A part overrides what it needs."""

    @property
    def is_held_here(self) -> bool:
        """Whether this thread is in the middle of something of the part's, which its other threads need to end."""
        return False

    def pause(self, patience: float) -> bool:  # noqa: ARG002  # for those that override this
        """Before a fork: end the threads and interpreters, for a while.

        Args:
            patience: seconds to wait for a thread that has nothing to wait for.

        Returns:
            False if that cannot be; then the child is lost, and no other part has to pause.

        Blocks: until they have ended.
        """
        return True

    def resume(self) -> None:
        """After a fork, in the parent: go on. Doing so again does no harm, nor without having paused."""

    def after_fork_in_child(self) -> None:
        """Forget everything: the threads and interpreters are the parent's."""

    def finish(self, *, is_interrupted: bool) -> None:
        """At exit: do what was taken. Blocks until that is done.

        Args:
            is_interrupted: whether to stop it instead, for Ctrl-C. Perhaps called once more for that.
        """

    def end(self) -> None:
        """At exit, when all parts have finished: do nothing any more. Blocks until the threads have ended."""


_parts: list[Part] = []
_has_finished = False

_forking = threading.RLock()
_forks: list[bool] = []  # one entry for each fork that has it; more than one if a signal handler forks meanwhile


def register(part: Part) -> None:
    """Have a part asked, from now on."""
    _parts.append(part)


def _at_exit() -> None:
    """Finish what nobody shut down, before the interpreter waits for its threads."""
    global _has_finished
    if _has_finished:
        return
    note_exit()
    try:
        _finish(is_interrupted=was_interrupted())
    except BaseException:  # Ctrl-C, or another signal: the runtime must not go on beside running interpreters
        _finish(is_interrupted=True)
        raise
    finally:
        _has_finished = True
        for part in reversed(_parts):
            part.end()
        end_without_the_stuck()


def come_first() -> None:
    """Be asked, at the exit, before what was registered by others since this module was loaded."""
    threading._register_atexit(_at_exit)  # type: ignore[attr-defined]  # see below


def _at_exit_again() -> None:
    """The same a little later, if Ctrl-C struck the interpreter's own exit before it came to that."""
    if not _has_finished:
        _finish(is_interrupted=True)
        _at_exit()


def _finish(*, is_interrupted: bool) -> None:
    for part in reversed(_parts):
        part.finish(is_interrupted=is_interrupted)


def _before_fork() -> None:
    if is_held_here(creating) or any(part.is_held_here for part in _parts):
        return  # in a signal handler or a finalizer: nothing can be waited for; the child is lost if a worker is there
    _forks.extend(filter(None, map(_forking.acquire, (True,), (PATIENCE,))))
    if len(_forks) == 1 and _is_forking_here():
        all(part.pause(PATIENCE) for part in reversed(_parts))


def _is_forking_here() -> bool:
    return is_held_here(_forking)


def _after_fork_in_parent() -> None:
    if not _is_forking_here():
        return
    try:
        _resume()
    except BaseException:  # Ctrl-C: nobody else would do it
        _resume()
        raise
    finally:
        _forks.pop()
        _forking.release()


def _resume() -> None:
    if len(_forks) > 1:
        return
    for part in _parts:
        part.resume()


def _after_fork_in_child() -> None:
    if _is_forking_here():
        _forks.pop()
        _forking.release()
    else:
        _forks.clear()
        free_in_child(_forking)
    forget_stuck()
    for part in _parts:
        part.after_fork_in_child()


# The standard library's executors use the same hook: atexit's run too late, after the wait for the threads.
atexit.register(_at_exit_again)
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]  # private, but theirs since 3.9
if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
