"""What becomes of queue items whose interpreter died.

The runtime offers three kinds: replace the item by nothing, the same with an error, and remove it. The third corrupts
memory when the removed item was the last (gh-146427, open in 3.13 to 3.15), so it is never used: an UNBOUND_REMOVE item
is put as one with an error, and a getter skips it when its interpreter is dead. Dead items have lost their contents, so
an interpreter publishes at its exit the kinds of those still in the queue, in order, as verdicts: the next dead item
with an error is what the next verdict says. They are in a low-level queue that is made for the first of them. With
several dead interpreters in one queue the number of errors stays right, their places may not.
"""

from interp_api._runtime.cpython import (
    UNBOUND_OP_ERROR,
    UNBOUND_OP_REMOVE,
    UNBOUND_OP_REPLACE,
    QueueError,
    queue_create,
    queue_get,
    queue_put,
)
from interp_api._wakeup.slot import VERDICTS, Slot, destroy


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


def put_verdict(slot: Slot, op: int) -> None:
    """Publish the kind of a dying item of a queue, in a form that outlives this interpreter."""
    cell = slot.cell + VERDICTS
    while not (verdicts := slot.region.cells[cell]):
        made = queue_create(0, UNBOUND_OP_REPLACE)
        if not slot.region.swap(cell, 0, made):
            destroy(made)
    queue_put(verdicts, op, UNBOUND_OP_ERROR if op == UNBOUND_OP_ERROR else UNBOUND_OP_REPLACE)


def take_verdict(slot: Slot) -> int:
    """Return the kind of the next dead item of a queue."""
    try:
        got = queue_get(slot.region.cells[slot.cell + VERDICTS])
    except QueueError:
        return UNBOUND_OP_ERROR  # put while its interpreter ended
    op = got[0] if got[-1] is None else got[-1]
    return UNBOUND_OP_ERROR if op == UNBOUND_OP_ERROR else UNBOUND_OP_REMOVE


def forget_verdicts(slot: Slot) -> None:
    """Destroy what holds the verdicts of a queue that is gone. Whoever takes its slot does so, too."""
    verdicts = slot.region.cells[slot.cell + VERDICTS]
    if verdicts:
        destroy(verdicts)
