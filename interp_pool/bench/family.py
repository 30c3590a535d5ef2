"""This process and its descendants: which they are, and the processor time they have used.

This file owns finding these out. It must not know what is measured with it.
"""

import os
import sys
import time
from collections.abc import Sequence

__all__ = ["family", "processor_time"]


def family(root: str = "/proc") -> list[int]:
    """Return the ids of this process and all its descendants.

    Args:
        root: Where the process file system is mounted.

    Raises:
        OSError: There is no such file system.
    """
    parents: dict[int, int] = {}
    for name in os.listdir(root):
        if name.isdecimal():
            try:
                with open(f"{root}/{name}/stat", encoding="utf-8", errors="replace") as file:
                    # The name of the program, in parentheses, may have anything in it.
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue  # gone meanwhile
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def processor_time(pids: Sequence[int]) -> float | None:
    """Return the processor seconds of these processes so far, all their threads, to the nanosecond.

    None when this system does not tell, or one of them has ended.

    Source: `clock_getcpuclockid`, which on Linux computes the clock's id from the process's in this way.
    """
    if sys.platform == "linux":
        try:
            return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)
        except OSError:
            return None
    else:
        return time.process_time() if [*pids] == [os.getpid()] else None
