"""The parent's `__main__` in another interpreter, under multiprocessing's `__mp_main__` convention.

Owns the copy of a main module: loaded once per interpreter, and found while something is unpickled. The copy is kept
here, not looked for in `sys.modules`, where multiprocessing puts an interpreter's own `__main__` under the name of
`__mp_main__` when it is imported. In the main interpreter both names are the main module itself, so that instances of
its classes go there and come back.

A worker expects a main module: `expect_main` says which. From then on the copy takes the place of `__main__` for good
once it is loaded, as in a spawned child of multiprocessing, and `load_main_ahead` loads it before anything needs it.
Elsewhere it is in that place only while something is unpickled. `forget_main` ends both.

What the module raises is kept: it is not run again for every task that needs it.
"""

import marshal
import os
import sys
from _thread import RLock

from interp_api._pickling.cloud import advise
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from interp_api._pickling.main_note import MainSpec

    type MainNote = tuple[MainSpec, bytes | None]  # and the source, if it was read

_GUARD = '`if __name__ == "__main__":`'
# Whatever is in that place later, and however the loading was stopped. Not the program's own: holding it would have the
# runtime clear other modules before it, at exit, and finalizers of its objects miss what they need.
_own_main = None if IS_MAIN_INTERPRETER else sys.modules["__main__"]
_started_in = ""
if IS_MAIN_INTERPRETER:
    try:
        _started_in = os.getcwd()
    except OSError:
        pass  # somebody deleted it

_lock = RLock()
_expected: "MainNote | None" = None
_copy: "ModuleType | None" = None
_loaded_from: "MainSpec | None" = None
_failed: "tuple[MainSpec, BaseException] | None" = None
_loading = False
_is_adopted = False  # whether the copy stays in the place of `__main__`

owned_names: set[str] = set()
"""Names that functions of the main module, which have come by value, assign here."""
by_value_names: set[str] = set()
"""Names of the interpreter's own `__main__` that came with them."""


def check_main_is_not_loading(what: str) -> None:
    """Refuse to start workers from a copy of the main module: it would start them again from inside each worker.

    Raises:
        RuntimeError: the main module lacks its guard.
    """
    if _loading:
        raise RuntimeError(
            f"cannot {what} while a worker loads the main module: put the code that starts workers under {_GUARD}"
        )


def note_main() -> "MainNote | None":
    """Return how other interpreters can load this one's main module, with its source; None if they cannot.

    They cannot load -c, stdin and the REPL. What the first call has found is what later ones return, also after the
    script has ended.
    """
    if _expected is not None:
        return _expected
    if _loaded_from is not None:
        return _loaded_from, None
    from interp_api._pickling.main_note import note_main as note

    return note(_started_in)


def main_spec() -> "MainSpec | None":
    """Return `note_main()` without the source."""
    note = note_main()
    return None if note is None else note[0]


def expect_main(note: "MainNote | None") -> None:
    """In a worker, say which main module it is to have, and that this takes the place of its `__main__`.

    Who looks there for a name that is not there has the main module loaded, if that has a guard.
    """
    global _expected, _is_adopted
    _expected, _is_adopted = note, True
    if note is not None and _own_main is not None:
        _own_main.__dict__["__getattr__"] = _find_in_main


def _find_in_main(name: str) -> object:
    """What a worker's own `__main__` has for a module-level `__getattr__` until it is the program's."""
    if name[:2] != "__":
        with _lock:
            if not _loading:
                _load_guarded()
        if hasattr(_copy, name):
            return getattr(_copy, name)
    raise AttributeError(f"module '__main__' has no attribute {name!r}", name=name, obj=_own_main)


def load_main_ahead() -> None:
    """Load the expected main module, if it is one that may be loaded before a task needs it.

    One without a guard is not: that would run the whole program again, until it makes its pool. A failure is kept for
    those who need the module.

    Raises:
        BaseException: an exception from outside, that stops the task.
    """
    if _expected is not None and marshal.loads(_expected[0])[2]:
        _load_guarded()


def _load_guarded() -> None:
    if _expected is None or _copy is not None or IS_MAIN_INTERPRETER:
        return
    try:
        _load(_expected[0], is_guarded=True)
    except (Exception, SystemExit):
        pass  # it is kept


