"""A mutex between interpreters: a low-level queue that holds one token while nobody is inside.

Knows nothing of what it protects. Nobody waits for a token: one that is not there is the caller's to interpret.
The token is taken and given back by single C calls: a signal handler that raises cannot make it disappear.
"""

from interp_api._cpython import UNBOUND_OP_REPLACE, queue_get, queue_put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REPLACE = UNBOUND_OP_REPLACE


def put_token(qid: int) -> None:
    """Put the token into a new queue."""
    queue_put(qid, None, _REPLACE)


def holding[**P, T](qid: int, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `action` while holding the token; afterwards it is there again.

    Raises:
        QueueError: the token is not there; `action` was not called.
    """
    taken: list[object] = []
    try:
        taken.extend(map(queue_get, (qid,)))
        return action(*args, **kwargs)
    finally:
        if taken:
            queue_put(qid, None, _REPLACE)


def keeping[**P, T](qid: int, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `holding`, but if `action` succeeds, the token is gone for good."""
    taken: list[object] = []
    try:
        taken.extend(map(queue_get, (qid,)))
        return action(*args, **kwargs)
    except BaseException:
        if taken:
            queue_put(qid, None, _REPLACE)
        raise
