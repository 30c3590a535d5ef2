"""One entry at a time into each interpreter, so that closing it cannot race with running it.

The runtime crashes when an interpreter is destroyed while another thread is just entering or leaving it (gh-127041, open
in 3.13 to 3.15). So every interpreter has a gate: a low-level queue with one token, found by the number it carries.
Whoever runs the interpreter holds the token for as long as that lasts; whoever closes it takes the token for good.
Nobody waits: a token that is not there means what the runtime means by "already running".
"""

from interp_api._channel import QueueRefs, create_linked, linked_number
from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    InterpreterError,
    QueueError,
    interpreter_whence,
    queue_get,
    queue_list,
    queue_put,
)

_GATES = 1 << 52  # added to the interpreter's id; more than any queue id or chain end


def _find(number: int) -> int | None:
    """Return the oldest low-level queue that carries the number."""
    found: list[int] = []
    for qid in queue_list():
        try:
            if linked_number(qid) == number:
                found.append(qid)
        except QueueError:
            pass  # gone since
    return min(found, default=None)


class Gate:
    """The gate of one interpreter, shared by its handles in all interpreters. Thread safety: all methods."""

    __slots__ = ("_id", "_qid", "_refs")

    def __init__(self, id: int) -> None:
        """Open the interpreter's gate, making it if this is the first handle."""
        self._id = id
        self._open()

    def _open(self) -> None:
        # Two interpreters may make one at the same moment: both then see both, and the older one counts.
        number = _GATES + self._id
        qid = _find(number)
        if qid is None:
            made = create_linked(number)
            refs = QueueRefs([made])
            queue_put(made, None, UNBOUND_OP_REPLACE)
            qid = _find(number)
            assert qid is not None, "it was made above"
            self._refs = QueueRefs([qid])
            del refs
        else:
            self._refs = QueueRefs([qid])
        self._qid = qid

    def enter(self, refusal: str) -> None:
        """Take the token.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed.
            InterpreterError: somebody else holds the token; the text is `refusal`.
        """
        interpreter_whence(self._id)
        try:
            queue_get(self._qid)
        except QueueError:
            interpreter_whence(self._id)  # it may be gone for good
            raise InterpreterError(refusal) from None

    def leave(self) -> None:
        """Put the token back."""
        queue_put(self._qid, None, UNBOUND_OP_REPLACE)
