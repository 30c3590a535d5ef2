"""Pools that are made in the body of a module, while it is imported.

Such a body runs again in every worker whose task needs the module. If it sends functions of its own, that makes pools
within pools without end, until memory is full. So a pool has the names of the modules that were being imported when it
was made, its workers pass them on, and none of them may make a pool while it imports one of these again. A task that
makes a pool may, and so may a body whose pool never needs the module it is in.
"""

import sys

from interp_pool._worker import main_ahead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


def modules_being_imported() -> tuple[str, ...]:
    """Return the modules whose body this thread is in, those included that led to this worker.

    Raises:
        RuntimeError: one of them is both; or this is a child process of multiprocessing's that just loads the main
            module.
    """
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and getattr(process.current_process(), "_inheriting", False):
        raise RuntimeError(
            "cannot make a pool while a child process loads the main module, whose body made its pool: that would make "
            'pools without end; put it into a function, or under `if __name__ == "__main__":` of the program'
        )
    names = _own_names()
    before = main_ahead.imported_before
    for name in names:
        if name in before:
            raise RuntimeError(
                f"cannot make a pool while a worker imports module {name!r}, whose body made the pool of this worker: "
                "that would make pools without end; put it into a function, or under "
                '`if __name__ == "__main__":` of the program'
            )
    return (*before, *names)


def _own_names() -> list[str]:
    names: list[str] = []
    frame: FrameType | None = sys._getframe()  # pyright: ignore[reportPrivateUsage]  # as inspect does
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            spec: Any = frame.f_globals.get("__spec__")
            if getattr(spec, "_initializing", False) is True:
                names.append(spec.name)
        frame = frame.f_back
    return names
