"""The primitives of CPython's interpreters and queues, the same on every supported version.

The only importer of `_runtime.cpython_313` and `_runtime.cpython_314`, and with them of the runtime's private modules.
Everything here is imported by every worker, so it must not import anything that is not built in.
"""

import _interpqueues
import _interpreters
import sys
from _interpqueues import QueueError, QueueNotFoundError
from _interpqueues import bind as queue_bind
from _interpqueues import destroy as queue_destroy
from _interpqueues import get as queue_get
from _interpqueues import get_count as queue_count
from _interpqueues import get_maxsize as queue_maxsize
from _interpqueues import release as queue_release
from _interpreters import InterpreterError, InterpreterNotFoundError
from _interpreters import decref as interpreter_decref
from _interpreters import incref as interpreter_incref
from _interpreters import is_shareable as is_directly_shareable
from _interpreters import whence as interpreter_whence

from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import SimpleNamespace
    from typing import Any

if sys.version_info >= (3, 14):
    from interp_api._runtime.cpython_314 import (
        CLOSING_LEAKS,
        CREATES_IN_THREADS,
        SPARE_QUEUE_USERS,
        STATICS_FIRST_IN_MAIN,
        TRACEMALLOC_CRASHES,
        VIEWS_ARE_RELEASED,
        VIEWS_NEED,
        check_script,
        queue_append,
        queue_append_error,
        queue_creation,
        queue_put,
        queue_ref_type,
        register_queue_types,
    )
else:
    from interp_api._runtime.cpython_313 import (
        CLOSING_LEAKS,
        CREATES_IN_THREADS,
        SPARE_QUEUE_USERS,
        STATICS_FIRST_IN_MAIN,
        TRACEMALLOC_CRASHES,
        VIEWS_ARE_RELEASED,
        VIEWS_NEED,
        check_script,
        queue_append,
        queue_append_error,
        queue_creation,
        queue_put,
        queue_ref_type,
        register_queue_types,
    )

# What becomes of a queue item when the interpreter that put it dies (the runtime's numbers).
UNBOUND_OP_REMOVE = 1
UNBOUND_OP_ERROR = 2
UNBOUND_OP_REPLACE = 3

WHENCE_NAMES = {
    _interpreters.WHENCE_UNKNOWN: "unknown",
    _interpreters.WHENCE_RUNTIME: "runtime init",
    _interpreters.WHENCE_LEGACY_CAPI: "legacy C-API",
    _interpreters.WHENCE_CAPI: "C-API",
    _interpreters.WHENCE_XI: "cross-interpreter C-API",
    _interpreters.WHENCE_STDLIB: "_interpreters module",
}
WHENCE_STDLIB: int = _interpreters.WHENCE_STDLIB

CURRENT_ID: int = _interpreters.get_current()[0]
"""The id of the interpreter this module was imported in."""
IS_MAIN_INTERPRETER: bool = _interpreters.get_main()[0] == CURRENT_ID
"""Whether that is the one that runs the script or the REPL."""


class _Empty(_interpqueues.QueueError):
    """What the runtime raises for an empty queue until the public exceptions are imported."""


class _Full(_interpqueues.QueueError):
    """What the runtime raises for a full queue until the public exceptions are imported."""


queue_refs_released: "list[Callable[[int], None]]" = []
"""Whom to tell the id of each queue that a reference of this interpreter was dropped to."""


def queue_create(maxsize: int, unbound: int) -> int:
    """Create a low-level queue that refuses what is not directly shareable."""
    return next(queue_creation(maxsize, unbound))


class QueueRef:
    """Keeps one low-level queue alive: in a variable, and in transit inside a sent tuple."""

    __slots__ = ("_id",)

    def __init__(self, id: int) -> None:
        queue_bind(id)
        self._id = id

    def __del__(self) -> None:
        try:
            queue_release(self._id)
            for tell in queue_refs_released:
                tell(self._id)
        except (AttributeError, TypeError, _interpqueues.QueueError):
            pass  # never bound, or the runtime is going down: it destroyed the queue, or emptied this module


register_queue_types(QueueRef, _Empty, _Full)


