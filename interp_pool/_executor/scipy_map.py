"""scipy_map: an executor for the `workers` argument of SciPy's solvers.

Owns how a solver's calls of the user's function reach workers, which can load neither SciPy nor NumPy. A solver does
not map that function itself, but an object of its own that calls it, and that prepares the argument and looks at the
result with NumPy. So each item goes three ways:

    M1  the object is called here, with something in the place of the user's function that notes its arguments
    M2  the user's function is called with them, in a worker; arrays are lists there, and NumPy's numbers are Python's
    M3  the object is called here again, with something in that place that returns what the worker has

It must not import SciPy. The object is known by the module of its class, and what it calls by the name of an attribute,
which is private: tested with SciPy 1.18.1.
"""

from copy import copy
from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol

    class HasMap(Protocol):
        """An executor, or a view of one."""

        def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterator[Any]: ...

    type Call = tuple[tuple[Any, ...], dict[str, Any]]


_CALLED = "f", "fun", "field"  # attributes of SciPy's objects


def scipy_map(executor: "HasMap") -> "Callable[[Callable[..., Any], Iterable[Any]], list[Any]]":
    """Return what `scipy.optimize` takes for `workers`: a solver then calls the objective in workers.

    `differential_evolution(f, bounds, workers=scipy_map(ex), updating="deferred")`, `brute(f, ranges,
    workers=scipy_map(ex))`, `minimize(f, x0, options={"workers": scipy_map(ex)})` for its derivatives, `shgo(f, bounds,
    workers=scipy_map(ex))`.

    The objective is a function of a module, which imports neither NumPy nor SciPy. It gets a list of floats, and so do
    further arguments that are arrays; it returns a float.

    Args:
        executor: whose `map` is called; a view with options is one, too.

    Raises:
        TypeError: the executor has no `map`.
        NotImplementedError: from the solver: what it has its workers do is not only to call the objective.
        Exception: from the solver, whatever the objective raises.

    Blocks: what is returned blocks until all results are there.

    Thread safety: as that of the executor.
    """
    if not callable(getattr(executor, "map", None)):
        raise TypeError(f"executor must have a map method, got {executor!r}")
    return partial(_map, executor)


def _map(executor: "HasMap", func: "Callable[..., Any]", items: "Iterable[Any]") -> "list[Any]":
    if isinstance(func, FunctionType) and _is_scipys(func):
        raise NotImplementedError(
            f"scipy_map cannot send {func.__qualname__}() to a worker: it is SciPy's own and needs NumPy; leave out "
            "workers, or give it the map of a ThreadPoolExecutor"
        )
    function, with_another = _find_function(func)
    given = [*items]
    noting = with_another(_note)
    noted = [_call_noted(noting, item) for item in given]  # M1
    calls = [call for call in noted if isinstance(call, _Noted)]
    values = iter(_call_in_workers(executor, function, calls))  # M2

    def answer(*_: object, **__: object) -> "Any":
        return next(values)

    answering = with_another(answer)
    return [  # M3
        answering(item) if isinstance(outcome, _Noted) else outcome for item, outcome in zip(given, noted, strict=True)
    ]


class _Noted(BaseException):
    """Leads out of SciPy's object, which catches Exception."""

    def __init__(self, args: "tuple[Any, ...]", keywords: "dict[str, Any]") -> None:
        self.arguments, self.keywords = args, keywords


def _note(*args: "Any", **keywords: "Any") -> None:
    raise _Noted(args, keywords)


def _call_noted(noting: "Callable[[Any], Any]", item: object) -> "Any":
    """Return the call of the user's function for an item, or what came without one."""
    try:
        return noting(item)
    except _Noted as call:
        return call.with_traceback(None)


def _call_in_workers(executor: "HasMap", function: "Callable[..., Any]", calls: "list[_Noted]") -> "list[Any]":
    if not calls:
        return []
    keywords = {name: _plain(value) for name, value in calls[0].keywords.items()}  # the same for all
    columns = zip(*([_plain(arg) for arg in call.arguments] for call in calls), strict=True)
    return [*executor.map(partial(function, **keywords) if keywords else function, *columns)]


def _plain(value: "Any") -> "Any":
    """Return lists and Python's numbers for what is NumPy's."""
    return value.tolist() if type(value).__module__.partition(".")[0] == "numpy" else value


def _is_scipys(thing: "Any") -> bool:
    return str(thing.__module__).partition(".")[0] == "scipy"


def _find_function(func: "Any") -> "tuple[Callable[..., Any], Callable[[Any], Any]]":
    """Return the user's function, and what makes another such object that calls something else in its place."""
    if isinstance(func, MethodType) and _is_scipys(type(func.__self__)):
        name = func.__name__
        function, with_another = _find_in(func.__self__)
        return function, lambda inner: getattr(with_another(inner), name)
    if _is_scipys(type(func)):
        return _find_in(func)
    return func, lambda inner: inner


def _find_in(owner: "Any") -> "tuple[Callable[..., Any], Callable[[Any], Any]]":
    attributes: dict[str, Any] = owner.__dict__
    name = next((each for each in _CALLED if callable(attributes.get(each))), None)
    if name is None:
        raise NotImplementedError(
            f"scipy_map cannot find your function in {type(owner).__module__}.{type(owner).__qualname__}: what this "
            "solver has its workers do needs NumPy; leave out workers, or give it the map of a ThreadPoolExecutor"
        )
    function, with_another = _find_function(attributes[name])

    def made_with(inner: "Any") -> "Any":
        made = copy(owner)
        setattr(made, name, with_another(inner))
        return made

    return function, made_with