def is_main_loaded(spec: "MainSpec") -> bool:
    """Return whether this main module is there."""
    return IS_MAIN_INTERPRETER or (_copy is not None and _loaded_from == spec)


def is_main_copied() -> bool:
    """Return whether this interpreter's `__main__` is the copy."""
    return _copy is not None and sys.modules["__main__"] is _copy


def load_main(spec: "MainSpec") -> "ModuleType":
    """Return the copy of the main module, loading it the first time; in the main interpreter the main module.

    Raises:
        RuntimeError: it cannot be loaded; what it raised is the cause.
    """
    if IS_MAIN_INTERPRETER:
        return sys.modules["__main__"]
    with _lock:
        if _loading:
            return sys.modules["__mp_main__"]  # what there is of it: its own body wants it
        try:
            module = _load(spec, is_guarded=False)
        except (Exception, SystemExit) as exc:
            if _failed is None:
                raise  # it was not the module's
            name, path, _, _ = marshal.loads(spec)
            text = f"cannot load the main module {name or path!r} in a worker: {type(exc).__name__}: {exc}"
            if _GUARD in text:
                remedy = "define what it sends in a module"
            else:
                remedy = f"put what only the program itself is to do under {_GUARD}, or what it sends into a module"
            raise RuntimeError(advise(text, remedy)) from exc
        assert module is not None
        return module


def _load(spec: "MainSpec", *, is_guarded: bool) -> "ModuleType | None":
    global _copy, _loaded_from, _loading, _failed
    with _lock:
        if _copy is not None and _loaded_from == spec:
            return _copy
        if _failed is not None and _failed[0] == spec:
            raise _failed[1]
        from interp_api._pickling.main_code import find_code, has_guard, run_code

        name, path, _, argv = marshal.loads(spec)
        source = _expected[1] if _expected is not None and _expected[0] == spec else None
        own_main = sys.modules["__main__"]
        _loading = True
        try:
            code, found = find_code(name, path, source)
            if is_guarded and not has_guard(code):
                return None
            _copy, _loaded_from = run_code(code, found, path, argv), spec
        except (Exception, SystemExit) as exc:
            _failed = spec, exc
            raise
        finally:
            _loading = False
        if not _is_adopted:
            sys.modules["__main__"] = own_main
        return _copy


def forget_main() -> None:
    """Drop the copy and empty this interpreter's own `__main__`."""
    global _expected, _copy, _loaded_from, _failed, _is_adopted
    _expected = _copy = _loaded_from = _failed = None
    _is_adopted = False
    if _own_main is not None:
        sys.modules.pop("__mp_main__", None)
        sys.modules["__main__"] = _own_main
    names = sys.modules["__main__"].__dict__
    for name in ("__getattr__", *by_value_names):
        names.pop(name, None)
    owned_names.clear()
    by_value_names.clear()
    for name in [name for name in names if not (name.startswith("__") and name.endswith("__"))]:
        del names[name]


def alias_main() -> None:
    """In the main interpreter, let `__mp_main__` name the main module itself."""
    if IS_MAIN_INTERPRETER and "__mp_main__" not in sys.modules:
        sys.modules["__mp_main__"] = sys.modules["__main__"]


class MainInPlace:
    """While active, `__main__` is the copy loaded from `spec` (in the main interpreter: itself)."""

    __slots__ = ("_own", "_spec")

    def __init__(self, spec: "MainSpec") -> None:
        self._spec = spec

    def __enter__(self) -> None:
        _lock.acquire()
        try:
            self._own: Any = sys.modules["__main__"]
            copy = load_main(self._spec)
            if not IS_MAIN_INTERPRETER:
                sys.modules["__main__"] = sys.modules["__mp_main__"] = copy
        except BaseException:
            _lock.release()
            raise

    def __exit__(self, *exc_info: object) -> None:
        if not _is_adopted:
            sys.modules["__main__"] = self._own
        _lock.release()


if IS_MAIN_INTERPRETER:
    from interp_api._wakeup.fork import renew_in_child

    renew_in_child(_lock)
