"""Copies of large data, into memory that the system gives in large pages.

Owns every copy of a large buffer that this package makes. It must not know what the data are for.

A fresh object of 64 MiB costs more than copying 64 MiB: the system hands its memory out page by page, 4 KiB each, at
the first touch (30 ms with the copy, of which the copy itself takes 5.5; medians on 3.13 to 3.15). Advised before that,
Linux hands out pages of 2 MiB: 11 ms. So the object is made empty, its memory advised, and then filled. Python shows a
new object before it is filled in two places only: an unpickler asks its file to fill a `bytes`, and a raw stream is
asked to fill a `bytearray`. Since 3.15 the first comes in pieces, and the second becomes a `bytes` as it is.
"""

import sys
from _io import _RawIOBase  # pyright: ignore[reportPrivateUsage]  # io itself imports abc's machinery in every worker

from interp_api._runtime.light_imports import Unpickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    type AnyView = memoryview[Any]
    type Data = bytes | bytearray | AnyView

WORTHWHILE = 4 * 1024 * 1024  # bytes; less holds no whole page of 2 MiB for certain, and is quickly filled

_PAGE = 4096
_MADV_HUGEPAGE = 14

_advise: "Callable[[AnyView], object] | None" = None  # once it is known how


def _ignore(_target: "AnyView") -> None:
    """Advise nothing: this system has no way."""


if sys.platform == "linux":

    def _find_advice() -> "Callable[[AnyView], object]":
        try:
            import ctypes  # 5 ms, which only large data pay for

            madvise = ctypes.CDLL(None).madvise
        except (ImportError, OSError, AttributeError):
            return _ignore
        madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        address_of, byte = ctypes.addressof, ctypes.c_char

        def advise(target: "AnyView") -> None:
            start = address_of(byte.from_buffer(target))
            first = -(-start // _PAGE) * _PAGE
            madvise(first, (start + target.nbytes - first) // _PAGE * _PAGE, _MADV_HUGEPAGE)

        return advise
else:

    def _find_advice() -> "Callable[[AnyView], object]":
        return _ignore


def _fill(target: "AnyView", data: "AnyView") -> None:
    """Copy into memory that nobody has touched yet."""
    global _advise
    if _advise is None:
        _advise = _find_advice()
    _advise(target)
    target[:] = data


class _Filled(Exception):
    """Ends the reading of a stream once its buffer is full."""


class _Stream(_RawIOBase):
    """A raw stream that fills the buffer it is given, and keeps it if it is asked to."""

    def __init__(self, data: "AnyView", *, keeps: bool) -> None:
        self._data = data
        self._keeps = keeps
        self.kept: bytearray | None = None

    def readinto(self, buffer: "Any") -> int:
        _fill(memoryview(buffer), self._data)
        if self._keeps:
            self.kept = buffer
            raise _Filled  # what goes on from here is to make a `bytes` of it
        return self._data.nbytes


class _PickledBytes:
    """The file of a pickle of one `bytes`."""

    def __init__(self, data: "AnyView") -> None:
        self._pickle = b"\x80\x05\x8e" + data.nbytes.to_bytes(8, "little")  # PROTO 5, BINBYTES8
        self._data = data

    def read(self, size: int) -> bytes:
        piece, self._pickle = self._pickle[:size], self._pickle[size:]
        return piece

    def readinto(self, target: "Any") -> int:
        _fill(memoryview(target), self._data)
        self._pickle = b"."  # STOP
        return self._data.nbytes

    def readline(self) -> bytes:
        raise NotImplementedError("protocol 5 pickles have no lines")


def copy_bytes(data: "Data") -> bytes:
    """Return a copy, as bytes, of data that are contiguous."""
    view = memoryview(data)
    if view.nbytes < WORTHWHILE:
        return bytes(view)
    view = view.cast("B")
    copied: bytes
    if sys.version_info >= (3, 15):
        copied = _Stream(view, keeps=False).read(view.nbytes)
    else:
        copied = Unpickler(_PickledBytes(view)).load()
    return copied


def copy_bytearray(data: "Data") -> bytearray:
    """Return a copy, as a bytearray, of data that are contiguous."""
    view = memoryview(data)
    if view.nbytes < WORTHWHILE:
        return bytearray(view)
    stream = _Stream(view.cast("B"), keeps=True)
    try:
        stream.read(view.nbytes)
    except _Filled:
        pass
    assert stream.kept is not None
    return stream.kept
