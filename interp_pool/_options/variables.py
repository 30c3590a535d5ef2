"""Context variables by the names that a worker finds them by.

Owns the `context` of an option, and where in which module a variable is: no pickler can send one, and the worker's own
is another object. It must not know values. This file is loaded where somebody declares variables.

A variable is found as an attribute of a module, of a class in a module, or in a dict of a module, where libraries keep
those that they make as they go. Of several modules that have it, the one is meant that makes it, for others may bring
much along that a worker need not, or cannot, load.
"""

import sys
from contextvars import ContextVar
from itertools import pairwise

import interp_api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Literal

    type Variable = ContextVar[Any]
    type Context = Literal["all"] | Iterable[Variable]
    type Declaration = Literal["all"] | tuple[Variable, ...]
    type Place = tuple[str, str, str | None]
    """Module, dotted name in it, and key if that is a dict."""

ALL: "Literal['all']" = "all"
NAMELESS = "a worker finds a context variable by its name in a module, and no module that it can load has this one"
MAINS = "__main__", "__mp_main__"
_MOST = 1000  # variables that are remembered as nameless: each is kept alive by it

_places: "dict[Variable, Place]" = {}
_nameless: "dict[Variable, int]" = {}  # with the number of modules that were searched
_told: set[str] = set()


def check_context(name: str, value: "Any") -> "Declaration":
    """Check what is to go along with tasks, and return it.

    Raises:
        TypeError: it is neither "all" nor a list of context variables.
        ValueError: a variable is one that no worker could find.
    """
    if isinstance(value, str) and value == ALL:
        return ALL
    wanted = f"{name} must be 'all' or a list of contextvars.ContextVar"
    given: Any = value
    if isinstance(value, str | ContextVar):
        raise TypeError(f"{wanted}, got {given!r}")
    try:
        variables: tuple[Any, ...] = tuple(dict.fromkeys(given))
    except TypeError:
        raise TypeError(f"{wanted}, got {given!r}") from None
    for each in variables:
        if not isinstance(each, ContextVar):
            raise TypeError(f"{wanted}, got one with {each!r}")
    for each in variables:
        if place_of(each) is None:
            raise ValueError(f"cannot send {describe(each)}: {NAMELESS}; bind it at the top level of a module")
    return variables


def describe(variable: "Variable") -> str:
    """Return what to call a variable in messages."""
    return f"context variable {variable.name!r}"


def tell_once(text: str) -> None:
    """Log a line, the first time."""
    if text not in _told:
        _told.add(text)
        from interp_pool._wire.refused import warn

        warn(text)


def place_of(variable: "Variable") -> "Place | None":
    """Return where a worker finds a variable, None if it cannot. Thread safety: yes."""
    known = _places.get(variable)
    if known is not None and _is_at(known, variable):
        return known
    if _nameless.get(variable) == len(sys.modules):
        return None
    found = [place for place in _search(variable) if place[0] not in MAINS or interp_api.is_found_in_main(place[1])]
    if found:
        _places[variable] = place = found[0] if len(found) == 1 else _nearest(found)
        return place
    if len(_nameless) >= _MOST:
        _nameless.clear()
    _nameless[variable] = len(sys.modules)
    return None


def _is_at(place: "Place", variable: "Variable") -> bool:
    module, name, key = place
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if key is not None:
        names: Any = found if type(found) is dict else {}  # pyright: ignore[reportUnknownVariableType]  # whatever it is
        found = names.get(key)
    return found is variable


def _search(variable: "Variable") -> "Iterator[Place]":
    modules: dict[Any, Any] = sys.modules
    for module, loaded in [*modules.items()]:
        names: Any = getattr(loaded, "__dict__", None)
        if type(names) is dict and type(module) is str:
            for name, value in _items(names):
                if value is variable:
                    yield module, name, None
                elif isinstance(value, type) and value.__module__ == module:
                    yield from (
                        (module, f"{name}.{own}", None) for own, each in _items(vars(value)) if each is variable
                    )
                elif type(value) is dict and value is not names:
                    yield from ((module, name, key) for key, each in _items(value) if each is variable)


def _items(names: "Any") -> "list[tuple[Any, Any]]":
    """Return the items of a dict as they are now: other threads may change it."""
    return [*names.items()]


def _nearest(places: "list[Place]") -> "Place":
    """Return the place in the module that makes the variable; the first one, if that is not to be seen."""
    makes = [place for place in places if place[0] not in MAINS and _makes(*place[:2])]
    others = [place for place in places if place[0] not in MAINS]
    return [*makes, *others, *places][0]


def _makes(module: str, name: str) -> bool:
    """Return whether the body of a module binds a name otherwise than by an import."""
    from dis import get_instructions

    spec: Any = getattr(sys.modules[module], "__spec__", None)
    try:
        code = spec.loader.get_code(module)
        steps = [*get_instructions(code)]
    except Exception:
        return False  # it has no code that could be had
    first = name.partition(".")[0]
    return any(
        step.opname in ("STORE_NAME", "STORE_GLOBAL") and step.argval == first and before.opname != "IMPORT_FROM"
        for before, step in pairwise(steps)
    )
