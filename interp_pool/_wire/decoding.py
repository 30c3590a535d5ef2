"""Failures that workers have sent, as exceptions again; runs in the pool's interpreter.

Owns how an exception gets back its notes, and the worker's traceback text as its cause.
"""

from functools import partial
from types import SimpleNamespace

from interp_api import ExecutionFailed, comes_again, decode
from interp_pool._wire.failures import notes_of
from interp_pool._wire.hints import hint_for
from interp_pool._wire.places import format_places
from interp_pool._wire.refused import describe_refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._wire.messages import Failure, Payload


def decode_failure(failure: "Failure", needed_by: str = "the task") -> BaseException:
    """Return the exception, with the worker's traceback text as its cause.

    An ImportError of a module that cannot be loaded in a worker says so in its own text; behind any other exception it
    is a note.

    Args:
        failure: what `encode_failure` made.
        needed_by: for whom a worker did what failed, for the words of that text.
    """
    payload, notes, name, qualname, module, msg, formatted, errdisplay, refusal = failure
    if isinstance(errdisplay, tuple):
        errdisplay = f"Traceback (most recent call last):\n{format_places(errdisplay)}{formatted}"
    cause = ExecutionFailed(_excinfo(name, qualname, module, msg, formatted, errdisplay))
    exc = None if payload is None else _decode_exception(payload)
    told = None if refusal is None else describe_refusal(refusal, needed_by)
    is_import = refusal is not None and (module, qualname) == ("builtins", "ImportError")
    if is_import:
        exc = ImportError(told, name=refusal[1] or None)  # type: ignore[index]  # there is one
    if not isinstance(exc, BaseException):
        exc = cause
    else:
        _set_cause(exc, cause)
    if not notes_of(exc):
        for note in notes:
            add_note(exc, note)
    if told is not None and not is_import:
        add_note(exc, told)
    if (hint := hint_for(failure)) is not None:
        add_note(exc, hint)
    return exc


def _decode_exception(payload: "Payload") -> object:
    try:
        return decode(payload)
    except BaseException as own:
        if not comes_again(own, partial(decode, payload)):
            raise
        return None  # its class exists only in the worker


def describe_failure(failure: "Failure | str") -> str:
    """Return a failure as a text."""
    return failure if isinstance(failure, str) else f"{failure[2]}: {failure[5]}"


def add_note(exc: BaseException, note: str) -> None:
    """Add a note to an exception, if it takes one."""
    try:
        BaseException.add_note(exc, note)
    except BaseException:
        pass  # it is frozen, say


def _set_cause(exc: BaseException, cause: BaseException) -> None:
    """Set an exception's cause, also if its class has code of its own that fails."""
    descriptor: Any = BaseException.__cause__
    descriptor.__set__(exc, cause)


def _excinfo(name: str, qualname: str, module: str, msg: str, formatted: str, errdisplay: str) -> SimpleNamespace:
    kind = SimpleNamespace(__name__=name, __qualname__=qualname, __module__=module)
    return SimpleNamespace(type=kind, msg=msg, formatted=formatted, errdisplay=errdisplay)
