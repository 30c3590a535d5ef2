"""A mutex between interpreters: a low-level queue that has one item while nobody holds it.

Knows nothing of what it protects. Nobody waits: that somebody else holds it is the caller's to interpret. It is
acquired and released by single C calls: a signal handler that raises cannot leave it held.
"""

from interp_api._runtime.cpython import UNBOUND_OP_REPLACE, queue_get, queue_put
from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REPLACE = UNBOUND_OP_REPLACE


def release_mutex(qid: int) -> None:
    """Make of a new queue a mutex that nobody holds, or give it back."""
    queue_put(qid, None, _REPLACE)


def make_release(qid: int) -> "Callable[[], object]":
    """Return what gives the mutex back in one C call, which nothing can strike in its midst."""
    return partial(queue_put, qid, None, _REPLACE)


def acquire_mutex(qid: int, taken: list[object]) -> None:
    """Take the mutex, and record that in the list given.

    Raises:
        QueueError: somebody else holds it.
    """
    taken.extend(map(queue_get, (qid,)))


def holding[**P, T](qid: int, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `action` while holding the mutex, and give it back.

    Raises:
        QueueError: somebody else holds it; `action` was not called.
    """
    taken: list[object] = []
    try:
        acquire_mutex(qid, taken)
        return action(*args, **kwargs)
    finally:
        if taken:
            queue_put(qid, None, _REPLACE)
