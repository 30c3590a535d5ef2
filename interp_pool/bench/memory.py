"""How much memory this process and its children have to themselves.

This file owns reading /proc. It must not know what is measured with it.
"""

import re

from interp_pool.bench.family import family

__all__ = ["family_memory"]


def family_memory(root: str = "/proc") -> float | None:
    """Return the anonymous memory of this process and all its descendants, in MiB; None when it cannot be told.

    A page that several of them share, as after a fork, counts once: each process has its proportion (`Pss_Anon`).
    Files that are mapped, as the interpreter's own program, do not count.

    Args:
        root: Where the process file system is mounted.
    """
    total = 0
    try:
        for pid in family(root):
            with open(f"{root}/{pid}/smaps_rollup", encoding="ascii") as file:
                found = re.search(r"^Pss_Anon:\s+(\d+) kB$", file.read(), re.MULTILINE)
            if found is None:
                return None
            total += int(found[1])
    except OSError:  # no such file system, or a child that just ended: a number without it would be wrong
        return None
    return total / 1024
