"""A task in the context of its caller; runs wherever tasks do, and is loaded where one has a context.

Owns what a task finds of what `_seeing.carrying` has taken, and that nothing of it is there when the task has ended.
Each call, each item of a map too, runs in a copy of the context that its thread has, with the variables set in it. So
what an initializer has set is there as well, and what one call sets no other sees.

The warning filters are the interpreter's, not the context's (unless it was started with -X context_aware_warnings). So
they are put in the place of the worker's own, and these back: once more behind a task that was struck, which may have
been struck just then. On a thread of the program they are left alone: others would see them.
"""

import sys
from _thread import _get_main_thread_ident, get_ident  # type: ignore[attr-defined]  # what `threading` uses
from contextvars import Context, ContextVar, copy_context

from interp_api import IS_MAIN_INTERPRETER, decode
from interp_pool._wire.failures import set_traceback
from interp_pool._wire.messages import LEFT_OUT
from interp_pool._worker import surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import partial
    from typing import Any, Literal

    from interp_api import Payload

    type Variable = ContextVar[Any]
    type Declaration = Literal["all"] | tuple[Variable, ...]

    Partial = partial[Any]
else:
    from _functools import partial as Partial  # noqa: N812  # functools would bring a dozen more

_LONGEST = 500  # characters of a text

_here: "ContextVar[tuple[Declaration, Context]]" = ContextVar("_here")
_own_filters: "list[list[Any]]" = []  # the worker's, while a task has others
_last_filters: "tuple[object, list[Any]]" = None, []  # decoded last


def _default_of(variable: "Variable") -> tuple[object, ...]:
    try:
        return (Context().run(variable.get),)
    except LookupError:
        return ()


class Found:
    """Stands for a context variable while it is pickled; the receiver gets its own."""

    __slots__ = ("_reduced",)

    def __init__(self, variable: "Variable", module: str, name: str, key: str | None) -> None:
        self._reduced: tuple[object, ...] = module, name
        if key is not None:
            default = _default_of(variable)
            self._reduced += (key, variable.name, *default)

    def __reduce__(self) -> "tuple[Callable[..., Variable], tuple[Any, ...]]":
        return find_variable, self._reduced


def find_variable(module: str, name: str, key: str | None = None, own_name: str = "", *default: object) -> "Variable":
    """Return the variable of that name in a module, which is imported.

    Where a dict has it under a key, in which a library keeps those that it makes as it goes, one is made if need be.

    Args:
        module: its name.
        name: of the variable in it, or of the dict.
        key: in that dict.
        own_name: what to call one that is made.
        default: of that one.
    """
    __import__(module)
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part)
    if key is not None:
        found = found[key] if key in found else found.setdefault(key, _make_variable(own_name, *default))
    variable: Variable = found
    if not isinstance(found, ContextVar):
        raise TypeError(f"{module}.{name} is no context variable in the worker: {type(found).__name__}")
    return variable


def _make_variable(name: str, *default: object) -> "Variable":
    return ContextVar(name, default=default[0]) if default else ContextVar(name)


class InContext(Partial):
    """A function that is called in the context of its task's caller. A partial, so that its own name is told."""

    context: "Context"
    decimal: "Any"
    filters: "list[Any] | None"

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        context = self.context.copy()
        try:
            if self.decimal is not None:
                context.run(sys.modules["decimal"].setcontext, self.decimal.copy())
            if self.filters is not None:
                context.run(_enter_filters, self.filters)
            return context.run(_call, self, *args, **kwargs)
        except BaseException as exc:
            traceback = exc.__traceback__
            set_traceback(exc, traceback and traceback.tb_next)  # without this frame: the task begins below it
            raise
        finally:
            if _own_filters:
                put_back()


_call: "Any" = Partial.__call__


