"""Copies of a directory, and what has changed in one.

This file owns which files count: all but compiled Python, which differs from run to run. It must not know who changes
them.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator

from interp_pool.run.targets import TargetError

__all__ = ["changes", "copy_tree", "snapshot"]

MOST_BYTES = 1 << 30  # to copy twice, within some seconds
_IGNORED = "__pycache__"

type Snapshot = dict[str, str]


def copy_tree(source: str, copy: str) -> None:
    """Copy a directory with its files, directories and symbolic links; other things are left out.

    Raises:
        TargetError: there is too much in it.
        OSError: something cannot be read or written.
    """
    if _size(source) > MOST_BYTES:
        raise TargetError(
            f"the working directory {source!r} has more than {MOST_BYTES >> 30} GiB, and --compare copies it: "
            "run it in one with what the program needs"
        )
    shutil.copytree(source, copy, symlinks=True, ignore=_special)


def _size(root: str) -> int:
    total = 0
    for path in _files(root):
        total += os.lstat(path).st_size
        if total > MOST_BYTES:
            break
    return total


def _files(root: str) -> Iterator[str]:
    for directory, _, names in os.walk(root):
        for name in names:
            yield os.path.join(directory, name)


def _special(directory: str, names: list[str]) -> list[str]:
    """Return what is neither a file nor a directory nor a link: a socket, a pipe."""
    modes = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
    return [
        name for name, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]


def snapshot(root: str) -> Snapshot:
    """Return a text for the contents of each file below a directory, and of each link."""
    found: Snapshot = {}
    for path in _files(root):
        name = os.path.relpath(path, root)
        if _IGNORED not in name.split(os.sep):
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                found[name] = f"link to {os.readlink(path)}"
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def changes(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return what a run has written, changed or deleted."""
    changed = {name: text for name, text in after.items() if before.get(name) != text}
    return changed | dict.fromkeys(before.keys() - after.keys(), "deleted")
