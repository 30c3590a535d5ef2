"""What a worker's interpreter is like before its first task; runs INSIDE it, once.

Owns what must be noted then so that `_worker.reset` can set it back later. Every worker imports this file, and pays for
what is noted with its memory: dictionaries of what is there anyway.
"""

import _codecs
import builtins
import copyreg
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ERROR_HANDLERS = (
    "strict",
    "ignore",
    "replace",
    "xmlcharrefreplace",
    "backslashreplace",
    "namereplace",
    "surrogateescape",
    "surrogatepass",
)


class Baseline:
    """A snapshot of the interpreter that makes it."""

    __slots__ = (
        "builtins",
        "codec_errors",
        "codec_searches",
        "error_handlers",
        "finders",
        "gc_callbacks",
        "gc_state",
        "limits",
        "lists",
        "modules",
        "path",
        "reducers",
        "sys",
    )

    def __init__(self) -> None:
        self.modules = {**sys.modules}
        self.builtins: dict[str, Any] = {**vars(builtins)}
        self.sys: dict[str, Any] = {**vars(sys)}
        self.finders = _contents(sys.meta_path, sys.path_hooks)
        self.lists = _contents(sys.argv, sys.warnoptions)
        self.path = [*sys.path]
        self.limits = sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()
        self.gc_state = gc.isenabled(), gc.get_threshold()
        self.gc_callbacks = [*gc.callbacks]
        self.reducers = {**copyreg.dispatch_table}
        self.error_handlers = {name: _codecs.lookup_error(name) for name in _ERROR_HANDLERS}
        self.codec_errors, self.codec_searches = _note_codecs()

    def mend_builtins(self) -> None:
        """Put back what the program has replaced in `builtins`, or removed: any code that runs here may need it.

        CPython 3.14 crashed in closing an interpreter whose `len` was another (3 of 7 runs).
        """
        names = builtins.__dict__
        for name, value in self.builtins.items():
            if names.get(name) is not value:
                names[name] = value


def _note_codecs() -> "tuple[set[str], list[Callable[..., Any]]]":
    """Have the names of error handlers and the search functions noted that are registered: nothing lists them."""
    import codecs

    names: set[str] = set()
    searches: list[Callable[..., Any]] = []
    register_error, register = codecs.register_error, codecs.register

    def note_error(name: str, handler: "Callable[[UnicodeError], tuple[str | bytes, int]]", /) -> None:
        register_error(name, handler)
        names.add(name)

    def note_search(search_function: "Callable[[str], codecs.CodecInfo | None]", /) -> None:
        register(search_function)
        searches.append(search_function)

    codecs.register_error, codecs.register = note_error, note_search
    return names, searches


def _contents(*lists: "Any") -> "list[tuple[Any, list[Any]]]":
    return [(each, [*each]) for each in lists]
