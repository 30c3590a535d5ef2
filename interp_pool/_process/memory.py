"""Whether there is room in memory for workers that start.

An interpreter that runs out of memory while it is made does not fail, it ends the process. So whoever starts one looks
before.
"""

import sys

if sys.platform == "win32":

    def _has_limit() -> bool:
        return False
else:
    from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

    def _has_limit() -> bool:
        """Return whether addresses that are only reserved count."""
        return getrlimit(RLIMIT_AS)[0] != RLIM_INFINITY


_MIB = 1 << 20
_NEEDED = 40 * _MIB  # by a worker that starts: two stacks, one of its control thread, the interpreter, the arena
_RESERVED = 144 * _MIB  # of addresses, by two threads, where there are any: the C library's arenas, and stacks
_MOST_NEEDED = 8  # workers at a time: more than there is of memory is no more promised than what is used up
_SPARE = 16 * _MIB  # beside that; also, the C library takes less than 32 MiB from what it has, and clears it


def check_memory(count: int) -> None:
    """See whether there is room in memory for so many workers that start.

    Raises:
        MemoryError: there is not.
    """
    size = _SPARE + min(count, _MOST_NEEDED) * _NEEDED
    if _has_limit():
        size += (count - 1) * _RESERVED
    try:
        bytes(size)  # which the system promises, and nobody touches
    except MemoryError:
        raise MemoryError(f"not enough memory for another interpreter: {size // _MIB} MiB are not free") from None
