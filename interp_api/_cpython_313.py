"""CPython 3.13's private modules under the primitive names of `_cpython`.

Owns the spelling of `_interpreters` and `_interpqueues` on 3.13; knows nothing of the layers above.
`_cpython_314` defines the same names with the same signatures.
"""

import _interpqueues
import _interpreters

from interp_api._light_imports import partial

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, SimpleNamespace
    from typing import Any

# Typeshed knows neither this function nor that flags may be 0.
_queues: "Any" = _interpqueues
_register_types = _queues._register_heap_types

queue_bind = _interpqueues.bind
queue_destroy = _interpqueues.destroy
queue_get = _interpqueues.get
queue_count = _interpqueues.get_count
queue_maxsize = _interpqueues.get_maxsize
queue_release = _interpqueues.release

# gh-132776, not fixed in 3.13: the exporter of a memoryview that was sent is kept for ever.
VIEWS_ARE_RELEASED = False
# gh-134604: an interpreter that ran while allocations were traced makes 3.13 abort at exit ("free(): invalid pointer").
TRACEMALLOC_CRASHES = True
# gh-136421, never fixed in 3.13: two subinterpreters that initialise datetime before main did corrupt the heap; and
# two that use ctypes first read a table that the other one has not filled (_ctypes_get_fielddesc, "initialized").
STATICS_FIRST_IN_MAIN = True
# gh-110411: each create and close leaks 1.4 MB at least.
CLOSING_LEAKS = True

_FORMAT_SHAREABLE = 0
_TAKES_MORE = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS
_RETURNS_ITERATOR = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


class _Empty(_interpqueues.QueueError):
    """What the runtime raises for an empty queue until the public exceptions are imported."""


class _Full(_interpqueues.QueueError):
    """What the runtime raises for a full queue until the public exceptions are imported."""


class _QueueRef:
    """Keeps one low-level queue alive: in a variable, and in transit inside a sent tuple."""

    __slots__ = ("_id",)

    def __init__(self, id: int) -> None:
        queue_bind(id)
        self._id = id

    def __del__(self) -> None:
        try:
            queue_release(self._id)
        except (AttributeError, _interpqueues.QueueError):
            pass  # never bound, or the runtime is going down and destroyed the queue


# Without registered types the runtime looks for them in the test package, which slim installations lack.
_register_types(_QueueRef, _Empty, _Full)


def register_queue_exceptions(empty: type[Exception], full: type[Exception]) -> None:
    """Make the runtime raise these for an empty and a full queue."""
    _register_types(_QueueRef, empty, full)


def queue_create(maxsize: int, unbound: int) -> int:
    """Create a low-level queue that refuses what is not directly shareable."""
    return int(_queues.create(maxsize, _FORMAT_SHAREABLE, unbound))


# C all the way, for chains that no exception of a signal handler may split: the item dies with its interpreter.
queue_append: "Callable[[int, object], None]" = partial(_queues.put, fmt=_FORMAT_SHAREABLE, unboundop=3)


def queue_put(qid: int, obj: object, unbound: int) -> None:
    """Append a directly shareable object."""
    _queues.put(qid, obj, _FORMAT_SHAREABLE, unbound)


def queue_list() -> list[int]:
    """Return the ids of all low-level queues of the process."""
    return [entry[0] for entry in _interpqueues.list_all()]


def queue_ref(qid: int) -> object:
    """Return an object that keeps the queue alive here and, sent in a tuple, in transit."""
    return _QueueRef(qid)


def check_script(code: object) -> None:
    """Refuse a function or code object that 3.14 does not take as a script.

    Raises:
        TypeError: it is neither.
        ValueError: it takes arguments, returns something, or is a closure.
    """
    from types import CodeType, FunctionType

    if isinstance(code, FunctionType):
        if code.__closure__:
            raise ValueError("closures not supported")
        code = code.__code__
    if not isinstance(code, CodeType):
        raise TypeError(f"unsupported script {code!r}")
    if code.co_argcount or code.co_kwonlyargcount or code.co_flags & _TAKES_MORE:
        raise ValueError("code with args not supported")
    if code.co_flags & _RETURNS_ITERATOR or not _returns_only_none(code):
        raise ValueError("code that returns a value is not a script")


def _returns_only_none(code: "CodeType") -> bool:
    from dis import get_instructions

    for instruction in get_instructions(code):
        if instruction.opname == "RETURN_VALUE" or (
            instruction.opname == "RETURN_CONST" and instruction.argval is not None
        ):
            return False
    return True


def run_script(id: int, code: "Any", shared: "dict[str, Any] | None" = None) -> "SimpleNamespace | None":
    """Run code in the interpreter's `__main__`; return the snapshot of an uncaught exception."""
    return _interpreters.exec(id, code, shared or {}, restrict=True)


def bind_main(id: int, ns: "dict[str, Any]") -> None:
    """Bind directly shareable values in the interpreter's `__main__`."""
    _interpreters.set___main___attrs(id, ns, restrict=True)
