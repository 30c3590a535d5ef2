"""What runs inside the other interpreter when it is called or given names: decode, run, send the outcome.

Imported there by the code of `_interpreters.entering`; knows nothing of handles.
"""

import sys

from interp_api._pickling.codec import decode, encode
from interp_api._runtime.cpython import UNBOUND_OP_REPLACE, queue_put
from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_api._pickling.codec import Payload

_CALL = "__interp_api_call__"  # bound in `__main__` until the call begins
_IS_FUNCTION = 0x01 | 0x02  # CO_OPTIMIZED, CO_NEWLOCALS

RESULT, ARGUMENTS_FAILED, RESULT_FAILED = range(3)


def ready() -> None:
    """Have this module, and with it all it needs, imported."""


def bind(payload: "Payload") -> None:
    """Bind the names of a sent dict in this interpreter's `__main__`."""
    names: Any = decode(payload)
    sys.modules["__main__"].__dict__.update(names)


def call(reply: int, payload: "Payload") -> None:
    """Run a sent (callable, args, kwargs); put (kind, payload of the result or message) into the reply queue.

    Raises:
        BaseException: whatever the callable raised, for the runtime to report.
    """
    try:
        sent: Any = decode(payload)
        function, args, kwargs = sent
    except Exception as exc:
        queue_put(reply, (ARGUMENTS_FAILED, _describe(exc)), UNBOUND_OP_REPLACE)
        return
    # Called from a frame of `__main__`, so that dir(), globals() and eval() mean that module, as documented for call().
    main = sys.modules["__main__"].__dict__
    main[_CALL] = partial(function, *args, **kwargs)
    result = eval(_CALL_CODE, main)
    try:
        outcome: tuple[int, object] = (RESULT, encode(result, share=False))
    except Exception as exc:
        outcome = (RESULT_FAILED, f"{type(result)}: {_describe(exc)}")
    queue_put(reply, outcome, UNBOUND_OP_REPLACE)


def _pop_and_call() -> object:
    return globals().pop("__interp_api_call__")()


# As an expression, which has the names of its module for its own. The first compile() in an interpreter takes 1.9 ms.
_CALL_CODE = _pop_and_call.__code__.replace(
    co_flags=_pop_and_call.__code__.co_flags & ~_IS_FUNCTION, co_filename="<interp_api>", co_name="<module>"
)


def _describe(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}"
