"""How much memory this process and its children have to themselves.

This file owns reading /proc. It must not know what is measured with it.
"""

import os
import re

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
        for pid in _family(root):
            with open(f"{root}/{pid}/smaps_rollup", encoding="ascii") as file:
                found = re.search(r"^Pss_Anon:\s+(\d+) kB$", file.read(), re.MULTILINE)
            if found is None:
                return None
            total += int(found[1])
    except OSError:  # no such file system, or a child that just ended: a number without it would be wrong
        return None
    return total / 1024


def _family(root: str) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir(root):
        if name.isdecimal():
            try:
                with open(f"{root}/{name}/stat", encoding="utf-8", errors="replace") as file:
                    # The name of the program, in parentheses, may have anything in it.
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue  # gone meanwhile
    family = [os.getpid()]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family