def in_context(
    function: "Callable[..., Any]",
    entries: "tuple[Payload, ...]",
    names: tuple[str, ...] | None,
    decimal: "Payload | None",
    filters: "Payload | None",
) -> InContext:
    """Return a function that is called in the context of its task's caller.

    Args:
        function: the user's.
        entries: payloads of the variables that were declared, each with its value if it has one.
        names: what to call these where "all" were declared: then what is not found here is left out.
        decimal: payload of decimal's context.
        filters: payload of the warning filters.
    """
    made = InContext(function)
    outside, made.context = copy_context(), copy_context()
    variables: list[Variable] = []
    for number, entry in enumerate(entries):
        try:
            decoded: Any = decode(entry)
        except Exception as exc:
            if names is None:
                exc.add_note(f"the value of context variable {number + 1} of {len(entries)} that go along")
                raise
            _tell_left_out(names[number], exc)
            continue
        variables.append(decoded[0])
        if len(decoded) > 1:
            made.context.run(decoded[0].set, decoded[1])
    made.context.run(_here.set, ("all" if names is not None else tuple(variables), outside))
    made.decimal = None if decimal is None else decode(decimal)
    made.filters = None if filters is None else _filters_to_enter(filters)
    return made


def decoded_function(payload: "Payload") -> "Callable[..., Any]":
    """Return the function of a call that was encoded before."""
    call: Any = decode(payload)
    return call[0]  # type: ignore[no-any-return]  # what encode_call made


def _tell_left_out(name: str, exc: Exception) -> None:
    from interp_pool._worker.telling import tell

    tell(LEFT_OUT, f"{name} does not go along with tasks: {type(exc).__name__}: {exc}"[:_LONGEST])


def declared() -> "Declaration | None":
    """Return the variables that go along with the task that runs here; None if it has no context."""
    here = _here.get(None)
    return None if here is None else here[0]


def run_outside(step: "Callable[[], object]") -> None:
    """Take a step that runs other tasks on top of this one, which are not to see its context."""
    here = _here.get(None)
    if here is None:
        step()
        return
    entered = _filters_here() if _own_filters else None
    put_back()
    try:
        here[1].copy().run(step)
    finally:
        if entered is not None:
            _enter_filters(entered)


def put_back() -> None:
    """Give the worker its own warning filters back. Doing so again does no harm."""
    if _own_filters:
        _put(_own_filters[0])
        _own_filters.clear()


def _filters_to_enter(payload: "Payload") -> "list[Any] | None":
    """Return the warning filters of a caller; None if the worker has had the same from its start."""
    global _last_filters
    if payload != _last_filters[0]:
        decoded: Any = decode(payload)
        entries = [(*each[:3], "__main__" if each[3] == 0 else each[3], *each[4:]) for each in decoded]
        _last_filters = payload, entries
    entries = _last_filters[1]
    if entries == surroundings.adopted or not (_is_alone() or _are_in_contexts()):
        return None
    return surroundings.filters_of(entries)


def _is_alone() -> bool:
    """Return whether no other thread of the program has this interpreter's filters."""
    return not IS_MAIN_INTERPRETER or get_ident() == int(_get_main_thread_ident())  # pyright: ignore[reportUnknownArgumentType]


def _are_in_contexts() -> bool:
    flags: Any = sys.flags
    return bool(getattr(flags, "context_aware_warnings", 0))  # CPython 3.14


def _filters_here() -> "list[Any]":
    import warnings

    return warnings.filters  # type: ignore[return-value]  # a list


def _enter_filters(filters: "list[Any]") -> None:
    import warnings

    if _are_in_contexts():
        own: Any = warnings
        warnings.catch_warnings().__enter__()  # in a context that goes with the call
        warnings.resetwarnings()
        own._get_filters().extend(filters)
        return
    _own_filters[:] = [_filters_here()]
    _put([*filters])


def _put(filters: "list[Any]") -> None:
    import warnings

    warnings.filters = []
    warnings.resetwarnings()  # which has the interpreter forget what it has looked up
    warnings.filters = filters
