"""CPython 3.13's private modules under the primitive names of `_runtime.cpython`.

Owns the spelling of `_interpreters` and `_interpqueues` on 3.13; knows nothing of the layers above.
`_runtime.cpython_314` defines the same names with the same signatures.
"""

import _interpqueues
import sys

from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType
    from typing import Any

# Typeshed knows neither this function nor that flags may be 0.
_queues: "Any" = _interpqueues


# gh-132776, not fixed in 3.13: the exporter of a memoryview that was sent is kept for ever.
VIEWS_ARE_RELEASED = False
# An interpreter can receive memoryviews once it has imported the module that defines how.
VIEWS_NEED: str | None = "_interpreters"
# gh-134604: an interpreter that ran while allocations were traced makes 3.13 abort at exit ("free(): invalid pointer").
TRACEMALLOC_CRASHES = True
# gh-136421, never fixed in 3.13: two subinterpreters that initialise datetime before main did corrupt the heap; and
# two that use ctypes first read a table that the other one has not filled (_ctypes_get_fielddesc, "initialized").
STATICS_FIRST_IN_MAIN = True
# gh-125716, in 3.13.0 and fixed in 3.13.5 at the latest: interpreters that import the queues, or end, at the same time
# count their users without a lock. A user too few, and the queues of all are freed while there are some. Of 7,800
# interpreters that did so beside another, 4 were not counted, and none twice. Each user more costs 70 us and 5 KB.
SPARE_QUEUE_USERS = 32 if sys.version_info < (3, 13, 5) else 0
# gh-129817 and others: static types are initialised without locks.
CREATES_IN_THREADS = False
# gh-110411: each create and close leaks 1.4 MB at least.
CLOSING_LEAKS = True

_FORMAT_SHAREABLE = 0
_TAKES_MORE = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS
_RETURNS_ITERATOR = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


def register_queue_types(ref: type, empty: type[Exception], full: type[Exception]) -> None:
    """Say what is received for a queue that is sent, and what is raised for an empty and a full one.

    Without that the runtime looks for them in the test package, which slim installations lack.
    """
    _queues._register_heap_types(ref, empty, full)


def queue_creation(maxsize: int, unbound: int) -> "Iterator[int]":
    """Return what creates a low-level queue, which refuses what is not directly shareable, and gives its id: in C."""
    return map(_queues.create, (maxsize,), (_FORMAT_SHAREABLE,), (unbound,))


# C all the way, for chains that no exception of a signal handler may split: the item dies with its interpreter.
queue_append: "Callable[[int, object], None]" = partial(_queues.put, fmt=_FORMAT_SHAREABLE, unboundop=3)
queue_append_error: "Callable[[int, object], None]" = partial(_queues.put, fmt=_FORMAT_SHAREABLE, unboundop=2)


def queue_put(qid: int, obj: object, unbound: int) -> None:
    """Append a directly shareable object."""
    _queues.put(qid, obj, _FORMAT_SHAREABLE, unbound)


def queue_ref_type(own: "Callable[[int], object]") -> "Callable[[int], object]":
    """Return the class that can be sent: the one registered last."""
    return own


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
