"""What a worker's interpreter is like before its first task; runs INSIDE it, once.

Owns what must be noted then so that `_worker.reset` can set it back later. Every worker imports this file, and pays for
what is noted with its memory: dictionaries of what is there anyway.
"""

import _codecs
import builtins
import copyreg
import gc
import sys

from interp_pool._worker.measured import is_measured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._wire.messages import Noted

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
_MOST_NOTED = 100

refused: "list[Noted]" = []
"""The extension modules that could not be loaded, since somebody has emptied the list."""


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
        "has_garbage",
        "is_measured",
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
        self.has_garbage = False  # modules were removed, and are to be freed
        self.is_measured = is_measured()
        self.reducers = {**copyreg.dispatch_table}
        self.error_handlers = {name: _codecs.lookup_error(name) for name in _ERROR_HANDLERS}
        self.codec_errors, self.codec_searches = _note_codecs()
        _note_refused()

    def mend_builtins(self) -> None:
        """Put back what the program has replaced in `builtins`, or removed: any code that runs here may need it.

        CPython 3.14 crashed in closing an interpreter whose `len` was another (3 of 7 runs).
        """
        names = builtins.__dict__
        for name, value in self.builtins.items():
            if names.get(name) is not value:
                names[name] = value

    def mend_modules(self) -> bool:
        """Put back the modules that the program has taken away; return whether there were any.

        Exit functions import, and the runtime looks for modules there when it closes an interpreter.
        """
        missing = {name: module for name, module in self.modules.items() if name not in sys.modules}
        sys.modules.update(missing)
        return bool(missing)


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


def _note_refused() -> None:
    """Have the extension modules noted that cannot be loaded here, where the import system meets them.

    Whoever imports one may go on without it, and leaves no trace.
    """
    loader: Any = sys.modules["_frozen_importlib_external"].ExtensionFileLoader

    def note(name: str, exc: Exception) -> None:
        try:
            from interp_pool._wire.refused import note_refusal

            found = note_refusal(name, exc, sys._getframe(2))  # pyright: ignore[reportPrivateUsage]  # as inspect does
            if found is not None and len(refused) < _MOST_NOTED:
                refused.append(found)
        except Exception:
            pass  # a task has damaged what this needs: the import fails as it does without

    # As methods of the loader, in its own file: a traceback leaves them out, as it does the loader's.
    for method in (loader.create_module, loader.exec_module):

        def load(self: object, given: "Any", method: "Any" = method) -> object:
            try:
                return method(self, given)
            except Exception as exc:
                note(self.name, exc)  # type: ignore[attr-defined]  # a loader's
                raise

        its: Any = method.__code__
        load.__code__ = load.__code__.replace(
            co_filename=its.co_filename, co_name=its.co_name, co_qualname=its.co_qualname
        )
        setattr(loader, method.__name__, load)


def _contents(*lists: "Any") -> "list[tuple[Any, list[Any]]]":
    return [(each, [*each]) for each in lists]
