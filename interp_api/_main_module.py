"""The parent's `__main__` in another interpreter, under multiprocessing's `__mp_main__` convention.

Owns how a main module is described, loaded once per interpreter, and found while something is unpickled. The loaded
copy is `sys.modules["__mp_main__"]`; in the main interpreter that name is an alias of `__main__`, so that instances of
its classes go there and come back.
"""

import sys
from _thread import RLock

from interp_api._cpython import CURRENT_ID, main_interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

type MainSpec = tuple[str, str]
"""How to load a main module: ("name", dotted name) for `python -m`, ("path", file) for a script."""

_lock = RLock()
_loaded_from: MainSpec | None = None
_loading = False
_set_aside: "ModuleType | None" = None  # this interpreter's own `__main__` while the copy is in its place


def check_main_is_not_loading(what: str) -> None:
    """Refuse to start workers from a copy of the main module: it would start them again from inside each worker.

    Raises:
        RuntimeError: the main module lacks its guard.
    """
    if _loading:
        raise RuntimeError(
            f"cannot {what} while a worker loads the main module: "
            'put the code that starts workers under `if __name__ == "__main__":`'
        )


def main_spec() -> MainSpec | None:
    """Return how other interpreters can load this one's main module; None if they cannot (-c, stdin, the REPL)."""
    if _loaded_from is not None:
        return _loaded_from
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    name = getattr(spec, "name", None)
    if isinstance(name, str) and name != "__main__":
        return ("name", name)
    path = getattr(main, "__file__", None)
    if not isinstance(path, str):
        return None
    import os

    path = os.path.abspath(path)
    return ("path", path) if os.path.exists(path) else None


def load_main(spec: MainSpec) -> "ModuleType":
    """Return the copy of the main module, loading it the first time.

    Raises:
        Exception: whatever the module raises.
    """
    global _loaded_from, _loading
    with _lock:
        module = sys.modules.get("__mp_main__")
        if module is not None and (_loaded_from == spec or _loaded_from is None):
            return module
        import runpy
        from types import ModuleType

        module = ModuleType("__mp_main__")
        _loading = True
        try:
            if spec[0] == "name":
                content = runpy.run_module(spec[1], run_name="__mp_main__", alter_sys=True)
            else:
                content = runpy.run_path(spec[1], run_name="__mp_main__")
        finally:
            _loading = False
        module.__dict__.update(content)
        sys.modules["__mp_main__"] = module
        _loaded_from = spec
        return module


def adopt_main() -> None:
    """Make the copy, once something needed it, this interpreter's `__main__` for good, as multiprocessing does."""
    global _set_aside
    copy = sys.modules["__mp_main__"]
    if sys.modules["__main__"] is not copy:
        _set_aside = sys.modules["__main__"]
        sys.modules["__main__"] = copy


def forget_main() -> None:
    """Drop the copy and empty this interpreter's own `__main__`."""
    global _loaded_from, _set_aside
    _loaded_from = None
    sys.modules.pop("__mp_main__", None)
    if _set_aside is not None:
        sys.modules["__main__"], _set_aside = _set_aside, None
    names = sys.modules["__main__"].__dict__
    for name in [name for name in names if not (name.startswith("__") and name.endswith("__"))]:
        del names[name]


def alias_main() -> None:
    """In the main interpreter, let `__mp_main__` name the main module itself."""
    if main_interpreter()[0] == CURRENT_ID and "__mp_main__" not in sys.modules:
        sys.modules["__mp_main__"] = sys.modules["__main__"]


class MainInPlace:
    """While active, `__main__` is the copy loaded from `spec` (in the main interpreter: itself)."""

    __slots__ = ("_own", "_spec")

    def __init__(self, spec: MainSpec) -> None:
        self._spec = spec

    def __enter__(self) -> None:
        _lock.acquire()
        try:
            self._own = sys.modules["__main__"]
            sys.modules["__main__"] = load_main(self._spec)
        except BaseException:
            _lock.release()
            raise

    def __exit__(self, *exc_info: object) -> None:
        sys.modules["__main__"] = self._own
        _lock.release()
