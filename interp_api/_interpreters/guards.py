"""Guards against what the runtime does to a process with interpreters: one place for each.

- 3.13: what datetime and ctypes keep in C must be initialised by the main interpreter first, or two subinterpreters
  that use them at the same time corrupt the heap (gh-136421) or follow a null pointer.
- 3.13.0 to 3.13.4 may count the users of queues wrongly, and then free all queues when a worker ends (gh-125716): the
  main interpreter adds users that never leave.
- A fork with a live interpreter kills the child (gh-139759): those of this package that are idle are closed before, and
  none is made meanwhile.
- An interpreter that ends while a thread is in it ends the process ("not the last thread") or crashes (gh-128639). It
  waits for the threads of `threading` alone, and only while that module is in `sys.modules`: so each has to wait for
  all of them.
- An interpreter that is left at exit makes 3.13 hang if it has a thread, and 3.14+ warn (gh-128639, gh-141528).

Closing against running is `_interpreters.entry_lock`'s, and against listing `_interpreters.alive`'s; making against
all these is `_interpreters.making`'s; removed queue items are `_queues.unbound`'s; tracemalloc is
`_interpreters.tracing`'s.
"""

import _codecs
import atexit
import os
import sys
from _thread import RLock

from interp_api._interpreters.alive import end, list_interpreters
from interp_api._interpreters.entry_lock import EntryLock
from interp_api._interpreters.making import created, make, settle, stop
from interp_api._interpreters.making import creating as creating  # noqa: PLC0414  # public here: see the end
from interp_api._interpreters.tracing import check_tracing, guard_start
from interp_api._runtime.cpython import (
    CURRENT_ID,
    IS_MAIN_INTERPRETER,
    SPARE_QUEUE_USERS,
    STATICS_FIRST_IN_MAIN,
    WHENCE_STDLIB,
    InterpreterError,
    interpreter_destroy,
    load_queues_again,
    script_runner,
)
from interp_api._runtime.light_imports import partial
from interp_api._runtime.locks import holding, is_held_here
from interp_api._wakeup.seats import is_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

closing = RLock()
"""Held while a fork closes interpreters: who is refused by one of them can wait for what comes of that."""

# Run in each new interpreter. No thread is a daemon from now on, so each is among those that `_shutdown` waits for,
# also if it has not begun. That is registered before any other exit function, and so called as the last one: they may
# still end threads. The functions have a namespace of their own: they would keep the `__main__` from going first.
_WAIT_AT_END = compile(
    """(lambda made: type(made)(made.__code__, {}))(lambda threads, partial, register: (
    register(threads._shutdown),
    setattr(threads, "start_joinable_thread", lambda function, handle=None, daemon=False, *, start=
        threads.start_joinable_thread: start(function, handle=handle, daemon=False)),
    setattr(threads, "start_new_thread", lambda function, args, kwargs={}, /, *, start=threads.start_joinable_thread:
        start(partial(function, *args, **kwargs)).ident),
    setattr(threads, "start_new", threads.start_new_thread),
))(__import__("_thread"), __import__("_functools").partial, __import__("atexit").register)""",
    "<interp_api>",
    "exec",
)

_has_statics = False
_held: list[bool] = []  # one entry while `creating` is held for a fork; guarded by that


def create_guarded(made: list[int], *, gives_away: bool) -> None:
    """Make an interpreter in the only way this package does; for the arguments see `making.make`.

    Raises:
        InterpreterError: the runtime could not, or tracemalloc is tracing.
    """
    check_tracing("create an interpreter")
    guard_start(_settled)
    if STATICS_FIRST_IN_MAIN and not _has_statics and IS_MAIN_INTERPRETER:
        _initialise_statics()  # before the first interpreter can
    make(made, script_runner(_WAIT_AT_END), gives_away=gives_away)


def _settled[R](step: "Callable[[], R]") -> R:
    """Take a step while no interpreter is made, and all that were are listed."""

    def settle_first() -> R:
        settle()
        return step()

    return holding(creating, settle_first)


