"""Exceptions as what crosses from a worker to the pool.

Owns how an exception is described, and pickled in the worker so that unpickling cannot fail. How the pool makes it
again is `_wire.decoding`'s, which no worker loads. This file each loads at its start, and not when something fails: a
task may have damaged what an import needs.
"""

import sys
from itertools import repeat

from interp_api import comes_again
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import MODULE_REPLACED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any

    from interp_pool._wire.messages import Failure, Noted, Payload, Place, Refusal, Replacement, When

_MemberDescriptor: "Any" = type(OSError.__dict__["errno"])  # pyright: ignore[reportUnknownVariableType]  # for slots
_DEEPEST = 3  # exceptions within the arguments of exceptions that are rebuilt one by one


_tell: "Callable[[Refusal], object] | None" = None
_told: set[str] = set()


def tell_refusals(tell: "Callable[[Refusal], object] | None") -> None:
    """Say whom to tell of modules that cannot be loaded, of each once, when tasks have failed of it; None: nobody.

    The future may be one that nobody reads.
    """
    global _tell
    _tell = tell
    _told.clear()


def tell_replaced(noted: "list[Noted]", put: "Callable[[object], None]", worker_id: int) -> None:
    """Tell the pool what modules have gone on without, of what was noted, and empty the list.

    Not what a task has failed of: that was told.
    """
    for replacement in _find_replaced(noted):
        put((MODULE_REPLACED, worker_id, replacement, 0.0))


def _find_replaced(noted: "list[Noted]") -> "list[Replacement]":
    try:
        from interp_pool._wire.refused import find_replaced as find

        return find(_untold(noted))
    except Exception:
        return []  # a task has damaged what this needs; the next one that fails tells that
    finally:
        noted.clear()


def _untold(noted: "list[Noted]") -> "list[Noted]":
    return [each for each in noted if each[0][0] not in _told]


def _find_refusal(
    exc: BaseException, when: "When", function: object
) -> "tuple[Refusal, tuple[Place, ...], str] | None":
    try:
        from interp_pool._wire.refused import find_refusal

        found = find_refusal(exc, when, function)
        if found is not None and _tell is not None and found[0][0] not in _told:
            _tell(found[0])
            _told.add(found[0][0])
    except BaseException:
        return None  # its own text cannot be made, say
    return found


def encode_failure(exc: BaseException, when: "When" = "running", function: object = None) -> "Failure":
    """Describe an exception for the other side. Runs in the worker.

    Args:
        exc: the exception.
        when: it came: while the task was unpickled, before any function of the user's was called; while it ran; while
            its result was pickled.
        function: of the task, if it ran.
    """
    if "builtins" not in sys.modules:
        raise RuntimeError("a task has emptied sys.modules")  # nothing can be imported here: the worker is lost
    kind = type(exc)
    if kind is EOFError or (kind is RuntimeError and "interp_pool._worker.debugging" in sys.modules):
        from interp_pool._wire.no_input import explain

        explain(exc)
    found = _find_refusal(exc, when, function)
    refusal = None if found is None else found[0]
    if found is not None and kind is ImportError:
        # The pool words it. What led there is enough: more takes the traceback module, and the package's
        # own explanation may have a page.
        _, places, known = found
        return (
            None,
            notes_of(exc),
            kind.__name__,
            kind.__qualname__,
            kind.__module__,
            known,
            f"ImportError: {known}",
            places,
            refusal,
        )
    msg, name, payload = _own_text(exc), kind.__qualname__, _encode_exception(exc)
    if payload is None:
        msg += _why_alone(kind)
    return (
        payload,
        notes_of(exc),
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
        msg,
        f"{name}: {msg}" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{name}: {msg}",
        # Who stopped it waits; importing the traceback module would take some 20 ms.
        _calls(exc) if kind is TaskInterrupted else _traceback_text(exc),
        refusal,
    )


def describe_loss(exc: BaseException) -> "Failure | str":
    """Describe why a worker is lost, if that can be."""
    try:
        return encode_failure(exc)
    except BaseException as own:  # an earlier task emptied sys.modules, or the like
        return f"the worker can describe no exception any more, a task has damaged its modules or builtins: {own}"


def _why_alone(kind: type) -> str:
    """Return why an exception's class is not sent, as a text behind the exception's own."""
    from interp_api import encode

    try:
        encode(kind, share=False)
    except Exception as exc:
        return f" (not sent as what it is: {_own_text(exc)})"
    return ""


