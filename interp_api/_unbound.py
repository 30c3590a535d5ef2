"""What becomes of queue items whose interpreter died, and a guard against the runtime's error with removed ones.

The runtime forgets to update a queue's tail when it removes the last item of a dead interpreter: the next put writes to
freed memory (gh-146427, open in 3.13 to 3.15). So an interpreter that put UNBOUND_REMOVE items into a queue appends one
item of another kind when it exits, before the runtime removes anything: a removed item is never the tail.

That guard item dies with its interpreter, and what is left of it looks like any dead item. Which one it is stands in the
queue's *ledger*, a low-level queue with one token for each item up to the last guard, in the items' order: ITEM or GUARD.
The tokens die as well, but their kinds, of which the runtime keeps note, do not. While there are guards, whoever takes an
item takes a token too. (Two getters that do so at the same moment may swap their tokens: then a guard is taken for a dead
item of its own interpreter, or the other way round.)
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

_ITEM, _GUARD = UNBOUND_OP_REPLACE, UNBOUND_OP_ERROR  # the tokens' kinds


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


class Removable:
    """The low-level queues of one queue that UNBOUND_REMOVE is about."""

    __slots__ = ("guards", "held", "items", "ledger", "outstanding")

    def __init__(self, items: int, held: int, guards: int, ledger: int) -> None:
        self.items, self.held, self.guards, self.ledger = items, held, guards, ledger
        self.outstanding: int | None = None  # counts this interpreter's items of that kind in the queue

    def note_put(self) -> int:
        """Prepare for this interpreter's exit before it puts an UNBOUND_REMOVE item.

        Returns:
            The id of the low-level queue that counts its items still in the queue: whoever gets one takes one out.
        """
        with _lock:
            if not _noted:
                atexit.register(_guard_tails)
            _noted[self.items] = self
            if self.outstanding is None:
                self.outstanding = queue_create(0, UNBOUND_OP_REPLACE)
        queue_put(self.outstanding, None, UNBOUND_OP_REPLACE)
        return self.outstanding

    def is_guard(self) -> bool:
        """Return whether the item that was just taken is a guard; call it for each item while `guards` is not empty."""
        try:
            token = queue_get(self.ledger)
        except QueueError:
            return False
        if (token[0] if token[-1] is None else token[-1]) != _GUARD:
            return False
        take_count(self.guards)
        return True

    def guard_tail(self) -> None:
        """Append a guard, and give back the slots of what the runtime is about to remove."""
        removed = 0 if self.outstanding is None else queue_count(self.outstanding)
        if not queue_count(self.guards):
            while take_count(self.ledger):
                pass
        for _ in range(queue_count(self.items) - queue_count(self.ledger) - removed):
            queue_put(self.ledger, _ITEM, _ITEM)
        queue_put(self.ledger, _GUARD, _GUARD)
        queue_put(self.guards, None, UNBOUND_OP_REPLACE)
        queue_put(self.items, None, UNBOUND_OP_REPLACE)
        for _ in range(removed):
            take_count(self.held)


_noted: dict[int, Removable] = {}
_lock = allocate_lock()


def take_count(qid: int) -> bool:
    """Take one from a count; return False if it was zero or its queue is gone."""
    try:
        queue_get(qid)
    except QueueError:
        return False
    return True


def _guard_tails() -> None:
    for noted in _noted.values():
        try:
            noted.guard_tail()
        except QueueError:
            pass  # nobody uses the queue any more
