"""What becomes of queue items whose interpreter died.

The runtime offers three kinds: replace the item by nothing, the same with an error, and remove it. The third corrupts
memory when the removed item was the last (gh-146427, open in 3.13 to 3.15), so it is never used: an UNBOUND_REMOVE item
is put as one with an error, and a getter skips it when its interpreter is dead. Dead items have lost their contents, so
an interpreter notes the kind of each such item it puts, in order, and at its exit publishes the kinds of those still in
the queue as verdicts: the next dead item with an error is what the next verdict says. With several dead interpreters in
one queue the number of errors stays right, their places may not.
"""

import atexit
from _thread import allocate_lock

from interp_api._cpython import (
    CURRENT_ID,
    UNBOUND_OP_ERROR,
    UNBOUND_OP_REMOVE,
    UNBOUND_OP_REPLACE,
    QueueError,
    main_interpreter,
    queue_count,
    queue_create,
    queue_destroy,
    queue_get,
    queue_put,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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


def unbound_op(kind: object) -> int:
    """Return the runtime's number for one of the three kinds.

    Raises:
        ValueError: it is none of them.
    """
    op = _OPS.get(kind) if isinstance(kind, UnboundKind) else None
    if op is None:
        raise ValueError(f"unbounditems must be UNBOUND, UNBOUND_ERROR or UNBOUND_REMOVE, got {kind!r}")
    return op


def unbound_kind(op: int) -> UnboundKind:
    """Return the kind for one of the runtime's numbers."""
    return _KINDS[op]


_IS_IMMORTAL = main_interpreter()[0] == CURRENT_ID  # it ends with the process
_noted: "dict[int, tuple[int, Callable[[int], None]]]" = {}  # by queue; guarded by _lock
_lock = allocate_lock()
_has_ended = False


def note_mortal(items: int, op: int, bury: "Callable[[int], None]") -> int | None:
    """Note an item of kind ERROR or REMOVE that this interpreter is about to put.

    Args:
        items: id of the low-level queue it goes into.
        op: its kind.
        bury: called with the kind of each item that is still there when this interpreter exits.

    Returns:
        The id of the low-level queue of the kinds noted: whoever gets such an item takes one out. None if the
        interpreter cannot end before the queue, or is just ending.
    """
    if _IS_IMMORTAL or _has_ended:
        return None
    with _lock:
        if items not in _noted:
            if not _noted:
                atexit.register(_bury_all)
            _forget_dead_queues()
            _noted[items] = queue_create(0, UNBOUND_OP_REPLACE), bury
        kinds = _noted[items][0]
    queue_put(kinds, op, UNBOUND_OP_REPLACE)
    return kinds


def _forget_dead_queues() -> None:
    for items, (kinds, _) in list(_noted.items()):
        try:
            queue_count(items)
        except QueueError:
            queue_destroy(kinds)
            del _noted[items]


def _bury_all() -> None:
    global _has_ended
    _has_ended = True
    for kinds, bury in _noted.values():
        try:
            while True:
                op = queue_get(kinds)[0]
                assert isinstance(op, int)
                bury(op)
        except QueueError:
            pass  # all noted, or the queue is gone
        queue_destroy(kinds)
    _noted.clear()


def put_verdict(verdicts: int, op: int) -> None:
    """Publish the kind of a dying item, in a form that outlives this interpreter."""
    queue_put(verdicts, op, UNBOUND_OP_ERROR if op == UNBOUND_OP_ERROR else UNBOUND_OP_REPLACE)


def take_verdict(verdicts: int) -> int:
    """Return the kind of the next dead item."""
    try:
        got = queue_get(verdicts)
    except QueueError:
        return UNBOUND_OP_ERROR  # put while its interpreter ended
    op = got[0] if got[-1] is None else got[-1]
    return UNBOUND_OP_ERROR if op == UNBOUND_OP_ERROR else UNBOUND_OP_REMOVE


def take_count(qid: int) -> bool:
    """Take one from a count; return False if it was zero or its queue is gone."""
    try:
        queue_get(qid)
    except QueueError:
        return False
    return True