def _own_text(exc: BaseException) -> str:
    try:
        return str(exc)
    except BaseException:
        return ""  # an exception whose own text cannot be made


def _calls(exc: BaseException) -> "tuple[Place, ...]":
    places: list[Place] = []
    entry = exc.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        places.append((code.co_filename, entry.tb_lineno, code.co_name))
        entry = entry.tb_next
    return tuple(places)


def _traceback_text(exc: BaseException) -> "str | tuple[Place, ...]":
    """Make the text that the interpreter would print; the places alone, if that fails or is interrupted.

    Not with the runtime's own `capture_exception`: an exception that strikes in there, as an interrupt or a timeout
    does, corrupts memory (CPython 3.13 and 3.14).
    """
    try:
        from traceback import format_exception

        return "".join(format_exception(exc)).rstrip("\n")
    except BaseException:
        return _calls(exc)


def _encode_exception(exc: BaseException) -> "Payload | None":
    """Pickle an exception so that it can certainly be unpickled; None if there is no way.

    Its own way first. Where its constructor cannot be called with `args` again, or makes something else of them, or an
    attribute cannot be pickled, it is rebuilt without its constructor, from its class, `args` and the attributes that
    can.
    """
    payload = _encode_surely(exc, lambda copy: _is_like(copy, exc))
    if payload is None:
        try:
            rebuilt = (_encode_surely(form, lambda _: True) for form in _rebuilt_forms(exc, _DEEPEST))
            payload = next((each for each in rebuilt if each is not None), None)
        except BaseException:
            pass  # its arguments contain themselves, say
    return payload


def _encode_surely(obj: object, is_right: "Callable[[object], bool]") -> "Payload | None":
    from interp_api import decode, encode

    try:
        payload = encode(obj, share=False)
        return payload if is_right(decode(payload)) else None
    except BaseException:
        return None


def _rebuilt_forms(exc: BaseException, depth: int) -> "Iterator[RebuiltException]":
    """Yield what can be pickled in place of an exception, the most faithful first."""
    kind = type(exc)
    base: Any = kind.__mro__[_first_builtin(kind)]
    try:
        # What the built-in class's own initialiser takes, and what it keeps besides, such as a file name.
        _, given, *rest = base.__reduce__(exc)
        state: dict[str, object] = (rest[0] if rest else exc.__dict__) or {}
        initial = _portable_all(given, depth)
    except BaseException:
        initial, state = (), exc.__dict__
    whole = {name: _portable(value, depth) for name, value in (state | _slots(exc)).items()}
    for attributes in (whole, _picklable_part(whole)):
        for args in (_portable_all(exc.args, depth), tuple(map(_text, exc.args))):
            yield RebuiltException(kind, base, initial, args, attributes)
    yield RebuiltException(kind, base, (), tuple(map(_text, exc.args)), _picklable_part(whole))


def _portable_all(args: "Iterable[object]", depth: int) -> tuple[object, ...]:
    return tuple(_portable(arg, depth) for arg in args)


def _portable(arg: "Any", depth: int) -> object:
    """Return an argument of an exception, or what can be pickled in its place if it is, or has, an exception itself."""
    kind: Any = type(arg)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if kind is list or kind is tuple:  # an exception group's are one
        return kind(_portable_all(arg, depth))  # pyright: ignore[reportUnknownVariableType]  # as above
    if not isinstance(arg, BaseException) or _encode_surely(arg, lambda copy: _is_like(copy, arg)):
        return arg
    if depth:
        for rebuilt in _rebuilt_forms(arg, depth - 1):
            if _encode_surely(rebuilt, lambda _: True):
                return rebuilt
    return RuntimeError(f"{type(arg).__qualname__}: {_text(arg)}")  # its class exists only in the worker


def _is_like(copy: object, exc: BaseException, depth: int = _DEEPEST) -> bool:
    """Return whether unpickling made the same exception; one with a reduce method of its own knows best."""
    kind = type(exc)
    if type(copy) is not kind:
        return False
    if any(
        "__reduce__" in each.__dict__ or "__reduce_ex__" in each.__dict__
        for each in kind.__mro__[: _first_builtin(kind)]
    ):
        return True
    same: BaseException = copy
    if repr(same.args) != repr(exc.args):
        return False
    ours, theirs = _slots(exc), _slots(same)
    if repr(ours) != repr(theirs):
        return False
    parts = (*exc.args, *exc.__dict__.values(), *ours.values())
    copies = (*same.args, *same.__dict__.values(), *theirs.values())
    return all(map(_is_like_part, copies, parts, repeat(depth)))


