"""How other interpreters can load this one's main module: described once, while that can be told.

The runtime removes `__main__.__file__` when the script ends, and tasks are still pickled and workers still started
then. A program may change its directory, and its file may be replaced or deleted while it runs. So the first who asks
has it noted: where it is, its arguments, and for pools its source.
"""

import marshal
import os
import sys
from _weakref import ref

from interp_api._pickling.main_code import read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

type MainSpec = bytes
"""A main module, marshalled: (dotted name or None, file or None, is it loaded ahead of need, argv)."""

_noted: "tuple[ref[ModuleType], MainSpec, bytes | None] | None" = None


def note_main(started_in: str) -> tuple[MainSpec, bytes | None] | None:
    """Return how to load the main module, and its source if it is in a file.

    None if it cannot be loaded: -c, stdin, the REPL.

    Args:
        started_in: the directory from which the program was started.
    """
    global _noted
    main = sys.modules.get("__main__")
    if main is None:
        return None
    noted = _noted
    if noted is None or noted[0]() is not main:
        described = _describe(main, started_in)
        if described is None:
            return None  # and perhaps not for ever: a debugger gives it a file before it runs one
        noted = _noted = ref(main), *described
    return noted[1:]


def _describe(main: "ModuleType", started_in: str) -> tuple[MainSpec, bytes | None] | None:
    spec: Any = getattr(main, "__spec__", None)
    name: Any = getattr(spec, "name", None)
    if type(name) is not str or name == "__main__":  # which a directory or an archive has
        name = None
    file: Any = getattr(main, "__file__", None)
    path = source = None
    if isinstance(file, str):
        for directory in (started_in, os.getcwd()) if not os.path.isabs(file) else ("",):
            path = os.path.normpath(os.path.join(directory, file))
            source = read_source(path)
            if source is not None:
                break
    if source is None and name is None:
        return None
    is_ahead = _is_loaded_ahead(name, path, is_directory=name is None and spec is not None)
    argv: list[Any] = getattr(sys, "argv", [])  # where Python is embedded there is none
    return marshal.dumps((name, path, is_ahead, tuple(arg for arg in argv if type(arg) is str))), source


def _is_loaded_ahead(name: str | None, path: str | None, *, is_directory: bool) -> bool:
    """Return whether a spawned child of multiprocessing has this main module loaded.

    It leaves out those that are called `__main__`, which have no guard. So are here the launchers of installed
    programs, which bring the whole program into the workers and define nothing.
    """
    if is_directory or (name is not None and name.endswith(".__main__")):
        return False
    if name is not None or path is None:
        return True
    if os.path.splitext(os.path.basename(path))[0] == "ipython":
        return False
    places = {os.path.dirname(sys.executable), os.path.join(sys.prefix, "Scripts" if os.name == "nt" else "bin")}
    return os.path.dirname(path) not in places
