"""What the tests of the demo share: files to measure, and progress that does what a test wants."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path


def write_sources(directory: Path) -> list[str]:
    """Three good files and a bad one."""
    sources = ["def f(): pass", "def g(x):\n    return x or 1", "x = 1", "def h(:"]
    files = [directory / f"{index}.py" for index in range(len(sources))]
    for file, source in zip(files, sources, strict=True):
        file.write_text(source)
    return [str(file) for file in files]


class Quiet:
    """Progress that shows nothing."""

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        return iter(items)


class Interrupted(Quiet):
    """Progress of a run in which Ctrl-C is pressed after some files."""

    def __init__(self, after: int) -> None:
        self._after = after

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        yield from islice(items, self._after)
        raise KeyboardInterrupt
