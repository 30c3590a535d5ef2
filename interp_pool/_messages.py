"""Everything that crosses a queue between pool and worker: its shape, and nothing else.

Both sides import this file, and it is all they share. A payload is what `interp_api.encode` makes.

    to the workers            (work_id, payload of (function, args, kwargs)), or None, an end: one worker ends
    to one starting worker    Setup, as a tuple
    from the workers          (kind, number, body, seconds)

    kind                 number      body                                            seconds
    RESULT               work id     payload of the result                           the task ran
    TASK_FAILED          work id     failure: what the task raised                   the task ran
    TASK_UNREADABLE      work id     failure: what unpickling the task raised        0
    RESULT_UNSENDABLE    work id     failure: what pickling the result raised        the task ran
    WORKER_READY         worker id   None                                            the initializer ran
    INITIALIZER_FAILED   worker id   failure                                         0
    WORKER_LEAVING       worker id   whether it took an end (or reached its limit)   0
    WORKER_LOST          worker id   (work id or None, failure or text)              0
    WORKER_LEFT          worker id   None: its last result item is in the queue      0
    WORKER_ENDED         worker id   None                                            0
    POOL_CALLED          0           None: look at the pool's state                  0

The last three are put by the worker's thread, outside, or by the pool itself. A failure is
(payload of the exception or None, its notes, type name, qualified name, module, message, summary, traceback text).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace
    from typing import Any

    from interp_api._transfer import Payload as Payload  # noqa: PLC0414  # for the other files

(
    RESULT,
    TASK_FAILED,
    TASK_UNREADABLE,
    RESULT_UNSENDABLE,
    WORKER_READY,
    INITIALIZER_FAILED,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_LEFT,
    WORKER_ENDED,
    POOL_CALLED,
) = range(11)

type Failure = tuple[Payload | None, tuple[str, ...], str, str, str, str, str, str]
type ResultItem = tuple[int, int, Any, float]
type Setup = tuple[int, str, Payload | None, Payload, int]
"""Worker id, thread name or "", payload of (initializer, initargs) or None, payload of the warning filters, task limit
or 0."""

_REFUSALS = (
    "does not support loading in subinterpreters",  # CPython, of a module that does not say it can
    "cannot load module more than once per process",  # NumPy and others, of themselves
    "do not yet support subinterpreters",  # PyO3
    "can only be loaded into one interpreter",  # Cython
)


def encode_failure(exc: BaseException) -> "Failure":
    """Describe an exception for the other side. Runs in the worker."""
    from interp_api import capture_exception

    _note_refused_module(exc)
    texts = tuple(map(_text, getattr(exc, "__notes__", ())))
    kind = type(exc)
    msg, formatted, errdisplay = "", kind.__name__, None
    try:
        info = capture_exception(exc)
        msg, formatted = info.msg or "", info.formatted or kind.__name__
        errdisplay = getattr(info, "errdisplay", None)
    except BaseException:
        pass  # an exception whose own text cannot be made
    return (
        _encode_exception(exc),
        texts,
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
        msg,
        formatted,
        errdisplay or _traceback_text(exc),
    )


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
            exc.add_note(
                f"{_refused_module(link)} does not support subinterpreters: "
                "run this task in a ThreadPoolExecutor or ProcessPoolExecutor"
            )
            return
        if link is None:
            return
        link = link.__cause__ or link.__context__


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
    from interp_api import decode, encode

    try:
        payload = encode(exc, share=False)
        if _is_like(decode(payload), exc):
            return payload
    except BaseException:
        pass  # the next way
    for state in (exc.__dict__, _picklable_part(exc.__dict__)):
        for args in (exc.args, tuple(map(_text, exc.args))):
            try:
                payload = encode(RebuiltException(type(exc), args, state), share=False)
                decode(payload)
                return payload
            except BaseException:
                continue
    return None


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

    def __init__(self, kind: type[BaseException], args: tuple[object, ...], state: dict[str, object]) -> None:
        self._reduced = (kind, args, state)

    def __reduce__(self) -> "tuple[object, ...]":
        return rebuild_exception, self._reduced


def rebuild_exception(kind: type[BaseException], args: tuple[object, ...], state: dict[str, object]) -> BaseException:
    """Make an exception without calling its constructor."""
    exc = kind.__new__(kind)
    exc.args = args
    exc.__dict__.update(state)
    return exc


def decode_failure(failure: "Failure") -> BaseException:
    """Return the exception, with the worker's traceback text as its cause. Runs in the pool's interpreter."""
    from interp_api import ExecutionFailed, decode

    payload, notes, name, qualname, module, msg, formatted, errdisplay = failure
    cause = ExecutionFailed(_excinfo(name, qualname, module, msg, formatted, errdisplay))
    try:
        exc = None if payload is None else decode(payload)
    except BaseException:
        exc = None  # its class exists only in the worker
    if not isinstance(exc, BaseException):
        exc = cause
    else:
        exc.__cause__ = cause
    if notes and not hasattr(exc, "__notes__"):
        for note in notes:
            exc.add_note(note)
    return exc


def _excinfo(name: str, qualname: str, module: str, msg: str, formatted: str, errdisplay: str) -> "SimpleNamespace":
    from types import SimpleNamespace

    kind = SimpleNamespace(__name__=name, __qualname__=qualname, __module__=module)
    return SimpleNamespace(type=kind, msg=msg, formatted=formatted, errdisplay=errdisplay)
