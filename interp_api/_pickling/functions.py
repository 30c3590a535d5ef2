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

from interp_api._pickling.main_module import main_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    type Reduced = tuple[Callable[..., FunctionType], tuple[object, ...]]
    # The code, marshalled if it names builtins alone, the names, and the modules it imports, "." for a relative one.
    type Stateless = tuple[CodeType, bytes, frozenset[str], frozenset[str]]

_BUILTIN_NAMES = frozenset(dir(builtins))
_BUILTIN_MODULES = frozenset(sys.builtin_module_names)
_GLOBAL_OPS = (
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "STORE_GLOBAL",
    "STORE_NAME",
    "DELETE_GLOBAL",
    "DELETE_NAME",
)
_PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes)
_NAMESPACE_READERS = frozenset(("globals", "vars", "dir", "eval", "exec"))

_stateless: "WeakKeyDictionary[FunctionType, Stateless]" = WeakKeyDictionary()


def find_reference(function: "FunctionType | type") -> str | None:
    """Return the module through which a function or class can be imported by name, None if it cannot."""
    module = sys.modules.get(function.__module__)
    found: object = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return function.__module__ if found is function else None


def _examine(function: FunctionType) -> "Stateless | None":
    """Return what there is to send of a function that needs nothing but its arguments and the builtins."""
    known = _stateless.get(function)
    if known is None or known[0] is not function.__code__:
        code = function.__code__
        names = _global_names(code)
        whole = marshal.dumps(code) if names <= _BUILTIN_NAMES else b""
        known = _stateless[function] = code, whole, names, _imports(code)
    if not known[1]:
        return None
    if function.__closure__ or function.__dict__ or function.__type_params__:
        return None
    # What the function's module defines, `__name__` among it, is not what the builtins define.
    if not known[2].isdisjoint(function.__globals__):
        return None
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return known if all(type(value) in _PLAIN_TYPES for value in defaults) else None


def _global_names(code: CodeType) -> frozenset[str]:
    from dis import get_instructions

    names = {instruction.argval for instruction in get_instructions(code) if instruction.opname.startswith(_GLOBAL_OPS)}
    return frozenset(names).union(*(_global_names(const) for const in code.co_consts if type(const) is CodeType))


def _imports(code: CodeType) -> frozenset[str]:
    from dis import get_instructions

    found: set[str] = set()
    steps = list(get_instructions(code))
    for number, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            # The level and the names wanted are loaded right before it.
            found.add("." if steps[number - 2].argval else step.argval)
    return frozenset(found).union(*(_imports(const) for const in code.co_consts if type(const) is CodeType))


def reduce_stateless(function: FunctionType) -> "Reduced | None":
    """Return how to pickle a function by value, None if it is not stateless."""
    known = _examine(function)
    if known is None:
        return None
    rebuild = rebuild_function if known[3] <= _BUILTIN_MODULES else rebuild_importing_function
    return rebuild, (
        known[1],
        function.__name__,
        function.__qualname__,
        function.__defaults__,
        function.__kwdefaults__,
    )


class ByValue:
    """Stands for a stateless function while it is pickled; the receiver gets the function."""

    __slots__ = ("_reduced",)

    def __init__(self, reduced: "Reduced") -> None:
        self._reduced = reduced

    def __reduce__(self) -> "Reduced":
        return self._reduced


def by_value(function: "Callable[..., Any]") -> "Callable[..., Any] | ByValue":
    """Return what to pickle for a callable of `__main__`: a stand-in if it is stateless, otherwise itself."""
    if type(function) is not FunctionType:
        return function
    reduced = reduce_stateless(function)
    if reduced is None:
        return function
    # One that looks into its namespace means the module it was written in, if the receiver can have that. So does one
    # that imports relatively.
    _, _, names, imports = _stateless[function]
    if not (_NAMESPACE_READERS.isdisjoint(names) and "." not in imports) and main_spec() is not None:
        return function
    return ByValue(reduced)


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


def rebuild_importing_function(*parts: "Any") -> FunctionType:
    """Do the same for a function that imports modules: what `__main__` has made of these may matter to it."""
    return rebuild_function(*parts)
