"""`PyThreadState_SetAsyncExc`, for use INSIDE a worker: have an exception raised in another thread of the interpreter.

Every worker loads this. So it goes without `ctypes`, which takes 4 ms and a dozen modules, to the module behind it,
which takes 0.5 ms and X KiB (CPython 3.14).
"""

import sys
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, CFuncPtr, _SimpleCData  # pyright: ignore[reportPrivateUsage]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Long(_SimpleCData):  # type: ignore[type-arg]  # it takes no argument at run time
    _type_ = "L"


class _Pointer(_SimpleCData):  # type: ignore[type-arg]  # as above
    _type_ = "P"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI
    _restype_ = _Long
    _argtypes_ = (_Long, _Pointer)


class _Python:
    """The library with Python's own functions, as `CFuncPtr` wants it."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            self._handle: Any = sys.dllhandle
        else:
            from _ctypes import dlopen

            self._handle = dlopen(None, 0)  # type: ignore[arg-type]  # this program itself


_function: "Any" = _Function
_set_async_exc: "Any" = _function(("PyThreadState_SetAsyncExc", _Python()))


def raise_in_thread(thread_id: int, exception: "type[BaseException] | None") -> None:
    """Have an exception raised in a thread of this interpreter, or none that was to come.

    Args:
        thread_id: as `threading.get_ident` gives it.
        exception: a class that lives until then; None takes back what has not been raised yet.
    """
    _set_async_exc(thread_id, None if exception is None else id(exception))
