"""The bundle: the code of our own modules in one piece, for new interpreters.

A worker has some forty modules. To find and read each takes as long as to run it; and where there are no compiled
files, as in a container with PYTHONDONTWRITEBYTECODE, every worker would compile them anew. So all interpreters but the
first get the code from the one that makes them: as a view of its memory, for most of it no worker ever needs.

Owns what is in it. `_worker.unbundle` is the inside.
"""

import marshal
import sys
from importlib.machinery import SourceFileLoader
from itertools import count
from types import CodeType

from interp_pool._worker import unbundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_api import Interpreter
    from interp_pool._worker.unbundle import Entry

_NAMES = "interp_pool._worker.loop", "interp_api._interpreters.remote"  # which import the others
_BUNDLE = "__interp_pool_bundle__"  # bound in `__main__` until its loading begins
_ROOMS = (  # with the modules a worker needs from its start
    *("interp_api._pickling.", "interp_api._runtime.", "interp_api._wakeup."),
    *("interp_pool._wire.", "interp_pool._worker."),
)
_OTHERS = "interp_api", "interp_api._interpreters", "interp_api._interpreters.remote", "interp_pool"
_LOAD = compile(
    "(lambda loads, names, own, entries, codes: (exec(loads(own), names), "
    f"names['load'](loads(entries), codes, {_NAMES!r})))("
    f"__import__('marshal').loads, {{'__name__': {unbundle.__name__!r}}}, *globals().pop({_BUNDLE!r}))",
    "<interp_pool>",
    "exec",
)

_numbers = count()  # of the interpreters that were made
_new: set[int] = set()  # the ids of those that have none of our modules yet
# Once there is one: the marshalled code of unbundle, the marshalled entries, the marshalled code of all of them.
_made: list[tuple[bytes, bytes, memoryview]] = []


def note_new(interpreter: "Interpreter") -> None:
    """Note that an interpreter has none of our modules yet."""
    _new.add(interpreter.id)


def load_into(interpreter: "Interpreter") -> None:
    """Load our own modules in an interpreter that nobody else enters, if it is new.

    Raises:
        ExecutionFailed: a module could not be loaded.
    """
    if interpreter.id not in _new:
        return
    _new.discard(interpreter.id)
    if not _made and next(_numbers) == 1:  # the first loads its modules before anybody knows whether there is a second
        _make()
    if _made:
        interpreter.prepare_main({_BUNDLE: _made[0]})
        interpreter.exec(_LOAD)


def _make() -> None:
    """Make the bundle; not if some of it was not loaded from a source file."""
    entries: dict[str, Entry] = {}
    codes = bytearray()
    for name, module in [*sys.modules.items()]:
        if name in _OTHERS or f"{name}.".startswith(_ROOMS):
            spec: Any = getattr(module, "__spec__", None)
            code = _code_of(spec)
            if code is None:
                return
            places = spec.submodule_search_locations
            start = len(codes)
            codes += marshal.dumps(code)
            entries[name] = spec.origin, spec.cached, places and [*places], start, len(codes)
    own = _code_of(unbundle.__spec__)
    if own is not None:
        _made.append((marshal.dumps(own), marshal.dumps(entries), memoryview(bytes(codes))))


def _code_of(spec: "Any") -> CodeType | None:
    loader = getattr(spec, "loader", None)
    if type(loader) is not SourceFileLoader:
        return None
    try:
        return loader.get_code(spec.name)
    except (ImportError, OSError, SyntaxError):
        return None  # a worker that needs the file says so itself
