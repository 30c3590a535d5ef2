"""multiprocessing's resource tracker, which belongs to the process; runs INSIDE a worker interpreter, but for `answer`.

Owns that all workers use the tracker of the interpreter that has the pool. Each interpreter that imports it would start
one, and closing the interpreter ends it: it then unlinks all that was registered by it, although others of the process
use that still. They use it by the number of its descriptor, as a spawned child does:

    1. The module is prepared when it is imported, by a finder; nothing is imported for it before.
    2. A worker that needs the tracker for the first time puts TRACKER_WANTED among its results, and waits.
    3. The pool's manager, outside, makes its own interpreter's tracker run, and puts the descriptor into the reply.
    4. The worker writes there from then on, and closes nothing. Should that descriptor be another pipe since, because
       the tracker has died and was made anew, it asks once more.

While nobody answers, as in an interpreter that was lent, it has a tracker of its own. It must not know tasks, and
imports nothing that is not loaded anyway.
"""

import os
import sys

from interp_api import QueueNotFoundError, SimpleQueue
from interp_pool._wire.messages import TRACKER_WANTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_TRACKER = "multiprocessing.resource_tracker"

_pool: tuple[SimpleQueue, int] | None = None  # who answers: the results queue and the worker's id


def share_tracker(results: SimpleQueue, worker_id: int) -> None:
    """Have multiprocessing use the pool's resource tracker, as soon as something imports it."""
    global _pool
    _pool = results, worker_id
    if _TRACKER in sys.modules:
        return  # this interpreter has been a worker's before
    if not any(type(finder) is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def leave_tracker() -> None:
    """Ask nobody any more: the pool does not read what comes."""
    global _pool
    _pool = None


def answer(reply_id: int) -> None:
    """Outside: make this interpreter's tracker run, and put its descriptor, or why there is none, into a queue."""
    found: object
    try:
        from multiprocessing.resource_tracker import getfd

        found = getfd()
    except Exception as exc:
        found = f"{type(exc).__name__}: {exc}"
    try:
        SimpleQueue(reply_id).put(found)
    except QueueNotFoundError:
        pass  # who asked was struck meanwhile


class _Finder:
    """Finds the tracker's module where the others would, and prepares it."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name != _TRACKER:
            return None
        spec: Any = None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                break
        loader: Any = None if spec is None else spec.loader
        if hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def exec_module(module: "ModuleType") -> None:
                del loader.exec_module  # the next module's it is not
                execute(module)
                _prepare(module)

            loader.exec_module = exec_module
        return spec


def _prepare(module: "Any") -> None:
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
                self._fd = _ask()
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


def _ask() -> int | None:
    if _pool is None:
        return None
    results, worker_id = _pool
    reply = SimpleQueue()
    results.put((TRACKER_WANTED, worker_id, reply.id, 0.0))
    answer = reply.get()
    if not isinstance(answer, int):
        raise RuntimeError(f"the resource tracker of multiprocessing cannot be started: {answer}")
    return answer
