"""Which functions that are handed to a pool call one that imports something in its body, also in another file.

Owns how calls are followed from file to file, and which files beside a script or a function's module are read for it.
It runs nothing.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from interp_pool.doctor.handed import Handed
from interp_pool.doctor.subjects import Source

__all__ = ["sources_beside", "tasks_that_reach"]

_FOREIGN = ("site-packages", "dist-packages")  # folders


def tasks_that_reach(files: Mapping[str, Handed], tasks: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the tasks that call a function, through others too, for each that is called; a task calls itself.

    Args:
        files: what was read of each file, by the name of its module.
        tasks: "module:function" of each.
    """
    found: dict[str, list[str]] = {}
    for task in tasks:
        seen, open_ = set[str](), [task]
        while open_:
            name = open_.pop()
            if name not in seen:
                seen.add(name)
                open_ += _called(files, *name.split(":"))
        for name in seen:
            found.setdefault(name, []).append(task)
    return {name: tuple(several) for name, several in found.items()}


def _called(files: Mapping[str, Handed], module: str, function: str) -> Iterator[str]:
    handed = files.get(module)
    if handed is None or function not in handed.functions:
        return
    yield from (f"{module}:{name}" for name in handed.called_by(function))
    for full in handed.called_elsewhere(function):
        parts = full.split(".")
        for length in range(len(parts) - 1, 0, -1):
            other, name = ".".join(parts[:length]), ".".join(parts[length:])
            if other in files:
                made = f"{name}.__init__"  # it is a class
                yield f"{other}:{made if made in files[other].functions else name}"
                break


def sources_beside(source: Source, handed: Handed, root: str) -> Iterator[Source]:
    """Yield the files that one imports from the program's own folder.

    Args:
        source: the file.
        handed: what was read of it.
        root: the folder that its imports start in.
    """
    for full in sorted(set(handed.names.aliases.values())):
        parts = full.split(".")
        for length in range(len(parts), 0, -1):
            path = Path(root, *parts[:length])
            for file, is_package in ((path.with_suffix(".py"), False), (path / "__init__.py", True)):
                if file.is_file() and str(file) != os.path.abspath(source.path) and not {*file.parts} & {*_FOREIGN}:
                    yield Source(str(file), ".".join(parts[:length]), is_package)
