"""Everything that crosses a queue between pool and worker: its shape, and nothing else.

Both sides import this file, and it is all they share. A payload is what `interp_api.encode` makes.

    to the workers            (work_id, payload of (function, args, kwargs)), or None: one worker ends
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
(payload of the exception or None, type name, qualified name, module, message, summary, traceback text).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace

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

type Payload = bytes | tuple[object, ...]
type Failure = tuple[Payload | None, str, str, str, str, str, str]
type Setup = tuple[int, str, Payload | None, Payload, int]
"""Worker id, thread name, payload of (initializer, initargs) or None, payload of the warning filters, task limit or 0."""


def encode_failure(exc: BaseException) -> "Failure":
    """Describe an exception for the other side. Runs in the worker."""
    from interp_api import capture_exception

    info = capture_exception(exc)
    kind = info.type
    return (
        _encode_exception(exc),
        kind.__name__ or "",
        kind.__qualname__ or "",
        kind.__module__ or "",
        info.msg or "",
        info.formatted or "",
        getattr(info, "errdisplay", None) or "",
    )


def _encode_exception(exc: BaseException) -> "Payload | None":
    """Pickle an exception so that it can certainly be unpickled; None if there is no way.

    Its own way first. Where its constructor cannot be called with `args` again, or an attribute cannot be pickled, it is
    rebuilt without its constructor, from its class, `args` and the attributes that can.
    """
    from interp_api import decode, encode

    try:
        payload = encode(exc, share=False)
        if type(decode(payload)) is type(exc):
            return payload
    except Exception:
        pass  # the next way
    for state in (exc.__dict__, _picklable_part(exc.__dict__)):
        for args in (exc.args, tuple(map(str, exc.args))):
            try:
                payload = encode(RebuiltException(type(exc), args, state), share=False)
                decode(payload)
                return payload
            except Exception:
                continue
    return None


def _picklable_part(state: dict[str, object]) -> dict[str, object]:
    from interp_api import decode, encode

    part: dict[str, object] = {}
    for name, value in state.items():
        try:
            decode(encode(value, share=False))
            part[name] = value
        except Exception:
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

    payload, name, qualname, module, msg, formatted, errdisplay = failure
    cause = ExecutionFailed(_excinfo(name, qualname, module, msg, formatted, errdisplay))
    if payload is None:
        return cause
    try:
        exc = decode(payload)
    except Exception:
        return cause
    assert isinstance(exc, BaseException)
    exc.__cause__ = cause
    return exc


def _excinfo(name: str, qualname: str, module: str, msg: str, formatted: str, errdisplay: str) -> "SimpleNamespace":
    from types import SimpleNamespace

    kind = SimpleNamespace(__name__=name, __qualname__=qualname, __module__=module)
    return SimpleNamespace(type=kind, msg=msg, formatted=formatted, errdisplay=errdisplay)
