"""What becomes of queue items whose interpreter died, and a guard against the runtime's error with removed ones.

The runtime forgets to update a queue's tail when it removes the last item of a dead interpreter: the next put writes to
freed memory (gh-146427, open in 3.13 to 3.15). So an interpreter that put UNBOUND_REMOVE items into a queue appends one
item of another kind when it exits, before the runtime removes anything: a removed item is never the tail. That guard
item dies with the interpreter and arrives as one of kind ERROR; the `guards` count of the queue says that it is to be
skipped. (A dead UNBOUND_ERROR item waiting in the same queue may be skipped in its place, and the guard taken for it.)
"""

import atexit
from _thread import allocate_lock

from interp_api._cpython import (
    UNBOUND_OP_ERROR,
    UNBOUND_OP_REMOVE,
    UNBOUND_OP_REPLACE,
    QueueError,
    queue_count,
    queue_create,
    queue_get,
    queue_put,
)


class UnboundKind:
    """UNBOUND, UNBOUND_ERROR and UNBOUND_REMOVE are the only instances."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"interp_api.{self._name}"

    def __reduce__(self) -> str:
        return self._name


UNBOUND = UnboundKind("UNBOUND")
UNBOUND_ERROR = UnboundKind("UNBOUND_ERROR")
UNBOUND_REMOVE = UnboundKind("UNBOUND_REMOVE")

_OPS = {UNBOUND: UNBOUND_OP_REPLACE, UNBOUND_ERROR: UNBOUND_OP_ERROR, UNBOUND_REMOVE: UNBOUND_OP_REMOVE}
_KINDS = {op: kind for kind, op in _OPS.items()}

GUARD = (-1,)
"""The guard while its interpreter still lives; no other item is a tuple that starts with -1."""


def unbound_op(kind: object) -> int:
    """Return the runtime's number for one of the three kinds.

    Raises:
        ValueError: it is none of them.
    """
    try:
        return _OPS[kind]  # type: ignore[index]  # whatever it is
    except (KeyError, TypeError):
        raise ValueError(
            f"unbounditems must be UNBOUND, UNBOUND_ERROR or UNBOUND_REMOVE, got {kind!r}"
        ) from None


def unbound_kind(op: int) -> UnboundKind:
    """Return the kind for one of the runtime's numbers."""
    return _KINDS[op]


class _Removable:
    """The items of kind UNBOUND_REMOVE that this interpreter put into one queue."""

    __slots__ = ("guards", "held", "items", "outstanding")

    def __init__(self, items: int, guards: int, held: int) -> None:
        self.items, self.guards, self.held = items, guards, held
        self.outstanding = queue_create(0, UNBOUND_OP_REPLACE)


_removable: dict[int, _Removable] = {}
_lock = allocate_lock()


def note_removable(items: int, guards: int, held: int) -> int:
    """Prepare for this interpreter's exit before it puts an UNBOUND_REMOVE item.

    Returns:
        The id of the low-level queue that counts its items still in the queue: whoever gets one takes one out.
    """
    with _lock:
        if not _removable:
            atexit.register(_guard_tails)
        noted = _removable.get(items)
        if noted is None:
            noted = _removable[items] = _Removable(items, guards, held)
    queue_put(noted.outstanding, None, UNBOUND_OP_REPLACE)
    return noted.outstanding


def take_count(qid: int) -> bool:
    """Take one from a count; return False if it was zero or its queue is gone."""
    try:
        queue_get(qid)
    except QueueError:
        return False
    return True


def _guard_tails() -> None:
    """Append the guards and give back the slots of what the runtime is about to remove."""
    for noted in _removable.values():
        try:
            queue_put(noted.guards, None, UNBOUND_OP_REPLACE)
            queue_put(noted.items, GUARD, UNBOUND_OP_ERROR)
            for _ in range(queue_count(noted.outstanding)):
                take_count(noted.held)
        except QueueError:
            pass  # nobody uses the queue any more
