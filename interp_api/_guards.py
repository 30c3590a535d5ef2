"""Guards against what the runtime does to a process with interpreters: one place for each.

- 3.13: what datetime and ctypes keep in C must be initialised by the main interpreter first, or two subinterpreters
  that use them at the same time corrupt the heap (gh-136421) or follow a null pointer.
- Creating interpreters is serialised: 3.13 initialises static types without locks (gh-129817 and others).
- A fork with a live interpreter kills the child (gh-139759): those of this package that are idle are closed before.
- An interpreter that is left at exit makes 3.13 hang if it has a thread, and 3.14+ warn (gh-128639, gh-141528).

Closing against running is `_gate`'s; removed queue items are `_unbound`'s; tracemalloc is `_tracing`'s.
"""

import atexit
import os
import sys
from _thread import RLock

from interp_api._cpython import (
    CURRENT_ID,
    STATICS_FIRST_IN_MAIN,
    WHENCE_STDLIB,
    InterpreterError,
    interpreter_create,
    interpreter_destroy,
    interpreter_list,
    interpreter_whence,
    main_interpreter,
)
from interp_api._gate import Gate
from interp_api._tracing import check_tracing, guard_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

creating = RLock()
"""Held while an interpreter is being made: the runtime lists it before it can be entered without a crash.

Reentrant, because a signal handler may list interpreters meanwhile.
"""

_has_statics = False
_created: set[int] = set()  # by this interpreter, and perhaps closed since


def create_guarded() -> tuple[int, Gate]:
    """Create an interpreter in the only way this package does; return its id and its gate.

    Raises:
        InterpreterError: the runtime could not, or tracemalloc is tracing.
    """
    with creating:
        check_tracing("create an interpreter")
        guard_start(creating)
        if STATICS_FIRST_IN_MAIN and not _has_statics and main_interpreter()[0] == CURRENT_ID:
            _initialise_statics()  # before the first interpreter can
        id = interpreter_create()
        _created.add(id)
    return id, Gate(id, is_ours=True)


def _initialise_statics() -> None:
    global _has_statics
    _has_statics = True
    __import__("_datetime")
    try:
        simple: Any = __import__("_ctypes")._SimpleCData
    except ImportError:
        return  # Python was built without
    type("_Long", (simple,), {"_type_": "L"})  # the first type fills the table


def close_guarded(gate: Gate, id: int) -> None:
    """Destroy an interpreter.

    Raises:
        InterpreterError: it is running, or not one that may be destroyed.
        InterpreterNotFoundError: it was destroyed before.

    Blocks: until its threads have ended.
    """
    gate.close("interpreter running", interpreter_destroy, id)
    _created.discard(id)


def _close_leftovers() -> None:
    """At exit: destroy what was created here and is still there, waiting for its threads."""
    for id in sorted(_created):
        try:
            close_guarded(Gate(id), id)
        except InterpreterError:
            pass  # closed meanwhile, or a daemon thread is in it: the runtime's own exit has to cope
    _created.clear()


def _before_fork() -> None:
    closed = left = 0
    for id, whence in interpreter_list():
        if id == CURRENT_ID:
            continue
        try:
            if whence != WHENCE_STDLIB or not (gate := Gate(id)).is_ours:
                left += 1
                continue
            close_guarded(gate, id)
            closed += 1
        except InterpreterError:
            left += _exists(id)
    if closed or left:
        _warn_of_fork(closed, left)


def _exists(id: int) -> bool:
    try:
        interpreter_whence(id)
    except InterpreterError:
        return False
    return True


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
if sys.platform != "win32" and main_interpreter()[0] == CURRENT_ID:
    os.register_at_fork(before=_before_fork)
