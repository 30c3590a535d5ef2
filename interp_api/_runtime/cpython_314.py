"""CPython 3.14+'s private modules under the primitive names of `_runtime.cpython`.

Owns the spelling of `_interpreters` and `_interpqueues` on 3.14 and later; knows nothing of the layers above.
`_runtime.cpython_313` defines the same names with the same signatures.
"""

import _interpqueues
import sys

from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

# Typeshed knows neither this function nor that flags may be 0.
_queues: "Any" = _interpqueues

queue_put: "Callable[[int, object, int], None]" = _queues.put
# C all the way, for chains that no exception of a signal handler may split: the item dies with its interpreter.
queue_append: "Callable[[int, object], None]" = partial(_queues.put, unboundop=3)
queue_append_error: "Callable[[int, object], None]" = partial(_queues.put, unboundop=2)  # it is told that it died

# A received memoryview gives its owner's buffer back when it dies (gh-132776 is fixed in 3.14).
VIEWS_ARE_RELEASED = True
VIEWS_NEED: str | None = None
# gh-134604: tracing allocations while a subinterpreter lives crashes 3.14; 3.15 was not seen to.
TRACEMALLOC_CRASHES = sys.version_info < (3, 15)
# gh-136421: datetime's static types may be initialised first by a subinterpreter since 3.14.
STATICS_FIRST_IN_MAIN = False
# gh-125716: the users of the queues are counted with a lock since 3.14.
SPARE_QUEUE_USERS = 0
# gh-129817 and others: static types are initialised with locks since 3.14. 9,500 interpreters that up to 32 threads
# made at once crashed neither 3.14 nor 3.15.
CREATES_IN_THREADS = True
# gh-110411: each create and close leaks some 10 KB, which nobody needs to avoid.
CLOSING_LEAKS = False

_STDLIB_QUEUES = "concurrent.interpreters._queues"
_SHAREABLE_ONLY = 0


def register_queue_types(ref: type, empty: type[Exception], full: type[Exception]) -> None:
    """Say what is received for a queue that is sent, and what is raised for an empty and a full one.

    Without that the runtime imports concurrent.interpreters (pickle, queue, threading: 15 ms) at the first empty get.
    When user code imports that module later, its own registration replaces this one, which is harmless: this package
    catches the common base QueueError.
    """
    if _STDLIB_QUEUES not in sys.modules:
        _queues._register_heap_types(ref, empty, full)


def queue_creation(maxsize: int, unbound: int) -> "Iterator[int]":
    """Return what creates a low-level queue, which refuses what is not directly shareable, and gives its id: in C."""
    return map(_queues.create, (maxsize,), (unbound,), (_SHAREABLE_ONLY,))


def queue_ref_type(own: "Callable[[int], object]") -> "Callable[[int], object]":
    """Return the class that can be sent: the one registered last. The stdlib's takes over when it is imported."""
    if _STDLIB_QUEUES in sys.modules:
        stdlib: Any = __import__(_STDLIB_QUEUES, fromlist=["Queue"])  # which waits, if another thread has only begun to
        return stdlib.Queue  # type: ignore[no-any-return]  # which takes an id
    return own


def check_script(code: object) -> None:
    """Nothing: the runtime itself refuses what is not a script."""
