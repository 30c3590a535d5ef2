"""The globals of functions that go by value because nobody can load the main module they are of: the REPL, a notebook.

At the receiver they have one namespace, its own `__main__`, as they have one at the sender: an initializer sets what a
task reads. Each function brings the values that it names, so a worker sees what the program has assigned since. But a
name that one of them assigns is the worker's own from then on, and the program's own namespace is never changed.
"""

import sys
from types import CodeType

from interp_api._pickling.main_module import by_value_names, owned_names
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any


class MainGlobals:
    """Stands for the main module's namespace while a function is pickled; the receiver gets its own."""

    __slots__ = ()

    def __reduce__(self) -> "tuple[object, ...]":
        return main_globals, ()


def share_globals(function: "FunctionType", reduced: "Any") -> "Any":
    """Return what cloudpickle says of a function, the namespace in place of a copy; the same if that is otherwise."""
    if function.__globals__ is not sys.modules["__main__"].__dict__:
        return reduced
    try:
        make, (code, base, *rest), (attributes, slots), items, pairs, setter = reduced
        names = slots["__globals__"]
    except (TypeError, ValueError, KeyError):
        return reduced  # it is another cloudpickle
    if type(base) is not dict or type(names) is not dict:
        return reduced
    state: Any = (names, tuple(_stored(function.__code__)), setter, (attributes, {**slots, "__globals__": {}}))
    return make, (code, MainGlobals(), *rest), state, items, pairs, set_state


def _stored(code: CodeType) -> "set[str]":
    """Return the global names that a function assigns."""
    from dis import get_instructions

    names = {step.argval for step in get_instructions(code) if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")}
    return names.union(*(_stored(const) for const in code.co_consts if type(const) is CodeType))


def main_globals() -> "dict[str, Any]":
    """Return the namespace of this interpreter's `__main__`."""
    return sys.modules["__main__"].__dict__


def set_state(
    function: "FunctionType",
    state: "tuple[dict[str, Any], tuple[str, ...], Callable[[FunctionType, Any], object], Any]",
) -> None:
    """Give a function what it had at the sender."""
    names, stored, setter, rest = state
    setter(function, rest)
    namespace = function.__globals__
    for name, value in names.items():
        if IS_MAIN_INTERPRETER or name in owned_names or name[:2] == "__":
            if name not in namespace:
                namespace[name] = value
                by_value_names.add(name)
        else:
            namespace[name] = value
    owned_names.update(stored)
