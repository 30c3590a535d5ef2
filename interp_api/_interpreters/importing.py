"""Whether a module is being imported, in whatever thread of this interpreter.

Pickle imports the module of each class and function that it names. While another thread runs that module's body this
waits for the end of the import, which may be waiting for the one who pickles. Owns how to tell that this can happen.

Names of the runtime that are not public, the same in CPython 3.13 to 3.15: `_frozen_importlib._module_locks`, a lock
per module that is being imported, by weak reference, and the `owner` of such a lock, None once it is free.
"""

import _frozen_importlib as _runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_locks: "dict[str, Callable[[], Any]]" = _runtime._module_locks  # type: ignore[attr-defined]  # see above


def is_importing() -> bool:
    """Return whether a module is being imported. It may end, or another one begin, at any time."""
    if not _locks:
        return False  # nearly always
    # A traceback of an import that failed keeps its locks alive, which nobody owns.
    return any(getattr(each(), "owner", None) is not None for each in [*_locks.values()])
