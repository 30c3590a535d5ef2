"""What goes along of a caller's context with its tasks.

Owns what is taken: of the variables that were declared those that are set, of "all" those that can be sent; decimal's
context, if it is not as at the start; the warning filters. It is taken and pickled once, in the caller's thread, for
one task or for all items of a map. What a worker makes of it is `_worker.carried`'s.
"""

import sys
from contextvars import copy_context
from functools import partial

import interp_api
from interp_pool._errors import TaskPicklingError
from interp_pool._options.variables import ALL, NAMELESS, describe, place_of, tell_once
from interp_pool._wire.texts import brief
from interp_pool._worker.carried import Found, decoded_function, in_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context
    from typing import Any

    from interp_api import Payload
    from interp_pool._options.variables import Declaration, Place, Variable

    # Payloads of the variables, what to call these where "all" were declared, decimal's context, the warning filters.
    type Parts = tuple[list[Payload], tuple[str, ...] | None, Payload | None, Payload | None]

_UNSET = object()
_OURS = "interp_pool."
_WARNINGS = "_py_warnings", "warnings"  # where the filters are a variable's, they go along as filters
# decimal's context as every interpreter begins with it, but for the flags: their order is that of its reduce method.
_DECIMAL = 28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0
_DECIMAL_TRAPS = frozenset(("InvalidOperation", "DivisionByZero", "Overflow"))

_encoded_filters: "tuple[list[Any], Payload]" = [], b""


class Carried:
    """What goes along with the tasks of one caller. Thread safety: yes, it does not change."""

    __slots__ = ("_parts",)

    def __init__(self, declared: "Declaration") -> None:
        """Take it from the context of this thread.

        Raises:
            TaskPicklingError: the value of a variable that was declared cannot be pickled.
        """
        context = copy_context()
        names: tuple[str, ...] | None = None
        if declared == ALL:
            taken = dict(_all(context))
            names, entries = tuple(map(describe, taken)), [*taken.values()]
        else:
            entries = [_entry(each, context) for each in declared]
        self._parts: Parts = entries, names, _encoded_decimal(), _encode_filters()

    def around(self, function: "Callable[..., Any]") -> "Callable[..., Any]":
        """Return what to send in place of a function."""
        if interp_api.is_importing():
            try:
                return _Sent(_Encoded(interp_api.encode_call(function, (), {})), self._parts)
            except Exception:
                pass  # it cannot be sent: its task says so
        return _Sent(function, self._parts)


class _Encoded:
    """Stands for a function that was encoded while a module is imported, in whose body it may be.

    Who else encoded it, as others do for the later items of a map, would wait for the end of that import.
    """

    __slots__ = ("_payload",)

    def __init__(self, payload: "Payload") -> None:
        self._payload = payload

    def __call__(self) -> None:
        """Be a function for type checkers."""

    def __reduce__(self) -> "tuple[Callable[..., Any], tuple[Payload]]":
        return decoded_function, (interp_api.enclose(self._payload),)


class _Sent:
    """Stands for a function while it is pickled; the receiver gets one that runs in this context."""

    __slots__ = ("_function", "_parts")

    def __init__(self, function: "Callable[..., Any]", parts: "Parts") -> None:
        self._function, self._parts = function, parts

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        return self._function(*args, **kwargs)

    def __reduce__(self) -> "tuple[Callable[..., Any], tuple[Any, ...]]":
        entries, names, decimal, filters = self._parts
        enclosed = tuple(map(interp_api.enclose, entries))
        return in_context, (interp_api.portable(self._function), enclosed, names, decimal, filters)


def _entry(variable: "Variable", context: "Context", place: "Place | None" = None) -> "Payload":
    """Encode a variable with its value, if it has one.

    Raises:
        TaskPicklingError: it cannot be sent.
    """
    place = place or place_of(variable)
    if place is None:  # now: it had a name when it was declared
        raise TaskPicklingError(f"cannot send {describe(variable)}: {NAMELESS}")
    value = context.get(variable, _UNSET)
    found = Found(variable, *place)
    entry = (found,) if value is _UNSET else (found, value)
    try:
        return interp_api.encode(entry, share=False)
    except Exception as exc:
        if not interp_api.comes_again(exc, partial(interp_api.encode, entry, share=False)):
            raise
        raise TaskPicklingError(f"cannot send the value of {describe(variable)}: {brief(exc)}") from exc


def _all(context: "Context") -> "Iterator[tuple[Variable, Payload]]":
    decimal: Any = sys.modules.get("decimal")
    for variable, value in context.items():
        if decimal is not None and type(value) is decimal.Context:
            continue  # goes along in its own way
        place = place_of(variable)
        if place is None:
            tell_once(f"{describe(variable)} does not go along with tasks: {NAMELESS}")
        elif not place[0].startswith(_OURS) and place[0] not in _WARNINGS:
            try:
                entry = _entry(variable, context, place)
            except TaskPicklingError as exc:
                tell_once(f"{describe(variable)} does not go along with tasks: {brief(exc.__cause__ or exc)}")
            else:
                yield variable, entry


def _encoded_decimal() -> "Payload | None":
    """Encode decimal's context, None if it is as at the start."""
    decimal: Any = sys.modules.get("decimal")
    if decimal is None:
        return None
    context: Any = decimal.getcontext()
    _, (*plain, _flags, traps) = context.__reduce__()
    if tuple(plain) == _DECIMAL and _DECIMAL_TRAPS.issuperset(each.__name__ for each in traps) and len(traps) == 3:
        return None
    return interp_api.encode(context, share=False)


def _encode_filters() -> "Payload | None":
    """Encode the warning filters, once as long as they stay the same; None if nobody here has looked at them."""
    global _encoded_filters
    if "warnings" not in sys.modules:
        return None
    from interp_pool._seeing.filters import current_filters

    filters, payload = _encoded_filters
    current = current_filters()
    if current != filters or not payload:
        # The main module's name in a payload says that the worker is to load that.
        plain = [(*entry[:3], 0 if entry[3] == "__main__" else entry[3], *entry[4:]) for entry in current]
        payload = interp_api.encode(plain, share=False)
        _encoded_filters = current, payload
    return payload
