"""Opening a file of the user's to write it, without waiting: a FIFO that nobody reads is an error, not a wait."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO

_NON_BLOCKING: int = getattr(os, "O_NONBLOCK", 0)  # which has no meaning for a file, and Windows has none


def open_to_write(path: str) -> "FileIO":
    """Make a file, or empty it; return it, without a buffer.

    Raises:
        OSError: it cannot be written: a FIFO without a reader among them.
    """
    try:
        return open(path, "wb", buffering=0, opener=_open_at_once)
    except OSError as exc:
        if _is_fifo(path):
            exc.strerror = "it is a FIFO that nobody reads"
        raise


def _open_at_once(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _NON_BLOCKING, 0o666)
    if _NON_BLOCKING:
        os.set_blocking(descriptor, True)  # a reader may be slow
    return descriptor


def _is_fifo(path: str) -> bool:
    from stat import S_ISFIFO

    try:
        return S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False
