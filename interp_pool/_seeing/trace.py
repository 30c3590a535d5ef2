"""The trace of this process: there is one at most.

Owns which one there is, and that it is whole at the exit and away after a fork. It must not know pools: those are given
to it, and those that are made later ask for it.
"""

import os
import sys
from time import time
from weakref import WeakSet

from interp_api import IS_MAIN_INTERPRETER
from interp_pool._process.hooks import Part, register
from interp_pool._seeing.trace_file import TraceFile
from interp_pool._wire.texts import encodable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TAKEN = "there can be one trace at a time, and this process writes %s; end that first"

_current: "dict[None, Trace]" = {}  # None is its key: `setdefault` is one C call


class Trace:
    """One that is being written."""

    def __init__(self, path: "str | os.PathLike[str]", *, is_of_all: bool, detach: "Callable[[Trace], object]") -> None:
        """Begin to write; nothing is noted before pools have it.

        Args:
            path: of the file.
            is_of_all: whether pools that are made later belong to it.
            detach: takes it away from its pools.

        Raises:
            RuntimeError: there is another trace, or this is a worker.
            OSError: the file cannot be written.
        """
        self.path = os.fspath(path)
        self.is_of_all = is_of_all
        self._detach = detach
        self._pools = 0
        self.joined: WeakSet[Any] = WeakSet()
        """The pools that note something for it: their kernels."""
        if not IS_MAIN_INTERPRETER:
            raise RuntimeError("a trace can be written by the main interpreter alone, and this is a worker")
        first = _current.setdefault(None, self)
        if first is not self:
            raise RuntimeError(_TAKEN % first.path)
        try:
            self.file = TraceFile(self.path, _about_program(), self._give_up)
        except BaseException:
            _current.pop(None, None)
            raise

    def next_pool(self) -> int:
        """Return a number for another pool."""
        self._pools += 1
        return self._pools - 1

    def end(self) -> None:
        """Note what is unfinished, and close the file. Doing so again does no harm. Blocks until that is done."""
        if _current.get(None) is self:
            try:
                self._detach(self)
            finally:
                self.file.end()
                _current.pop(None, None)

    def _give_up(self) -> None:
        """The file has failed."""
        self._detach(self)


def current_trace() -> Trace | None:
    """Return the trace that this process writes."""
    return _current.get(None)


def _about_program() -> "dict[str, Any]":
    version = sys.version_info
    return {
        "program": encodable(sys.argv[0]) if sys.argv else "",
        "python": f"{version.major}.{version.minor}.{version.micro}",
        "cpus": os.process_cpu_count() or 1,
        "process": os.getpid(),
        "began": time(),
    }


class _Traces(Part):
    def pause(self, patience: float) -> bool:  # noqa: ARG002  # a disk has its own
        for trace in [*_current.values()]:
            trace.file.pause()
        return True

    def resume(self) -> None:
        for trace in [*_current.values()]:
            trace.file.resume()

    def after_fork_in_child(self) -> None:
        for trace in [*_current.values()]:
            trace.file.forget()
        _current.clear()

    def end(self) -> None:
        for trace in [*_current.values()]:
            trace.end()


register(_Traces())
