"""How a function travels: by reference when the receiver can import it, otherwise by value when it is stateless.

Stateless means that the code needs nothing but its arguments and the builtins: no closure, no globals, nothing attached
to the function. Such a function is sent as its marshalled code and runs with the globals of the receiver's `__main__`.

Source: CPython 3.14, `_PyFunction_VerifyStateless` and the "stateless functions" of concurrent.interpreters.
"""

import builtins
import marshal
import sys
from types import CodeType, FunctionType
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Set
    from typing import Any

_BUILTIN_NAMES = frozenset(dir(builtins))
_GLOBAL_OPS = (
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "STORE_GLOBAL",
    "STORE_NAME",
    "DELETE_GLOBAL",
    "DELETE_NAME",
)
_marshalled: "WeakKeyDictionary[FunctionType, bytes]" = WeakKeyDictionary()  # of functions found stateless
_PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes)


def find_reference(function: FunctionType) -> str | None:
    """Return the module through which a function can be imported by name, None if it cannot."""
    module = sys.modules.get(function.__module__)
    found: object = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return function.__module__ if found is function else None


def is_stateless(function: FunctionType) -> bool:
    """Return whether the function needs nothing but its arguments and the builtins."""
    if function.__closure__ or function.__dict__ or function.__type_params__:
        return False
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    # What the function's module defines, `__name__` among it, is not what the builtins define.
    allowed = _BUILTIN_NAMES - function.__globals__.keys()
    return all(type(value) in _PLAIN_TYPES for value in defaults) and _names_only(function.__code__, allowed)


def _names_only(code: CodeType, allowed: "Set[str]") -> bool:
    from dis import get_instructions

    for instruction in get_instructions(code):
        if instruction.opname.startswith(_GLOBAL_OPS) and instruction.argval not in allowed:
            return False
    return all(_names_only(const, allowed) for const in code.co_consts if type(const) is CodeType)


def reduce_stateless(function: FunctionType) -> "tuple[Callable[..., FunctionType], tuple[object, ...]] | None":
    """Return how to pickle a function by value, None if it is not stateless."""
    code = _marshalled.get(function)
    if code is None:
        if not is_stateless(function):
            return None
        code = _marshalled[function] = marshal.dumps(function.__code__)
    return rebuild_function, (
        code,
        function.__name__,
        function.__qualname__,
        function.__defaults__,
        function.__kwdefaults__,
    )


class ByValue:
    """Stands for a stateless function while it is pickled; the receiver gets the function."""

    __slots__ = ("_reduced",)

    def __init__(self, reduced: "tuple[Callable[..., FunctionType], tuple[object, ...]]") -> None:
        self._reduced = reduced

    def __reduce__(self) -> "tuple[Callable[..., FunctionType], tuple[object, ...]]":
        return self._reduced


def by_value(function: "Callable[..., Any]") -> "Callable[..., Any] | ByValue":
    """Return what to pickle for a callable of `__main__`: a stand-in if it is stateless, otherwise itself."""
    reduced = reduce_stateless(function) if type(function) is FunctionType else None
    return function if reduced is None else ByValue(reduced)


def rebuild_function(
    code: bytes,
    name: str,
    qualname: str,
    defaults: tuple[object, ...] | None,
    kwdefaults: dict[str, object] | None,
) -> FunctionType:
    """Return the function that was sent, with the globals of this interpreter's `__main__`."""
    function = FunctionType(marshal.loads(code), sys.modules["__main__"].__dict__, name, defaults)
    function.__qualname__ = qualname
    function.__kwdefaults__ = kwdefaults
    return function
