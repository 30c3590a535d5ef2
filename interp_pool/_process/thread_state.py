"""Functions of CPython on threads of an interpreter, for use INSIDE it: of a worker by its control thread.

`PyThreadState_SetAsyncExc`, which Python code can only reach like this, and `PyThreadState_GetFrame` in place of
`sys._current_frames`: that one walks the threads of all interpreters without their locks, and makes frame objects for
them in the memory of this one. It corrupted the heap on CPython 3.13.0 within a second.

Loaded when it is first needed, while a task keeps the interpreter busy and gets to run each time the import reads a
file. So it goes without `ctypes`, which takes 4 ms and a dozen modules, to the module behind it, which takes 0.5 ms and
90 KiB (CPython 3.14).
"""

import sys
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, CFuncPtr, _SimpleCData  # pyright: ignore[reportPrivateUsage]
from _operator import truth
from itertools import accumulate, chain, repeat, takewhile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


class _Long(_SimpleCData):  # type: ignore[type-arg]  # it takes no argument at run time
    _type_ = "L"


class _Pointer(_SimpleCData):  # type: ignore[type-arg]  # as above
    _type_ = "P"


class _Object(_SimpleCData):  # type: ignore[type-arg]  # as above
    _type_ = "O"


class _Python:
    """The library with Python's own functions, as `CFuncPtr` wants it."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            self._handle: Any = sys.dllhandle
        else:
            from _ctypes import dlopen

            self._handle = dlopen(None, 0)  # type: ignore[arg-type]  # this program itself


_python = _Python()


def _function(name: str, result: type, *arguments: type) -> "Any":
    kind: Any = type(
        name,
        (CFuncPtr,),
        {"_flags_": FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI, "_restype_": result, "_argtypes_": arguments},
    )
    return kind((name, _python))


_set_async_exc = _function("PyThreadState_SetAsyncExc", _Long, _Long, _Pointer)
_get_interpreter = _function("PyInterpreterState_Get", _Pointer)
_get_first_thread = _function("PyInterpreterState_ThreadHead", _Pointer, _Pointer)
_get_next_thread = _function("PyThreadState_Next", _Pointer, _Pointer)
_get_this_thread = _function("PyThreadState_Get", _Pointer)
_get_frame = _function("PyThreadState_GetFrame", _Object, _Pointer)


def raise_in_thread(thread_id: int, exception: "type[BaseException] | None") -> None:
    """Have an exception raised in a thread of this interpreter, or none that was to come.

    Args:
        thread_id: as `threading.get_ident` gives it.
        exception: a class that lives until then; None takes back what has not been raised yet.
    """
    _set_async_exc(thread_id, None if exception is None else id(exception))


def this_thread() -> int:
    """Return the address of the state of the thread that calls."""
    state: int = _get_this_thread()
    return state


def oldest_thread() -> int:
    """Return the address of the state of this interpreter's oldest thread: the one a worker runs its tasks in.

    The runtime puts new ones in front. The list is walked in one piece, C all the way: between two bytecodes other
    threads could run, and end.
    """
    first: int = _get_first_thread(_get_interpreter())
    # The function is also called with the 0, which C does not mind.
    threads: list[int] = [*takewhile(truth, accumulate(chain((first,), repeat(0)), _get_next_thread))]
    return threads[-1]


def frame_of(thread: int) -> "FrameType | None":
    """Return the innermost frame of a thread of this interpreter that is alive.

    Args:
        thread: the address of its state.
    """
    try:
        frame: FrameType = _get_frame(thread)
    except ValueError:
        return None  # NULL: it runs no Python code
    return frame
