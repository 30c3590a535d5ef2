"""Exceptions as what crosses from a worker to the pool, and back.

Owns how an exception is described, pickled in the worker so that unpickling cannot fail, and made again with the
worker's traceback text as its cause. Both sides import this file.
"""

from interp_pool._interrupted import TaskInterrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import SimpleNamespace, TracebackType
    from typing import Any

    from interp_pool._messages import Failure, Payload, Place

_DEEPEST = 3  # exceptions within the arguments of exceptions that are rebuilt one by one
_REFUSALS = (
    "does not support loading in subinterpreters",  # CPython, of a module that does not say it can
    "cannot load module more than once per process",  # NumPy and others, of themselves
    "do not yet support subinterpreters",  # PyO3
    "can only be loaded into one interpreter",  # Cython
)


def encode_failure(exc: BaseException) -> "Failure":
    """Describe an exception for the other side. Runs in the worker."""
    from interp_api import capture_exception

    try:
        _note_refused_module(exc)
    except BaseException:
        pass  # its own text cannot be made, say
    kind = type(exc)
    msg, formatted = "", kind.__name__
    errdisplay: str | tuple[Place, ...] | None = None
    if kind is TaskInterrupted:
        errdisplay = _calls(exc)  # who stopped it waits; the runtime would import the traceback module, some 20 ms
    else:
        try:
            info = capture_exception(exc)
            msg, formatted = info.msg or "", info.formatted or kind.__name__
            errdisplay = getattr(info, "errdisplay", None)
        except BaseException:
            pass  # an exception whose own text cannot be made
    return (
        _encode_exception(exc),
        notes_of(exc),
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
        msg,
        formatted,
        errdisplay or _traceback_text(exc),
    )


def _calls(exc: BaseException) -> "tuple[Place, ...]":
    places: list[Place] = []
    entry = exc.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        places.append((code.co_filename, entry.tb_lineno, code.co_name))
        entry = entry.tb_next
    return tuple(places)


def _traceback_text(exc: BaseException) -> str:
    """Make the text the runtime could not make."""
    try:
        from traceback import format_exception

        return "".join(format_exception(exc)).rstrip("\n")
    except BaseException:
        return ""


def _note_refused_module(exc: BaseException) -> None:
    """Say what to do when an extension module that cannot be loaded here is behind the exception."""
    link: BaseException | None = exc
    for _ in range(20):  # a chain can be a ring
        if isinstance(link, ImportError) and any(refusal in str(link) for refusal in _REFUSALS):
            add_note(
                exc,
                f"{_refused_module(link)} does not support subinterpreters: "
                "run this task in a ThreadPoolExecutor or ProcessPoolExecutor",
            )
            return
        if link is None:
            return
        link = link.__context__ if link.__cause__ is None else link.__cause__


def _refused_module(exc: ImportError) -> str:
    words = str(exc).split()
    if words[0] == "module":
        return f"module {words[1]!r}"
    if exc.name:
        return f"module {exc.name!r}"
    importing = "?"
    entry = exc.__traceback__
    while entry is not None:
        importing = entry.tb_frame.f_globals.get("__name__", importing)
        entry = entry.tb_next
    return f"an extension module that {importing!r} imports"


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
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    try:
        # What the built-in class's own initialiser takes, and what it keeps besides, such as a file name.
        _, given, *rest = base.__reduce__(exc)
        state: dict[str, object] = rest[0] if rest else exc.__dict__
        initial = _portable_all(given, depth)
    except BaseException:
        initial, state = (), exc.__dict__
    whole = {name: _portable(value, depth) for name, value in state.items()}
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


def _is_like(copy: object, exc: BaseException) -> bool:
    """Return whether unpickling made the same exception; one with a reduce method of its own knows best."""
    kind = type(exc)
    if type(copy) is not kind:
        return False
    return kind.__reduce__ is not BaseException.__reduce__ or repr(copy.args) == repr(exc.args)


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
    exc = kind.__new__(kind)
    if initial:
        base.__init__(exc, *initial)
    exc.args = args
    return _with_state(exc, state)


def _with_state(exc: BaseException, state: dict[str, object]) -> BaseException:
    for name, value in state.items():
        setattr(exc, name, value)
    return exc


def decode_failure(failure: "Failure") -> BaseException:
    """Return the exception, with the worker's traceback text as its cause. Runs in the pool's interpreter."""
    from interp_api import ExecutionFailed, decode
    from interp_pool._places import format_places

    payload, notes, name, qualname, module, msg, formatted, errdisplay = failure
    if isinstance(errdisplay, tuple):
        errdisplay = f"Traceback (most recent call last):\n{format_places(errdisplay)}{formatted}"
    cause = ExecutionFailed(_excinfo(name, qualname, module, msg, formatted, errdisplay))
    try:
        exc = None if payload is None else decode(payload)
    except BaseException:
        exc = None  # its class exists only in the worker
    if not isinstance(exc, BaseException):
        exc = cause
    else:
        set_cause(exc, cause)
    if not notes_of(exc):
        for note in notes:
            add_note(exc, note)
    return exc


# An exception may have a class whose own code fails. The base class's works for all.


def set_traceback(exc: BaseException, traceback: "TracebackType | None") -> None:
    """Set an exception's traceback."""
    BaseException.with_traceback(exc, traceback)


def set_cause(exc: BaseException, cause: BaseException) -> None:
    """Set an exception's cause."""
    descriptor: Any = BaseException.__cause__
    descriptor.__set__(exc, cause)


def add_note(exc: BaseException, note: str) -> None:
    """Add a note to an exception, if it takes one."""
    try:
        BaseException.add_note(exc, note)
    except BaseException:
        pass  # it is frozen, say


def notes_of(exc: BaseException) -> tuple[str, ...]:
    """Return an exception's notes as texts."""
    try:
        return tuple(map(_text, getattr(exc, "__notes__", ())))
    except BaseException:
        return ()


def _excinfo(name: str, qualname: str, module: str, msg: str, formatted: str, errdisplay: str) -> "SimpleNamespace":
    from types import SimpleNamespace

    kind = SimpleNamespace(__name__=name, __qualname__=qualname, __module__=module)
    return SimpleNamespace(type=kind, msg=msg, formatted=formatted, errdisplay=errdisplay)