def _is_like_part(copy: "Any", part: "Any", depth: int) -> bool:
    """Return whether the exceptions in a part of an exception are the same in the copy: their texts may be, alone."""
    if not depth:
        return True
    if isinstance(part, BaseException):
        return _is_like(copy, part, depth - 1)
    if type(part) in (list, tuple) and len(part) == len(copy):
        return all(map(_is_like_part, copy, part, repeat(depth)))
    return True


def _first_builtin(kind: type) -> int:
    """Return the position of the built-in class that an exception's class is derived from."""
    return next(number for number, each in enumerate(kind.__mro__) if each.__module__ == "builtins")


def _slots(exc: BaseException) -> dict[str, object]:
    """Return the attributes that an exception's classes keep in slots, as far as they are set, by their real names.

    What a class derived from it hides is left out: there is no way to set it by name.
    """
    kind = type(exc)
    found: dict[str, object] = {}
    for each in kind.__mro__[: _first_builtin(kind)]:
        for name, descriptor in each.__dict__.items():
            if (
                type(descriptor) is _MemberDescriptor
                and name not in found
                and kind.__dict__.get(name, descriptor) is descriptor
            ):
                try:
                    found[name] = descriptor.__get__(exc, kind)
                except AttributeError:
                    pass  # it is not set
    return found


def _text(arg: object) -> str:
    try:
        return str(arg)
    except BaseException:
        return object.__repr__(arg)


def _picklable_part(state: dict[str, object]) -> dict[str, object]:
    from interp_api import decode, encode

    part: dict[str, object] = {}
    for name, value in state.items():
        try:
            decode(encode(value, share=False))
            part[name] = value
        except BaseException:
            pass  # the traceback text still shows the exception
    return part


class RebuiltException:
    """Stands for an exception while it is pickled; the receiver gets the exception."""

    __slots__ = ("_reduced",)

    def __init__(
        self,
        kind: type[BaseException],
        base: type,
        initial: tuple[object, ...],
        args: tuple[object, ...],
        state: dict[str, object],
    ) -> None:
        self._reduced = (kind, base, initial, args, state)

    def __reduce__(self) -> "tuple[object, ...]":
        return rebuild_exception, self._reduced


def rebuild_exception(
    kind: type[BaseException],
    base: "Any",
    initial: tuple[object, ...],
    args: tuple[object, ...],
    state: dict[str, object],
) -> BaseException:
    """Make an exception without calling its constructor, only that of the built-in class it is derived from.

    Args:
        kind: the exception's class.
        base: the built-in class.
        initial: arguments of its initialiser; empty means not to call it.
        args: the exception's `args`.
        state: its attributes.
    """
    if issubclass(kind, BaseExceptionGroup):
        return _with_state(BaseExceptionGroup.__new__(kind, *initial), state)  # type: ignore[arg-type]  # what it gave
    exc: BaseException = base.__new__(kind, *initial)  # OSError takes its fields there, unless a class has __init__
    if initial:
        base.__init__(exc, *initial)
    return _with_state(exc, {"args": args} | state)


def _with_state(exc: BaseException, state: dict[str, object]) -> BaseException:
    for name, value in state.items():
        object.__setattr__(exc, name, value)  # it may be frozen
    return exc


# An exception may have a class whose own code fails. The base class's works for all.


def set_traceback(exc: BaseException, traceback: "TracebackType | None") -> None:
    """Set an exception's traceback."""
    BaseException.with_traceback(exc, traceback)


def without_outer_frame(exc: BaseException) -> BaseException:
    """Drop the outermost frame from the traceback, the worker's own: the task begins below it."""
    if exc.__traceback__ is not None and exc.__traceback__.tb_next is not None:
        set_traceback(exc, exc.__traceback__.tb_next)
    return exc


def notes_of(exc: BaseException) -> tuple[str, ...]:
    """Return an exception's notes as texts."""
    try:
        return _notes_of(exc)
    except BaseException as own:
        if not comes_again(own, lambda: _notes_of(exc)):
            raise
        return ()


def _notes_of(exc: BaseException) -> tuple[str, ...]:
    return tuple(map(_text, getattr(exc, "__notes__", ())))
