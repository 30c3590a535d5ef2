"""Functions of CPython on another thread of the same interpreter, for use INSIDE a worker.

`PyThreadState_SetAsyncExc`, which Python code can only reach like this, and `PyThreadState_GetFrame` in place of
`sys._current_frames`: that one walks the threads of all interpreters without their locks, and makes frame objects for
them in the memory of this one. It corrupted the heap on CPython 3.13.0 within a second.

Loaded when it is first needed, while a task keeps the interpreter busy and gets to run each time the import reads a
file. So it goes without `ctypes`, which takes 4 ms and a dozen modules, to the module behind it, which takes 0.5 ms and
90 KiB (CPython 3.14).
"""

import sys
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, CFuncPtr, _SimpleCData  # pyright: ignore[reportPrivateUsage]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
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
_get_frame = _function("PyThreadState_GetFrame", _Object, _Pointer)


def raise_in_thread(thread_id: int, exception: "type[BaseException] | None") -> None:
    """Have an exception raised in a thread of this interpreter, or none that was to come.

    Args:
        thread_id: as `threading.get_ident` gives it.
        exception: a class that lives until then; None takes back what has not been raised yet.
    """
    _set_async_exc(thread_id, None if exception is None else id(exception))


def innermost_frames() -> "Iterator[FrameType]":
    """Yield the innermost frame of each thread of this interpreter that runs Python code."""
    thread: int | None = _get_first_thread(_get_interpreter())
    while thread:
        try:
            yield _get_frame(thread)
        except ValueError:
            pass  # NULL: it runs none
        thread = _get_next_thread(thread)
