"""Telling an exception of what is pickled from one of a signal handler that struck meanwhile.

Both come out of the same call. The first is the error of who sent that object; the second is its caller's own, and must
reach that.
"""

from _thread import _get_main_thread_ident, get_ident  # type: ignore[attr-defined]  # what `threading` uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 2


def comes_again(exc: BaseException, step: "Callable[[], object]") -> bool:
    """Return whether an exception is that of a step, and not of a signal handler: it comes again, like the first time.

    Signal handlers strike in the main thread only, and seldom at the same place twice. In other threads nothing is done
    again.

    Args:
        exc: what the step raised.
        step: takes it again, which runs the same code of the user's.
    """
    if get_ident() != _get_main_thread_ident():
        return True
    if isinstance(exc, KeyboardInterrupt):
        return False
    for _ in range(_ROUNDS):
        try:
            step()
        except BaseException as again:
            if type(again) is not type(exc):
                return False
        else:
            return False
    return True
