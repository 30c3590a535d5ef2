"""What is sent into an interpreter: code to run, names to bind, calls to make.

Owns the code that finds `_interpreters.remote` in an interpreter which may know nothing of this package, and the errors
that say what cannot be sent. It must not know who enters, or when.
"""

import os

from interp_api._errors import NotShareableError
from interp_api._pickling.again import comes_again
from interp_api._pickling.codec import encode, encode_call
from interp_api._runtime.cpython import check_script
from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FunctionType
    from typing import Any

    from interp_api._pickling.codec import Payload

_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_MESSAGE = "__interp_api__"  # bound in the other `__main__` for the time it takes to pop it
ENTER = compile(
    "(lambda sys, message: (message[0] in sys.path or sys.path.append(message[0]), getattr(__import__("
    '"interp_api._interpreters.remote", fromlist=["*"]), message[1])(*message[2:])))'
    f'(__import__("sys"), globals().pop("{_MESSAGE}"))',
    "<interp_api>",
    "exec",
)


def message(function: str, *arguments: object) -> "dict[str, tuple[object, ...]]":
    """Return what to bind in the other `__main__` for ENTER to call a function of `_interpreters.remote`."""
    return {_MESSAGE: (_PACKAGE_PARENT, function, *arguments)}


def to_script(code: "str | bytes | CodeType | FunctionType", dedent: bool) -> "CodeType | FunctionType":
    """Return what the runtime runs.

    Raises:
        SyntaxError: the source text is wrong.
        TypeError: it is something else.
        ValueError: the function takes arguments, returns something, or is a closure.
    """
    if not isinstance(code, str | bytes):
        check_script(code)
        return code
    # Compiled here so that every version raises SyntaxError, with the caller's traceback.
    return compile(_dedented(code) if dedent else code, "<string>", "exec", dont_inherit=True)


def _dedented(source: str | bytes) -> str:
    if isinstance(source, bytes):
        from importlib.util import decode_source

        source = decode_source(source)
    if source.lstrip("\r\n")[:1] not in (" ", "\t"):
        return source  # nothing in common; textwrap would still alter lines of white space in string literals
    from textwrap import dedent

    return dedent(source)


def encode_names(names: dict[str, object]) -> "Payload":
    """Encode what `prepare_main` is to bind.

    Raises:
        NotShareableError: an object can neither be shared nor pickled.
    """
    try:
        return encode(names, share=True)
    except Exception as exc:
        if not comes_again(exc, partial(encode, names, share=True)):
            raise
        raise NotShareableError(f"prepare_main(): {exc}") from exc


def encode_task(function: "Callable[..., Any]", args: tuple[object, ...], kwargs: dict[str, object]) -> "Payload":
    """Encode a call.

    Raises:
        NotShareableError: the callable or an argument can neither be shared nor pickled.
    """
    try:
        return encode_call(function, args, kwargs)
    except Exception as exc:
        if not comes_again(exc, partial(encode_call, function, args, kwargs)):
            raise
        raise NotShareableError(f"cannot send {function!r} or its arguments: {exc}") from exc
