"""What runs in an interpreter for dask: a call, or the calls that dask has fused into one task.

Interpreters import this file, and it imports nothing of dask: distributed cannot be loaded there, and dask takes long.
"""

from _pickle import dumps, loads  # the pickle module would be one more in every interpreter
from _thread import get_ident
from time import perf_counter, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    type Timed = tuple[object, float, float, int]
    type Step = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    type Outcome = tuple[bool, Any]

PROTOCOL = 5

sends_elsewhere = False
"""Whether a call that arrives here is to go to the worker's own threads: true in a worker's main interpreter alone."""


class Slot:
    """Stands for the result of an earlier step."""

    __slots__ = ("index", "is_last")

    def __init__(self, index: int, is_last: bool = False) -> None:
        self.index, self.is_last = index, is_last

    def __reduce__(self) -> "tuple[object, ...]":
        return Slot, (self.index, self.is_last)


class Packed:
    """An object as its pickle, which nobody opens on the way: neither the scheduler nor a worker's main interpreter.

    Attributes:
        data: the pickle.
        shape: what is told of a call that is in it: "module:function", and the types of its arguments.
    """

    __slots__ = ("data", "shape")

    def __init__(self, data: bytes, shape: tuple[str, ...] = ()) -> None:
        self.data, self.shape = data, shape

    def __reduce__(self) -> "tuple[object, ...]":
        return Packed, (self.data, self.shape)

    def __repr__(self) -> str:
        return f"<{self.shape[0] if self.shape else 'object'}, {len(self.data)} bytes>"

    def __sizeof__(self) -> int:
        return len(self.data)  # what dask asks for

    def open(self) -> "Any":
        """Return the object."""
        return loads(self.data)


class Opening(Packed):
    """One that is opened where it arrives, before the task begins: what cannot be loaded there is seen in time."""

    __slots__ = ()

    def __reduce__(self) -> "tuple[object, ...]":
        return loads, (self.data,)


def pack(obj: object, shape: tuple[str, ...] = ()) -> Packed:
    """Pickle an object for another process; what `__main__` defines goes by value.

    Raises:
        Exception: what pickling raised.
    """
    try:
        data = dumps(obj, PROTOCOL)
        if b"__main__" not in data:
            return Packed(data, shape)
    except Exception:
        pass  # a lambda, say; if there is another reason it comes again
    cloudpickle = __import__("cloudpickle")  # distributed needs it too; it has no types
    return Packed(cloudpickle.dumps(obj, PROTOCOL), shape)


def shape_of_call(function: "Any", args: "Iterable[object]") -> tuple[str, ...]:
    """Return "module:function", and the types of the arguments."""
    named: Any = function if hasattr(function, "__qualname__") else function.__class__
    kinds = (f"{type(arg).__module__}.{type(arg).__qualname__}" for arg in args)
    return f"{getattr(named, '__module__', None)}:{named.__qualname__}", *kinds


def run_call(function: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Timed | None":
    """Call a function; return its result, when it began and ended, and the thread. None if it is to go elsewhere."""
    if sends_elsewhere:
        return None
    began = time()
    result = function(*args, **kwargs)
    return result, began, time(), get_ident()


def run_steps(steps: "list[Step]", index: int) -> "Any":
    """Call functions one after the other, each with results of earlier ones; return the result of one of them.

    A result goes when the last step that needs it has begun.
    """
    results: list[Any] = []
    for function, args, kwargs in steps:
        filled = [_filled(arg, results) for arg in args]
        named = {name: _filled(arg, results) for name, arg in kwargs.items()}
        results.append(function(*filled, **named))
        del filled, named
    return results[index]


def _filled(arg: "Any", results: "list[Any]") -> "Any":
    if type(arg) is not Slot:
        return arg
    result = results[arg.index]
    if arg.is_last:
        results[arg.index] = None
    return result


def collect(make: "Callable[[Any], Any]", *items: "Any") -> "Any":
    """Make a list, tuple or set of items."""
    return make(items)


def pairs(*items: "Any") -> "dict[Any, Any]":
    """Make a dict of keys and values by turns."""
    return dict(zip(items[::2], items[1::2], strict=True))


def run_packed(call: "Packed | tuple[Any, Any, Any]") -> Packed:
    """Call a function that came with its arguments in a pickle; return its result in one.

    Args:
        call: (function, args, kwargs), or its pickle where that was not opened yet.
    """
    function, args, kwargs = call.open() if isinstance(call, Packed) else call
    return _pack_result(function(*args, **kwargs))


def run_packed_batch(batch: "Packed | tuple[Any, Any]") -> Packed:
    """Call a function with each of the items; return the pickle of ([outcome, ...], seconds).

    An outcome is (True, result) or (False, failure as `_wire.failures` makes it); one does not keep the others from
    running.

    Args:
        batch: (function, [args, ...]), or its pickle where that was not opened yet.
    """
    function, items = batch.open() if isinstance(batch, Packed) else batch
    began = perf_counter()
    outcomes = [_outcome(function, args) for args in items]
    seconds = perf_counter() - began
    try:
        return pack((outcomes, seconds))
    except Exception:
        return pack(([_sendable(each) for each in outcomes], seconds))


def _outcome(function: "Callable[..., Any]", args: "Iterable[Any]") -> "Outcome":
    try:
        return True, function(*args)
    except Exception as exc:
        return False, _failure(exc, function)


def _failure(exc: Exception, function: "Callable[..., Any] | None" = None) -> "Any":
    from interp_pool._wire.failures import encode_failure

    payload, *rest = encode_failure(exc, "running" if function is not None else "returning", function)
    return payload if type(payload) is bytes else None, *rest  # one with large buffers is for this process alone


def _sendable(outcome: "Outcome") -> "Outcome":
    is_result, value = outcome
    if not is_result:
        return outcome
    try:
        _pack_result(value)
    except Exception as exc:
        return False, _failure(exc)
    return outcome


def _pack_result(result: object) -> Packed:
    try:
        return pack(result)
    except Exception as exc:
        from interp_pool._errors import ResultPicklingError

        raise ResultPicklingError(f"cannot send the result: {type(exc).__name__}: {exc}") from exc
