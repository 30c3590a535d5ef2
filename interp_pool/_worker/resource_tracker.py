"""multiprocessing's resource tracker, which belongs to the process; runs INSIDE a worker interpreter.

Owns that all workers use the tracker of the interpreter that has the pool. Each interpreter that imports it would start
one, and closing the interpreter ends it: it then unlinks all that was registered by it, although others of the process
use that still. They use it by the number of its descriptor, as a spawned child does, and ask for that when they need
the tracker for the first time (`_worker.parent`).

A worker writes there from then on, and closes nothing. Should that descriptor be another pipe since, because the
tracker has died and was made anew, it asks once more.
"""

import os

from interp_pool._worker.parent import TRACKER, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(module: "Any") -> None:
    """Let the module's tracker be the pool's."""
    base: Any = module.ResourceTracker

    class PoolTracker(base):  # type: ignore[misc]  # it is not imported here
        _fd: int | None
        _pipe: object = None  # which one the descriptor was when the pool told it

        def ensure_running(self) -> None:
            if not self._is_told():
                base.ensure_running(self)

        def _ensure_running_and_write(self, msg: "Any" = None) -> None:  # what the rest rests on since 3.13.8
            if not self._is_told():
                base._ensure_running_and_write(self, msg)
            elif msg is not None:
                self._write(msg)

        def _is_told(self) -> bool:
            """Return whether the tracker is the pool's and runs, as far as it is known; ask if it is not."""
            if self._pid is not None:
                return False  # its own, since nobody answered
            if self._fd is None or _identity(self._fd) != self._pipe:
                told: Any = ask(TRACKER)
                self._fd = told
                self._pipe = self._fd and _identity(self._fd)
            return self._fd is not None

    tracker = module._resource_tracker
    tracker.__class__ = PoolTracker
    module.ensure_running = tracker.ensure_running


def _identity(descriptor: int) -> object:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
