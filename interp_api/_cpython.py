"""The primitives of CPython's interpreters and queues, the same on every supported version.

The only importer of `_cpython_313` and `_cpython_314`, and with them of the runtime's private modules. Everything here
is imported by every worker, so it must not import anything that is not built in.
"""

import _interpreters
import sys
from _interpqueues import QueueError, QueueNotFoundError
from _interpreters import InterpreterError, InterpreterNotFoundError, capture_exception
from _interpreters import decref as interpreter_decref
from _interpreters import incref as interpreter_incref
from _interpreters import is_shareable as is_directly_shareable
from _interpreters import whence as interpreter_whence

if sys.version_info >= (3, 14):
    from interp_api._cpython_314 import (
        CLOSING_LEAKS,
        STATICS_FIRST_IN_MAIN,
        TRACEMALLOC_CRASHES,
        VIEWS_ARE_RELEASED,
        bind_main,
        check_script,
        queue_append,
        queue_bind,
        queue_count,
        queue_create,
        queue_destroy,
        queue_get,
        queue_list,
        queue_maxsize,
        queue_put,
        queue_ref,
        queue_release,
        run_script,
    )
else:
    from interp_api._cpython_313 import (
        CLOSING_LEAKS,
        STATICS_FIRST_IN_MAIN,
        TRACEMALLOC_CRASHES,
        VIEWS_ARE_RELEASED,
        bind_main,
        check_script,
        queue_append,
        queue_bind,
        queue_count,
        queue_create,
        queue_destroy,
        queue_get,
        queue_list,
        queue_maxsize,
        queue_put,
        queue_ref,
        queue_release,
        run_script,
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
WHENCE_RUNTIME: int = _interpreters.WHENCE_RUNTIME
WHENCE_STDLIB: int = _interpreters.WHENCE_STDLIB

CURRENT_ID: int = _interpreters.get_current()[0]
"""The id of the interpreter this module was imported in."""


def lend(data: bytes) -> bytes | memoryview:
    """Return what carries immutable data across with the fewest copies that leak nothing."""
    return memoryview(data) if VIEWS_ARE_RELEASED else data


def interpreter_create() -> int:
    """Create an isolated interpreter; it lives until it is destroyed, or `interpreter_own` says otherwise."""
    return _interpreters.create()


def interpreter_own(id: int) -> None:
    """Add the reference of its creator: the interpreter is destroyed with its last one from now on."""
    _interpreters.incref(id, implieslink=True)


def interpreter_destroy(id: int) -> None:
    """Finalize the interpreter; blocks until its threads have ended."""
    _interpreters.destroy(id, restrict=True)


def interpreter_is_running(id: int) -> bool:
    """Return whether a thread is executing the interpreter's `__main__`."""
    return _interpreters.is_running(id)


def interpreter_list() -> list[tuple[int, int]]:
    """Return (id, whence) of every interpreter that is ready, oldest first."""
    return [(id, whence) for id, whence in _interpreters.list_all(require_ready=True)]


def main_interpreter() -> tuple[int, int]:
    """Return (id, whence) of the main interpreter."""
    return _interpreters.get_main()


def current_interpreter() -> tuple[int, int]:
    """Return (id, whence) of the current interpreter."""
    return _interpreters.get_current()


__all__ = [
    "CLOSING_LEAKS",
    "CURRENT_ID",
    "STATICS_FIRST_IN_MAIN",
    "TRACEMALLOC_CRASHES",
    "UNBOUND_OP_ERROR",
    "UNBOUND_OP_REMOVE",
    "UNBOUND_OP_REPLACE",
    "VIEWS_ARE_RELEASED",
    "WHENCE_NAMES",
    "WHENCE_RUNTIME",
    "WHENCE_STDLIB",
    "InterpreterError",
    "InterpreterNotFoundError",
    "QueueError",
    "QueueNotFoundError",
    "bind_main",
    "capture_exception",
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
    "lend",
    "main_interpreter",
    "queue_append",
    "queue_bind",
    "queue_count",
    "queue_create",
    "queue_destroy",
    "queue_get",
    "queue_list",
    "queue_maxsize",
    "queue_put",
    "queue_ref",
    "queue_release",
    "run_script",
]
