"""What happens to all pools when the process exits or forks.

Owns the list of pools and the hooks; must not know what a pool is beyond the methods it calls.
"""

import atexit
import itertools
import os
import sys
import threading
from weakref import WeakValueDictionary

import interp_api
from interp_pool._exit import end_without_the_stuck, forget_stuck, limit_exit, was_interrupted
from interp_pool._timer import timer
from interp_pool._warm import close_idle, reserve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._pool import InterpreterPool

_pools: "WeakValueDictionary[int, InterpreterPool]" = WeakValueDictionary()
_next_pool = itertools.count().__next__
_exiting = False
_has_finished = False


def register(pool: "InterpreterPool") -> None:
    """Have a pool shut down at exit and prepared for forks, for as long as it lives."""
    _pools[_next_pool()] = pool


def all_pools() -> "list[InterpreterPool]":
    """Return the pools of this process."""
    # One C call makes the list: other threads may make pools meanwhile.
    return [pool for reference in _pools.valuerefs() if (pool := reference()) is not None]


def is_exiting() -> bool:
    """Return whether the interpreter has begun to exit."""
    return _exiting


def _at_exit() -> None:
    """Finish the work of pools that nobody shut down, before the interpreter waits for their threads."""
    global _exiting, _has_finished
    _exiting = True
    try:
        _finish_pools(is_interrupted=was_interrupted())
    except BaseException:  # Ctrl-C, or another signal: the runtime must not go on beside running interpreters
        _finish_pools(is_interrupted=True)
        raise
    finally:
        _has_finished = True
        timer.end()
        reserve.end()
        end_without_the_stuck()


def _at_exit_again() -> None:
    """The same a little later, if Ctrl-C struck the interpreter's own exit before it came to that."""
    if not _has_finished:
        _finish_pools(is_interrupted=True)
        _at_exit()


def _finish_pools(*, is_interrupted: bool) -> None:
    for pool in all_pools():
        pool.shutdown(wait=False)
        limit_exit(pool)
    if is_interrupted:
        _stop_all_pools()
    for pool in all_pools():
        pool.shutdown()


def _stop_all_pools() -> None:
    for pool in all_pools():
        pool.stop_at_once()


def _before_fork() -> None:
    for pool in all_pools():
        pool.before_fork()
    timer.pause()
    close_idle()


def _after_fork_in_parent() -> None:
    timer.resume()
    for pool in all_pools():
        pool.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for pool in all_pools():
        pool.after_fork_in_child()
    forget_stuck()
    timer.after_fork_in_child()
    reserve.after_fork_in_child()


interp_api.before_tracing(close_idle)
# The standard library's executors use the same hook: atexit's run too late, after the wait for the threads.
atexit.register(_at_exit_again)
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]  # private, but theirs since 3.9
if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