def queue_ref(qid: int) -> object:
    """Return an object that keeps the queue alive here and, sent in a tuple, in transit."""
    return queue_ref_type(QueueRef)(qid)


def queue_list() -> list[int]:
    """Return the ids of all low-level queues of the process."""
    return [entry[0] for entry in _interpqueues.list_all()]


def load_queues_again() -> object:
    """Return one more module of the runtime's queues: as long as it lives, it counts as a user of theirs."""
    spec: Any = _interpqueues.__spec__
    module: object = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    return module


def zero_copy(data: bytes) -> bytes | memoryview:
    """Return what carries immutable data across with the fewest copies that leak nothing."""
    return memoryview(data) if VIEWS_ARE_RELEASED else data


# Creates an isolated interpreter; it lives until it is destroyed, or `interpreter_own` says otherwise. One C call, as
# the next one, so that no exception of a signal handler comes between it and a record of it.
interpreter_create = _interpreters.create
# Finalizes the interpreter; blocks until its threads have ended.
interpreter_destroy = partial(_interpreters.destroy, restrict=True)
# Returns id and whence of each that is ready: see `_interpreters.alive`.
interpreter_list: "Callable[[], Sequence[tuple[int, int]]]" = partial(_interpreters.list_all, require_ready=True)


def interpreter_own(id: int) -> None:
    """Add the reference of its creator: the interpreter is destroyed with its last one from now on."""
    _interpreters.incref(id, implieslink=True)


def interpreter_is_running(id: int) -> bool:
    """Return whether a thread is executing the interpreter's `__main__`."""
    return _interpreters.is_running(id)


def run_script(id: int, code: "Any", shared: "dict[str, Any] | None" = None) -> "SimpleNamespace | None":
    """Run code in the interpreter's `__main__`; return the snapshot of an uncaught exception."""
    return _interpreters.exec(id, code, shared or {}, restrict=True)


def script_runner(code: "Any") -> "Callable[[int], SimpleNamespace | None]":
    """Return what does `run_script` with code that needs nothing, in one C call."""
    return partial(_interpreters.exec, code=code, restrict=True)


def bind_main(id: int, ns: "dict[str, Any]") -> None:
    """Bind directly shareable values in the interpreter's `__main__`."""
    _interpreters.set___main___attrs(id, ns, restrict=True)


def main_interpreter() -> tuple[int, int]:
    """Return (id, whence) of the main interpreter."""
    return _interpreters.get_main()


def current_interpreter() -> tuple[int, int]:
    """Return (id, whence) of the current interpreter."""
    return _interpreters.get_current()


__all__ = [
    "CLOSING_LEAKS",
    "CREATES_IN_THREADS",
    "CURRENT_ID",
    "IS_MAIN_INTERPRETER",
    "SPARE_QUEUE_USERS",
    "STATICS_FIRST_IN_MAIN",
    "TRACEMALLOC_CRASHES",
    "UNBOUND_OP_ERROR",
    "UNBOUND_OP_REMOVE",
    "UNBOUND_OP_REPLACE",
    "VIEWS_ARE_RELEASED",
    "VIEWS_NEED",
    "WHENCE_NAMES",
    "WHENCE_STDLIB",
    "InterpreterError",
    "InterpreterNotFoundError",
    "QueueError",
    "QueueNotFoundError",
    "QueueRef",
    "bind_main",
    "check_script",
    "current_interpreter",
    "interpreter_create",
    "interpreter_decref",
    "interpreter_destroy",
    "interpreter_incref",
    "interpreter_is_running",
    "interpreter_list",
    "interpreter_own",
    "interpreter_whence",
    "is_directly_shareable",
    "load_queues_again",
    "main_interpreter",
    "queue_append",
    "queue_append_error",
    "queue_bind",
    "queue_count",
    "queue_create",
    "queue_creation",
    "queue_destroy",
    "queue_get",
    "queue_list",
    "queue_maxsize",
    "queue_put",
    "queue_ref",
    "queue_refs_released",
    "queue_release",
    "register_queue_types",
    "run_script",
    "script_runner",
    "zero_copy",
]
