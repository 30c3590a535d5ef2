"""CPython 3.14+'s private modules under the primitive names of `_cpython`.

Owns the spelling of `_interpreters` and `_interpqueues` on 3.14 and later; knows nothing of the layers above.
`_cpython_313` defines the same names with the same signatures.
"""

import _interpqueues
import _interpreters
import sys

from interp_api._light_imports import partial

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace
    from typing import Any

# Typeshed knows neither this function nor that flags may be 0.
_queues: "Any" = _interpqueues
_register_types = _queues._register_heap_types

queue_bind = _interpqueues.bind
queue_destroy = _interpqueues.destroy
queue_get = _interpqueues.get
queue_count = _interpqueues.get_count
queue_maxsize = _interpqueues.get_maxsize
queue_put: "Callable[[int, object, int], None]" = _queues.put
# C all the way, for chains that no exception of a signal handler may split: the item dies with its interpreter.
queue_append: "Callable[[int, object], None]" = partial(_queues.put, unboundop=3)
queue_release = _interpqueues.release

# A received memoryview gives its owner's buffer back when it dies (gh-132776 is fixed in 3.14).
VIEWS_ARE_RELEASED = True
# gh-134604: tracing allocations while a subinterpreter lives crashes 3.14; 3.15 was not seen to.
TRACEMALLOC_CRASHES = sys.version_info < (3, 15)
# gh-136421: datetime's static types may be initialised first by a subinterpreter since 3.14.
STATICS_FIRST_IN_MAIN = False
# gh-110411: each create and close leaks some 10 KB, which nobody needs to avoid.
CLOSING_LEAKS = False

_STDLIB_QUEUES = "concurrent.interpreters._queues"
_SHAREABLE_ONLY = 0


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


# Without registered types the runtime imports concurrent.interpreters (pickle, queue, threading: 15 ms) at the first
# empty get. When user code imports that module later, its own registration replaces this one, which is harmless:
# this package catches the common base QueueError.
if _STDLIB_QUEUES not in sys.modules:
    _register_types(_QueueRef, _Empty, _Full)


def queue_create(maxsize: int, unbound: int) -> int:
    """Create a low-level queue that refuses what is not directly shareable."""
    return int(_queues.create(maxsize, unbound, _SHAREABLE_ONLY))


def queue_list() -> list[int]:
    """Return the ids of all low-level queues of the process."""
    return [entry[0] for entry in _interpqueues.list_all()]


def queue_ref(qid: int) -> object:
    """Return an object that keeps the queue alive here and, sent in a tuple, in transit."""
    # Only the class registered last can be sent, and the stdlib's takes over when it is imported.
    if _STDLIB_QUEUES in sys.modules:
        stdlib: Any = __import__(_STDLIB_QUEUES, fromlist=["Queue"])  # which waits, if another thread has only begun to
        return stdlib.Queue(qid)
    return _QueueRef(qid)


def check_script(code: object) -> None:
    """Nothing: the runtime itself refuses what is not a script."""


def run_script(id: int, code: "Any", shared: "dict[str, Any] | None" = None) -> "SimpleNamespace | None":
    """Run code in the interpreter's `__main__`; return the snapshot of an uncaught exception."""
    return _interpreters.exec(id, code, shared or {}, restrict=True)


def bind_main(id: int, ns: "dict[str, Any]") -> None:
    """Bind directly shareable values in the interpreter's `__main__`."""
    _interpreters.set___main___attrs(id, ns, restrict=True)
