"""What an exception from outside leaves in the import system's code, and what puts that right; runs INSIDE a worker."""

import _imp
import sys


def forget_halves() -> None:
    """Forget the modules of packages whose import was struck.

    The import system has forgotten the package alone. It would take its modules for loaded next time, and not bind them
    in the new package, which then lacks their names for ever.
    """
    for name in [*sys.modules]:
        package = name.rpartition(".")[0]
        if package and package not in sys.modules:
            sys.modules.pop(name, None)


def release_import_lock() -> None:
    """Release what an exception in the code of the import system has left: nobody imports in this thread now."""
    try:
        while _imp.lock_held():
            _imp.release_lock()
    except RuntimeError:
        pass  # another thread holds it
