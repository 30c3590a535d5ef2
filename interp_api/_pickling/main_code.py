"""A main module's source, and running it once more as `__mp_main__`.

Owns what multiprocessing leaves to runpy, with three differences: `sys.argv` stays the program's, the names that its
functions use are those of the module, and the source may be one that was read before the file went away. Imported
where a main module is described or loaded, and nowhere else.
"""

import marshal
import sys
from types import CodeType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

_PYC_HEADER = 16  # bytes in front of the code (PEP 552)

_compiled: tuple[str, bytes, CodeType] | None = None  # the last one: the next executor's is nearly always the same


def read_source(path: str) -> bytes | None:
    """Return what a file has, one in a zip archive too; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return _read_from_archive(path)


def _read_from_archive(path: str) -> bytes | None:
    import os

    head = os.path.dirname(path)
    while head and not os.path.exists(head) and head != os.path.dirname(head):
        head = os.path.dirname(head)
    if not os.path.isfile(head):
        return None
    import zipimport

    try:
        return zipimport.zipimporter(head).get_data(path)
    except (OSError, zipimport.ZipImportError):
        return None


def find_code(name: str | None, path: str | None, source: bytes | None) -> "tuple[CodeType, ModuleSpec | None]":
    """Return the code of a main module, and if it has a name its spec.

    Raises:
        FileNotFoundError: the file has gone.
        Exception: it cannot be found or compiled, or the package around it raises this.
    """
    spec = None
    if name is not None:
        from importlib.util import find_spec

        spec = find_spec(name)  # which imports the package around it
    if source is None:
        loader: Any = None if spec is None else spec.loader
        code: CodeType | None = loader.get_code(name) if hasattr(loader, "get_code") else None
        if code is not None:
            return code, spec
        source = None if path is None else read_source(path)
    if path is None or source is None:
        raise FileNotFoundError(f"its file {path or name!r} has gone")
    return _compile(path, source), spec


def _compile(path: str, source: bytes) -> CodeType:
    global _compiled
    if _compiled is not None and _compiled[:2] == (path, source):
        return _compiled[2]
    if path.endswith(".pyc"):
        code: CodeType = marshal.loads(source[_PYC_HEADER:])
    else:
        code = compile(source, path, "exec", dont_inherit=True)
    _compiled = path, source, code
    return code


def has_guard(code: CodeType) -> bool:
    """Return whether the module's body compares its name with "__main__"."""
    consts = [const for each in code.co_consts for const in (each if type(each) in (tuple, frozenset) else (each,))]
    return "__name__" in code.co_names and "__main__" in consts


def run_code(code: CodeType, spec: "ModuleSpec | None", path: str | None, argv: "Sequence[str]") -> ModuleType:
    """Run the body of a main module as `__mp_main__`; return the module, which then is `__main__` as well.

    Raises:
        BaseException: whatever the body raises; `__main__` and `__mp_main__` are what they were.
    """
    module = ModuleType("__mp_main__")
    names = module.__dict__
    names.update(__file__=path if spec is None else spec.origin, __cached__=None, __builtins__=__builtins__)
    names["__package__"] = ""
    if spec is not None:
        names.update(__spec__=spec, __loader__=spec.loader, __package__=spec.parent, __cached__=spec.cached)
    own_main, other = sys.modules["__main__"], sys.modules.get("__mp_main__")
    own_argv = sys.argv
    if own_argv != [*argv]:
        sys.argv = [*argv]
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    try:
        exec(code, names)
    except BaseException:
        sys.modules["__main__"] = own_main
        if other is None:
            sys.modules.pop("__mp_main__", None)
        else:
            sys.modules["__mp_main__"] = other
        raise
    finally:
        if own_argv != [*argv]:
            sys.argv = own_argv
    return module
