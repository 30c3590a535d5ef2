"""One entry at a time into each interpreter, so that closing it cannot race with running it.

The runtime crashes when an interpreter is destroyed while another thread is just entering or leaving it (gh-127041,
open in 3.13 to 3.15). So every interpreter has a gate: a low-level queue with one token, found by the number it
carries. Whoever runs the interpreter holds the token for as long as that lasts; whoever closes it takes the token for
good. Nobody waits: a token that is not there means what the runtime means by "already running".

A gate lives as long as somebody has it open. The number also says whether this package made the interpreter: others'
interpreters are entered through a gate too, but nobody closes them unasked.
"""

from interp_api._channel import QueueRefs, create_linked, linked_number
from interp_api._cpython import (
    InterpreterError,
    QueueError,
    interpreter_is_running,
    interpreter_whence,
    queue_list,
)
from interp_api._token import holding, keeping, put_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_GATES = 1 << 52  # added to the interpreter's id; more than any queue id or chain end
_OURS = 1 << 54  # added if `create` made the interpreter


def _find(id: int) -> tuple[int, bool] | None:
    """Return the oldest low-level queue that is a gate of the interpreter, and whether it says "ours"."""
    found: list[tuple[int, bool]] = []
    for qid in queue_list():
        try:
            number = linked_number(qid)
        except QueueError:
            continue  # gone since
        if number in (_GATES + id, _GATES + _OURS + id):
            found.append((qid, number >= _OURS))
    return min(found, default=None)


class Gate:
    """The gate of one interpreter, shared by its handles in all interpreters. Thread safety: all methods."""

    __slots__ = ("_id", "_qid", "_refs", "is_ours")

    def __init__(self, id: int, *, is_ours: bool = False) -> None:
        """Open the interpreter's gate, making it if there is none.

        Args:
            id: the interpreter's.
            is_ours: what a new gate shall say; `create` makes the gate before anybody else can.
        """
        self._id = id
        self._refs = QueueRefs([])
        while not self._open(is_ours):
            pass

    def _open(self, is_ours: bool) -> bool:
        # Two interpreters may make one at the same moment: both then see both, and the older one counts.
        found = _find(self._id)
        if found is None:
            made = create_linked(_GATES + (_OURS if is_ours else 0) + self._id)
            self._refs.add(made)
            put_token(made)
            found = _find(self._id)
            if found is None:  # cannot be: it was made above
                return False
        try:
            refs = QueueRefs(found[:1])
        except QueueError:
            return False  # its last owner let it go just now
        self._qid, self.is_ours = found
        self._refs = refs
        return True

    def run[**P, T](self, refusal: str, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `action` while nobody else is inside.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed.
            InterpreterError: somebody else is inside; the text is `refusal`.
        """
        interpreter_whence(self._id)
        try:
            return holding(self._qid, action, *args, **kwargs)
        except QueueError:
            self._refuse(refusal)

    def close[**P, T](self, refusal: str, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `action`, which destroys the interpreter, while nobody else is inside; nobody gets in afterwards.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed before.
            InterpreterError: somebody else is inside; the text is `refusal`.
        """
        interpreter_whence(self._id)
        try:
            result = keeping(self._qid, action, *args, **kwargs)
        except QueueError:
            self._refuse(refusal)
        self._refs = QueueRefs([])  # whoever comes now is told that there is no such interpreter
        return result

    def drop(self, decref: "Callable[[int], None]") -> None:
        """Drop a reference to the interpreter, which destroys it if it is the last, while nobody is inside.

        When somebody else holds the token, an owner in another interpreter is running it, and this reference is not the
        last; or the last one was dropped already, and the interpreter is just being destroyed: then there is nothing
        left to drop, and dropping it would destroy the interpreter twice.
        """
        try:
            holding(self._qid, decref, self._id)
        except QueueError:
            if interpreter_is_running(self._id):
                decref(self._id)

    def _refuse(self, refusal: str) -> "NoReturn":
        interpreter_whence(self._id)  # it may be gone for good
        raise InterpreterError(refusal) from None
