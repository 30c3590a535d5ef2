"""CPython 3.13's private modules under the primitive names of `_cpython`.

Owns the spelling of `_interpreters` and `_interpqueues` on 3.13; knows nothing of the layers above.
`_cpython_314` defines the same names with the same signatures.
"""

import _interpqueues
import _interpreters
from _interpqueues import bind as queue_bind
from _interpqueues import destroy as queue_destroy
from _interpqueues import get as queue_get
from _interpqueues import get_count as queue_count
from _interpqueues import get_maxsize as queue_maxsize
from _interpqueues import release as queue_release

TYPE_CHECKING = False  # importing typing would cost every worker 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

# gh-132776, not fixed in 3.13: the exporter of a memoryview that was sent is kept for ever.
VIEWS_ARE_RELEASED = False
# gh-134604: tracing allocations while a subinterpreter lives crashes 3.14; 3.13 was not seen to.
TRACEMALLOC_CRASHES = False
# gh-136421, never fixed in 3.13: two subinterpreters that initialise datetime before main did corrupt the heap.
DATETIME_FIRST_IN_MAIN = True
# gh-110411: each create and close leaks 1.4 MB at least.
CLOSING_LEAKS = True

_FORMAT_SHAREABLE = 0


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
_interpqueues._register_heap_types(_QueueRef, _Empty, _Full)  # type: ignore[arg-type]  # any classes do


def register_queue_exceptions(empty: type[Exception], full: type[Exception]) -> None:
    """Make the runtime raise these for an empty and a full queue."""
    _interpqueues._register_heap_types(_QueueRef, empty, full)  # type: ignore[arg-type]


def queue_create(maxsize: int, unbound: int) -> int:
    """Create a low-level queue that refuses what is not directly shareable."""
    return _interpqueues.create(maxsize, _FORMAT_SHAREABLE, unbound)


def queue_put(qid: int, obj: object, unbound: int) -> None:
    """Append a directly shareable object."""
    _interpqueues.put(qid, obj, _FORMAT_SHAREABLE, unbound)


def queue_list() -> list[int]:
    """Return the ids of all low-level queues of the process."""
    return [entry[0] for entry in _interpqueues.list_all()]


def queue_ref(qid: int) -> object:
    """Return an object that keeps the queue alive here and, sent in a tuple, in transit."""
    return _QueueRef(qid)


def run_script(id: int, code: object, shared: "Mapping[str, object] | None" = None) -> "SimpleNamespace | None":
    """Run code in the interpreter's `__main__`; return the snapshot of an uncaught exception."""
    return _interpreters.exec(id, code, shared or {}, restrict=True)


def bind_main(id: int, ns: "Mapping[str, object]") -> None:
    """Bind directly shareable values in the interpreter's `__main__`."""
    _interpreters.set___main___attrs(id, ns, restrict=True)

