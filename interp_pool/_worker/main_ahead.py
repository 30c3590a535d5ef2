"""What a worker knows of its program: arguments, main module, what was being imported; runs INSIDE a worker.

Owns which calls need no main module. A spawned child of multiprocessing loads it before anything else, so what it sets
up outside of its guard (logging, decimal contexts, registered classes) is there for the tasks of all modules. A worker
loads it before the first call that could tell the difference: what it takes is not paid for by calls that could not.
These are functions of modules built into Python, called with nothing but plain values, and functions that go by value,
which need only their arguments and the builtins, if they import nothing but such modules. Whatever mentions `__main__`
is not among them.
"""

import sys

from interp_api import expect_main, load_main_ahead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._wire.messages import Payload, Program

_PROTO, _FRAME = 2, 11  # where a pickle goes on after the opcodes of these names
_FRAME_OPCODE, _SHORT_BINUNICODE, _STACK_GLOBAL = 0x95, 0x8C, b"\x93"
_BY_VALUE = (b"interp_api._pickling.functions", b"rebuild_function")
_MEMOIZE_AND_TEXT = b"\x94\x8c"
_LONGEST_HEAD = 300  # bytes that have the names of the module and the function
_head = b"\x00"  # how the pickle of the last call that could do without began, up to the function; no pickle does so
# What others do, or what they tell, may depend on what the main module has set up, such as the recursion limit.
_BUILTIN = frozenset((b"builtins", b"_operator", b"cmath", b"itertools", b"math", b"nt", b"posix", b"time"))
_NEEDS_MAIN = frozenset((b"__import__", b"eval", b"exec", b"input", b"print"))  # of `builtins`

due: "list[object]" = []
"""The main module's note, while that is to be loaded before the next call that is not known to do without.

A list, which `_worker.running` has by name: looking into this module for each task would take 25 ns more (CPython
3.14).
"""
imported_before: tuple[str, ...] = ()
"""The modules that were being imported when the pool of this worker was made, and when that worker's was."""


def follow_program(program: "Program") -> None:
    """Give this interpreter the program's arguments, and expect its main module if there is one."""
    global imported_before
    argv, note, imported_before = program
    sys.argv = [*argv]
    expect_main(note)
    due[:] = [] if note is None else [note]


def load_main() -> None:
    """Load the main module, which is due."""
    load_main_ahead()
    due.clear()  # not when that was struck


def find_like_program(name: str | None) -> bool:
    """Have modules found that the program has from elsewhere than `sys.path`; return whether it has that one."""
    from interp_pool._worker.program_modules import find_like_program as find

    return find(name)


def can_do_without_main(payload: "Payload") -> bool:
    """Return whether what the main module sets up can make no difference to a call; False if that is not sure."""
    global _head
    if type(payload) is not bytes:
        pickle: Any = payload[0]
        return payload[3] is None and _first_global(bytes(pickle[:_LONGEST_HEAD])) == _BY_VALUE
    # The function is mostly that of the last call, and looking for its names is the larger part.
    if not payload.startswith(_head):
        first = _first_global(payload)
        if first != _BY_VALUE and (first[0] not in _BUILTIN or first[1] in _NEEDS_MAIN):
            return False
        _head = payload[: payload.find(_STACK_GLOBAL) + 1]
    # Another STACK_GLOBAL, perhaps only a byte that looks like one, may bring an object of any module.
    return _head.find(_BY_VALUE[0]) >= 0 or payload.find(_STACK_GLOBAL, len(_head)) < 0


def _first_global(pickle: bytes) -> tuple[bytes, bytes]:
    """Return the names of the module and the object that a pickle of a call begins with, (b"", b"") if otherwise."""
    start = _FRAME if pickle[_PROTO] == _FRAME_OPCODE else _PROTO
    if pickle[start] != _SHORT_BINUNICODE:
        return b"", b""
    module, start = _text(pickle, start)
    if pickle[start : start + 2] == _MEMOIZE_AND_TEXT:  # not so in a head that was made without a memo
        start += 1
    return module, _text(pickle, start)[0]


def _text(pickle: bytes, start: int) -> tuple[bytes, int]:
    end = start + 2 + pickle[start + 1]
    return pickle[start + 2 : end], end
