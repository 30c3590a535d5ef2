"""One entry at a time into each interpreter, so that closing it cannot race with running it.

The runtime crashes when an interpreter is destroyed while another thread is just entering or leaving it (gh-127041,
open in 3.13 to 3.15). So every interpreter has an entry lock, a cell of the arena: whoever runs or closes it holds that
for as long as that lasts. Nobody waits: a lock that is held means what the runtime means by "already running". A thread
can also claim an interpreter, which is to hold the lock between its entries: then nobody closes it while that thread is
about to enter, or to enter once more. Only the claiming thread enters and closes it meanwhile.

The runtime's ids of interpreters are never used twice, and grow: the cell of one is its id modulo their number. A cell
has the interpreter's id, whether this package made it, and whether its lock is held.

    L1  FREE of this id := HELD of this id, by `exchange`; it is something else: somebody holds it, or it has ended
    L2  run or destroy the interpreter
    L3  the cell := FREE of this id, a store
    L4  who wants the cell for another id: FREE of an interpreter that has ended := FREE of that id, by `exchange`

A cell is left FREE by L1 and L4 alone, of which one is done at a time, and HELD by the L3 of its one holder alone. So
there is one holder at a time, and no L3 comes when the cell is another interpreter's, however late: that one can get it
only after L3. There is nothing to give back when an interpreter ends, and nothing can leak. An L1 that comes after the
end of the interpreter finds its cell gone, or what L2 calls finds no interpreter.

L1 is one chain of C calls, which records that it was done; L3 is the first step of a `finally`, and no call. What L2
did in the other interpreter is ordered by that one's own lock, which the next to enter takes. In a forked child there
are no interpreters but the main one, whose cell is copied.

A cell may be that of an interpreter that still lives, SPAN ids older. Then `create` makes another interpreter; one that
somebody else has made cannot be entered through this package as long as that is so.
"""

import sys
from _thread import get_ident
from itertools import starmap

from interp_api._interpreters.alive import ID, end
from interp_api._runtime.cpython import InterpreterError, interpreter_is_running, interpreter_whence
from interp_api._runtime.light_imports import call, exhaust
from interp_api._wakeup.arena import CELL, ENTRY_LOCKS, ENTRY_SPAN, tables
from interp_api._wakeup.seats import is_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    type _Claim = tuple[int, list[int]]  # the thread, and what L1 has recorded

_HELD, _OURS = 1, 2


class EntryLock:
    """The entry lock of one interpreter, shared by its handles in all interpreters. Thread safety: all methods."""

    __slots__ = ("_cell", "_claims", "_free", "_id")

    def __init__(self, id: int, *, is_ours: bool = False) -> None:
        """Open the interpreter's lock.

        Args:
            id: the interpreter's.
            is_ours: what a new lock shall say; `create` opens it before anybody else in this interpreter can.
        """
        self._id = id
        self._cell = ENTRY_LOCKS + id % ENTRY_SPAN
        self._free = 0  # what the cell is while nobody is inside, once that is known
        self._claims: list[_Claim] = []  # through this object: those that are done, and those under way
        self.open(is_ours)

    def open(self, is_ours: bool = False) -> bool:
        """Find or take the interpreter's cell; return False if that is another one's."""
        own = (self._id + 1) * ID
        while not self._free:
            value = tables.cells[self._cell]
            if value // ID == self._id + 1:
                self._free = value & ~_HELD
            elif value & _HELD or (value and not is_ended(value // ID - 1)):
                return False
            else:
                tables.swap(self._cell, value, own | _OURS if is_ours else own)  # L4; somebody may have been faster
        return True

    @property
    def is_ours(self) -> bool:
        """Whether this package made the interpreter: others' are entered through a lock too, but not closed unasked."""
        return bool(self._free & _OURS)

    @property
    def is_free(self) -> bool:
        """Whether nobody is inside and nobody has claimed the interpreter, just now."""
        return tables.cells[self._cell] == self._free

    def claim(self, refusal: str) -> None:
        """Keep others out until `unclaim`, also while this thread is not inside.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed.
            InterpreterError: somebody is inside or has claimed it; the text is `refusal`.
        """
        interpreter_whence(self._id)
        if self._is_claimed_here:
            return
        claim: _Claim = get_ident(), []
        self._claims.append(claim)  # before L1: whatever strikes, `unclaim` finds it
        self._acquire(claim[1])
        if claim[1][0] < 0:
            self._claims.remove(claim)
            self._refuse(refusal)

    def _find_claim(self) -> "_Claim | None":
        for claim in [*self._claims]:
            if claim[1] and claim[1][0] >= 0:
                return claim
        return None

    @property
    def _is_claimed_here(self) -> bool:
        claim = self._find_claim()
        return claim is not None and claim[0] == get_ident()

    def unclaim(self) -> None:
        """Let others in again. Does nothing if the interpreter is not claimed."""
        claim = self._find_claim()
        if claim is None:
            return
        try:
            # L3, once for each claim, whoever else does this; one chain, so that whatever strikes, it is done or not.
            exhaust(starmap(call, ((self._claims.remove, claim), (tables.cells.__setitem__, self._cell, self._free))))
        except ValueError:
            pass  # another thread was faster, or this is a child, which a signal handler has forked just now

    def run[**P, T](self, refusal: str, action: "Callable[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `action`, which runs or destroys the interpreter, while nobody else is inside.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed.
            InterpreterError: somebody else is inside; the text is `refusal`.
        """
        interpreter_whence(self._id)
        if self._is_claimed_here:
            return action(*args, **kwargs)
        taken: list[int] = []
        try:
            self._acquire(taken)
            if taken[0] < 0:
                self._refuse(refusal)
            return action(*args, **kwargs)  # L2
        finally:
            if taken and taken[0] >= 0:
                tables.cells[self._cell] = self._free  # L3, a store and no call: nothing strikes before it

    def drop(self, decref: "Callable[[int], None]") -> None:
        """Drop a reference to the interpreter, which destroys it if it is the last, while nobody is inside.

        When somebody else holds the lock, an owner in another interpreter is running it, and this reference is not the
        last; or the last one was dropped already, and the interpreter is just being destroyed: then there is nothing
        left to drop, and dropping it would destroy the interpreter twice.
        """
        self.unclaim()  # whoever has claimed it has lost the handle
        if not self.open():
            end(decref, self._id)  # nobody can enter it through this package
            return
        taken: list[int] = []
        try:
            self._acquire(taken)
            if taken[0] >= 0 or interpreter_is_running(self._id):
                end(decref, self._id)
        finally:
            if taken and taken[0] >= 0:
                tables.cells[self._cell] = self._free  # L3

    def _acquire(self, taken: list[int]) -> None:
        """Do L1, and record in the list whether that could be done: -1 if not.

        Raises:
            InterpreterError: the cell is another interpreter's.
        """
        if not self.open():
            raise InterpreterError(
                f"cannot enter interpreter {self._id}: its place among {ENTRY_SPAN} is interpreter "
                f"{tables.cells[self._cell] // ID - 1}'s; close that one first"
            )
        start = self._cell * CELL
        free = self._free.to_bytes(CELL, sys.byteorder)
        tables.exchange_recorded(start, start + CELL, free, self._free | _HELD, taken)

    def _refuse(self, refusal: str) -> "NoReturn":
        interpreter_whence(self._id)  # it may be gone for good
        raise InterpreterError(refusal) from None
