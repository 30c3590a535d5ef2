"""Find the files the demo measures, and choose among them.

This file owns which files there are and which are used. It must not know what is measured. Invariant: nothing
is left out silently; a file or directory that cannot be used is in `Sources.skipped` with the reason.
"""

import os
import stat
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "DEFAULT_SAMPLE_SIZE",
    "SourceError",
    "SourceFile",
    "Sources",
    "find_sources",
    "sample",
    "standard_library",
]

DEFAULT_SAMPLE_SIZE = 16 * 2**20
"""Bytes of source used when nothing else is asked for: on 2 cores the demo takes 12 s with an optimized
CPython 3.14 and 28 s with an unoptimized 3.13, so it stays under a minute on a slower machine too."""

_NOT_STANDARD = ("site-packages", "dist-packages")  # inside the standard library's directory, not part of it


class SourceError(Exception):
    """The directory to measure cannot be used; the text says which one and why."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file whose name ends in .py, and its size in bytes."""

    path: str
    size: int


@dataclass(slots=True)
class Sources:
    """What was found under a directory.

    Attributes:
        root: The directory.
        files: The usable files, sorted by path.
        skipped: (path, reason) of everything that looked usable and is not.
    """

    root: str
    files: list[SourceFile] = field(default_factory=list[SourceFile])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def standard_library() -> str:
    """Return the directory of the running Python's own standard library."""
    return sysconfig.get_path("stdlib")


def find_sources(root: str | None = None) -> Sources:
    """List every Python source file under a directory, without following links to directories.

    Args:
        root: The directory; None means the running Python's standard library, without installed packages.

    Returns:
        The files, and what had to be skipped.

    Raises:
        SourceError: `root` is missing, not a directory, not readable, or has no Python source file under it.
    """
    top = standard_library() if root is None else root
    try:
        os.scandir(top).close()
    except OSError as exc:
        raise SourceError(f"cannot read directory: {top!r}; {_reason(exc)}") from exc
    sources = Sources(top)

    def skip_directory(exc: OSError) -> None:
        sources.skipped.append((exc.filename or top, f"cannot read directory: {_reason(exc)}"))

    for directory, names, files in os.walk(top, onerror=skip_directory):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if root is None and directory == top and name in _NOT_STANDARD:
                sources.skipped.append((path, "not part of the standard library"))
            elif os.path.islink(path):
                sources.skipped.append((path, "a link to a directory, not followed"))
        names[:] = sorted(set(names) - set(_NOT_STANDARD)) if root is None and directory == top else sorted(names)
        for name in files:
            if name.endswith(".py"):
                _add_file(sources, os.path.join(directory, name))
    sources.files.sort(key=lambda file: file.path)
    if not sources.files:
        also = f", {len(sources.skipped)} that cannot be used" if sources.skipped else ""
        raise SourceError(f"nothing to measure: {top!r}; no readable .py file is under it{also}")
    return sources


def sample(files: Sequence[SourceFile], *, count: int | None = None, size: int | None = None) -> list[SourceFile]:
    """Choose files spread evenly over the sizes; the same files are chosen every time.

    Files are ordered by size and taken at equal distances, so the sample has the whole's mix of small and
    large ones.

    Args:
        files: What to choose from.
        count: How many to choose; None means as many as come to about `size`.
        size: How many bytes to choose, about; None means no limit.

    Returns:
        The chosen files in the order of `files`; all of them when there are no more than asked for.
    """
    if count is None:
        total = sum(file.size for file in files)
        count = len(files) if size is None or total <= size else max(1, len(files) * size // total)
    if count >= len(files):
        return list(files)
    by_size = sorted(range(len(files)), key=lambda index: (files[index].size, files[index].path))
    # The middle of each of `count` equal stretches: neither the smallest nor the largest is favoured.
    chosen = {by_size[(2 * step + 1) * len(files) // (2 * count)] for step in range(count)}
    return [file for index, file in enumerate(files) if index in chosen]


def _add_file(sources: Sources, path: str) -> None:
    try:
        status = os.stat(path)
    except OSError as exc:
        sources.skipped.append((path, _reason(exc)))
        return
    if stat.S_ISREG(status.st_mode):
        sources.files.append(SourceFile(path, status.st_size))
    else:
        sources.skipped.append((path, "not a regular file"))  # opening a named pipe would wait for ever


def _reason(exc: OSError) -> str:
    text = exc.strerror or str(exc)
    return text[:1].lower() + text[1:]