def _initialise_statics() -> None:
    global _has_statics
    if SPARE_QUEUE_USERS:
        users: Any = [load_queues_again() for _ in range(SPARE_QUEUE_USERS)]
        # This registry is the last to go when the process ends: what uses a queue in its `__del__` has done so by then.
        _codecs.register_error("interp_api.queues", users.append)
    __import__("_datetime")
    _fill_table_of_ctypes()
    _has_statics = True  # only now: an exception of a signal handler may have struck


def _fill_table_of_ctypes() -> None:
    try:
        simple: Any = __import__("_ctypes")._SimpleCData
    except ImportError:
        return  # Python was built without
    type("_Long", (simple,), {"_type_": "L"})  # the first type fills the table


def close_guarded(lock: EntryLock, id: int) -> None:
    """Destroy an interpreter.

    Raises:
        InterpreterError: it is running, or not one that may be destroyed.
        InterpreterNotFoundError: it was destroyed before.

    Blocks: until its threads have ended.
    """
    lock.run("interpreter running", end, interpreter_destroy, id)
    lock.unclaim()
    created.discard(id)


def _close_leftovers() -> None:
    """At exit: destroy what was created here and is still there, waiting for its threads."""
    stop()
    for id in sorted(created):
        try:
            close_guarded(EntryLock(id), id)
        except InterpreterError:
            pass  # closed meanwhile, or a daemon thread is in it: the runtime's own exit has to cope
    created.clear()


def _before_fork() -> None:
    """Close what is idle, unless something runs: then the child is lost, and closing would only cost the parent."""
    idle, left = _settled(_look)
    closed = 0
    if not left:
        closed, left = _close(idle)  # which may wait for threads inside, and so not while nothing can be created
    _held.extend(map(creating.acquire, (True,)))  # until after the fork
    if not left:
        idle, left = _settled(_look)
        if not left:  # what was made meanwhile is young
            more, left = _close(idle)
            closed += more
    if closed or left:
        _warn_of_fork(closed, left)


def _look() -> tuple[list[tuple[int, EntryLock]], int]:
    """Return the interpreters that can be closed, and how many others there are, beside this one."""
    idle: list[tuple[int, EntryLock]] = []
    left = 0
    for id, whence in list_interpreters():
        if id == CURRENT_ID:
            continue
        try:
            if whence == WHENCE_STDLIB and (lock := EntryLock(id)).is_ours and lock.is_free:
                idle.append((id, lock))
            else:
                left += 1
        except InterpreterError:
            left += not is_ended(id)
    return idle, left


def _close(idle: list[tuple[int, EntryLock]]) -> tuple[int, int]:
    """Return how many could be closed, and how many are there still."""
    return holding(closing, partial(_close_all, idle))


def _close_all(idle: list[tuple[int, EntryLock]]) -> tuple[int, int]:
    closed = left = 0
    for id, lock in idle:
        try:
            close_guarded(lock, id)
            closed += 1
        except InterpreterError:
            left += not is_ended(id)
    return closed, left


def _after_fork() -> None:
    """In parent and child alike: the lock belongs to the thread that forked, which goes on in both."""
    if _held and is_held_here(creating):  # the way there may have been struck
        _held.pop()
        creating.release()


def _warn_of_fork(closed: int, left: int) -> None:
    import warnings

    if closed:
        warnings.warn(
            f"closed {closed} idle interpreter(s) before fork(): they would have killed the child process",
            RuntimeWarning,
            stacklevel=3,
        )
    if left:
        warnings.warn(
            f"fork() with {left} running interpreter(s): the child process will be killed by the runtime "
            "(gh-139759); wait for the tasks first, or use the spawn or forkserver start method",
            RuntimeWarning,
            stacklevel=3,
        )


atexit.register(_close_leftovers)
if sys.platform != "win32" and IS_MAIN_INTERPRETER:
    from interp_api._wakeup.fork import renew_in_child

    renew_in_child(closing)
    # Hooks before a fork run in the reverse order: who has `creating` from here registers its own after this one.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
