"""Small functions that measurements send to workers.

This file owns them, and imports next to nothing: it is imported INSIDE workers, where every import is paid for.
"""

import os
from functools import cache

__all__ = ["PAUSE", "burn", "gather", "get_ready", "identity", "kept_bytes", "write_marks"]

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


def burn(steps: int) -> int:
    """Compute in pure Python for so many steps, some 25 ns each."""
    total = 0
    for number in range(steps):
        total += number & 1
    return total


def gather(directory: str) -> None:
    """Tell the one who waits in that directory that a worker has begun, and stay until all have: see `gathering`."""
    began = os.open(f"{directory}/began", os.O_WRONLY)
    os.write(began, b".")
    os.close(began)
    end = os.open(f"{directory}/end", os.O_RDONLY)
    os.read(end, 1)
    os.close(end)
