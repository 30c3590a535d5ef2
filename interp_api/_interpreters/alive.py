"""Which interpreters there are, also while some of them end.

The runtime walks its list of interpreters without a lock. One that is destroyed meanwhile, under a GIL of its own, is
freed under the walker, and the process crashes (seen on 3.14; what gh-127041 tells of entering is true of listing). So
nobody walks while one of ours is being destroyed:

    E1  the interpreter's byte := 1, by who holds its entry lock
    E2  destroy it
    E3  its byte := 0
    A1  is any byte 1? then A3
    A2  walk the runtime's list
    A3  take those that have an entry lock and have not ended

A1 and A2 are one chain of C calls: this interpreter's GIL is held throughout, so an E1 in another of its threads comes
before A1, or after A2. An E1 of another interpreter may come between; then A2, a microsecond, still has the time that
E2 takes before it frees anything, some milliseconds. What A3 misses is an interpreter that other code has made and this
package has never seen; it is listed once nobody is being destroyed.

A byte is written by one at a time. Left at 1, it would cost A2 for ever: E3 is the first step of a `finally`, and no
call.
"""

from itertools import compress, starmap

from interp_api._runtime.cpython import (
    CURRENT_ID,
    InterpreterError,
    interpreter_list,
    interpreter_whence,
    main_interpreter,
)
from interp_api._wakeup.arena import ENTRY_ENDS, ENTRY_LOCKS, ENTRY_SPAN, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ID = 4  # an entry lock's cell is this times one more than the interpreter's id, and what it says of it

_is_nowhere = (-1).__eq__


def end(destroy: "Callable[[int], object]", id: int) -> None:
    """Call what destroys an interpreter, if this is its last reference, while nobody walks the runtime's list.

    Raises:
        InterpreterError: what `destroy` raises.
    """
    try:
        tables.memory[ENTRY_ENDS + id % ENTRY_SPAN] = 1  # E1
        destroy(id)  # E2
    finally:
        tables.memory[ENTRY_ENDS + id % ENTRY_SPAN] = 0  # E3


def list_interpreters() -> list[tuple[int, int]]:
    """Return id and whence of every interpreter that is ready, the oldest first."""
    found: list[Sequence[tuple[int, int]]] = []
    places = map(tables.find, (b"\1",), (ENTRY_ENDS,), (ENTRY_ENDS + ENTRY_SPAN,))
    found.extend(starmap(interpreter_list, compress(((),), map(_is_nowhere, places))))  # A1, A2
    return [*found[0]] if found else _list_entered()


def _list_entered() -> list[tuple[int, int]]:
    """Do A3."""
    ids = {main_interpreter()[0], CURRENT_ID}
    ids.update(cell // ID - 1 for cell in tables.cells[ENTRY_LOCKS : ENTRY_LOCKS + ENTRY_SPAN] if cell)
    found: list[tuple[int, int]] = []
    for id in sorted(ids):
        try:
            found.append((id, interpreter_whence(id)))
        except InterpreterError:
            pass  # it has ended: a cell stays until another interpreter needs it
    return found
