"""Small functions that measurements send to workers.

This file owns them, and imports next to nothing: it is imported INSIDE workers, where every import is paid for.
"""

from functools import cache

__all__ = ["PAUSE", "get_ready", "identity", "kept_bytes", "write_marks"]

PAUSE = 0.02  # seconds: long enough that each worker gets one such task when one is submitted for each


def identity[T](value: T) -> T:
    """Return the argument."""
    return value


@cache
def kept_bytes(size: int) -> bytes:
    """Return `size` bytes that are not zero, the same object each time: making them is no part of sending them."""
    return b"\xa5" * size


def write_marks(view: memoryview) -> int:
    """Write into the first, the middle and the last byte, each time something else; return the length."""
    for index in (0, len(view) // 2, -1):
        view[index] = (view[index] + 1) % 256
    return len(view)


def get_ready() -> None:
    """Import what workloads use, and be busy long enough that no worker gets two of these."""
    import time
    from importlib import import_module

    for name in ("ast", "json", "re"):
        import_module(name)
    time.sleep(PAUSE)
