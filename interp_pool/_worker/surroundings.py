"""What a new worker takes over from its parent, as a new process would inherit it; runs INSIDE the worker.

Owns the environment, the warning filters and the standard streams, and what is to be done with these, and else, when a
task has ended. A warm interpreter has those of its last executor, and a new one the process's environment, which tasks
may have changed. `sys.path` and `sys.argv` come otherwise: they are needed before.

An interpreter makes `sys.stdout` out of whatever descriptor 1 is. In a program whose standard output is closed that is
the next file it opens, or one of its sockets. A spawned child sees only descriptors that are inheritable, which those
of a shell or of `os.dup2` are and those that Python opens are not; so does a worker, which looks each time it starts: a
program may become a daemon after its first executor.

All workers write to the same descriptors, each through a buffer of its own. No line of one is torn by another's as long
as each write to the system has whole lines, and no more of them than the system writes as one: `_WholeLines`.
"""

import _warnings
import os
import sys
from _io import BufferedWriter, BytesIO, FileIO, TextIOWrapper  # `io` itself takes half a millisecond in every worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

endings: "dict[tuple[int, int], Callable[[], object]]" = {}
"""What is to be called when a task has ended, before its outcome is put: by its thread, or 0 where all is one worker's,
and its work id. Mostly empty, and whoever looks finds that out without a call."""
in_place: "list[Any]" = []
"""The tasks of tasks that run as a part of these, the innermost last; None for one that runs on top of such a part."""

_STANDARD = (1, "stdout"), (2, "stderr")
_own: "list[Any]" = [None, None]  # what `sys` has for these, where this module has made it, or nothing is there
_written = [False]  # whether something was written there since they were flushed
_LONGEST_LINE = 32 * 1024  # bytes; of longer ones parts are written as they come

passed_on_too: "list[Callable[[], object]]" = []
"""What else passes on what the task has written, when it has ended."""


adopted: "Any" = None
"""The warning filters that this worker began with, as they were sent."""


def adopt(filters: "Any", environment: "dict[Any, Any]") -> None:
    """Make the warning filters and the environment those that `_workers.interpreters` has encoded."""
    global adopted
    adopted = filters
    _set_warning_filters(filters)
    _set_environment(environment)


def _set_environment(environment: "dict[Any, Any]") -> None:
    """Make `os.environ` what it is in the parent.

    Not by assigning, which would change what other interpreters' child processes see: this is the mapping behind it.
    """
    environ: Any = os.environ
    own: dict[Any, Any] = environ._data
    if own != environment:
        own.clear()
        own.update(environment)


def _set_warning_filters(entries: "Any") -> None:
    if entries == _warnings.filters and "warnings" not in sys.modules:
        return  # it has them, as every interpreter has in the beginning
    import warnings

    warnings.resetwarnings()
    filters: Any = warnings.filters
    filters.extend(filters_of(entries))


def filters_of(entries: "Any") -> "list[Any]":
    """Return warning filters as `_seeing.filters` has described them, without those that can match nothing here."""
    missing: set[str] = set()
    filters: list[Any] = []
    for action, message, category, *rest in entries:
        if type(category) is not type:
            reference: tuple[str, str] = category
            module, name = reference
            found = None if module in missing else _find(module, name)
            if found is None:
                missing.add(module)  # it does not support subinterpreters, say: it will not warn here either
                continue
            category = found  # noqa: PLW2901  # in place of its name
        filters.append((action, message, category, *rest))
    return filters


def _find(module: str, name: str) -> "Any":
    """Return what a module has under a name, None if there is no such module here, or nothing of that name."""
    try:
        __import__(module)
        found: Any = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part)
    except Exception:
        return None
    return found


def set_standard_streams() -> None:
    """Give `sys` the standard streams whose descriptors a spawned child would have, and None for the others.

    The standard input is empty, as multiprocessing's children find it: what is there is the program's.
    """
    if sys.stdin is sys.__stdin__:
        sys.stdin = sys.__stdin__ = TextIOWrapper(BytesIO())  # type: ignore[misc]  # it is not final
    if sys.platform != "win32":  # where no process inherits them by being inheritable
        for descriptor, name in _STANDARD:
            _set_stream(descriptor, name)
            _have_whole_lines(descriptor, name)


def _set_stream(descriptor: int, name: str) -> None:
    own: Any = getattr(sys, f"__{name}__")
    if _is_inherited(descriptor) == (own is not None):
        return
    stream = _open(descriptor) if own is None else None
    if getattr(sys, name) is own:
        setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)
    if own is not None:
        # What is left in it is for a file that is gone. The descriptor itself stays open.
        getattr(own.buffer, "raw", own.buffer).close()


def _have_whole_lines(descriptor: int, name: str) -> None:
    own: Any = getattr(sys, f"__{name}__")
    _own[descriptor - 1] = None
    if own is None:
        return
    raw = FileIO(descriptor, "w", closefd=False)
    raw.name = own.name
    # Without a buffer, as with `python -u`, each argument of a print would be a write of its own.
    line_buffering = own.line_buffering or own.write_through
    stream = _Text(_WholeLines(raw, _LONGEST_LINE), own.encoding, own.errors, line_buffering=line_buffering)
    stream.mode = own.mode  # type: ignore[misc]  # as that of the runtime
    _own[descriptor - 1] = stream
    if getattr(sys, name) is own:
        setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


class _Text(TextIOWrapper):
    """Notes that it was written to: to flush streams for nothing would cost each task 0.2 us (CPython 3.14)."""

    # The defaults are there when the module's names are gone: see `_WholeLines`.
    def write(
        self,
        text: str,
        /,
        take: "Callable[[TextIOWrapper, str], int]" = TextIOWrapper.write,
        written: "list[bool]" = _written,  # one for all
    ) -> int:
        """Take text."""
        written[0] = True
        return take(self, text)


class _WholeLines(BufferedWriter):
    """Holds whole lines, no more than can be written as one, or a line that has not ended, as long as there is room."""

    # Not in the module, whose names are gone when what is printed at the end of the interpreter is written.
    WRITTEN = _written
    AT_ONCE = 4096  # bytes that a pipe takes as one (PIPE_BUF on Linux); files and terminals take more
    _held = 0  # bytes, at most: a flush from outside is not counted
    _has_ended = True  # the last line of these

    def write(self, data: "Any", /) -> int:
        """Take bytes; write what is held if the next line cannot be written with it."""
        data = b"".join((data,))  # the same, most of the time; bytes(10) would be ten of them
        start, ended = 0, data.rfind(b"\n") + 1
        while start < ended:
            end = data.rfind(b"\n", start, max(start, start + self.AT_ONCE - self._held)) + 1
            if end or not self._write_held():
                end = end or data.find(b"\n", start) + 1  # of a line that is longer
                self._hold(data[start:end])
                start = end
        if ended < len(data):
            self._write_held()
            self._hold(data[ended:])
        return len(data)

    def _write_held(self) -> bool:
        """Write what is held, unless that is a line which has not ended; return whether there was something."""
        if not self._held or not self._has_ended:
            return False
        self.flush()
        self._held = 0
        return True

    def _hold(self, data: bytes) -> None:
        self.WRITTEN[0] = True  # also to `sys.stdout.buffer`
        super().write(data)
        self._held += len(data)
        self._has_ended = data.endswith(b"\n")


def _is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False  # closed


def _open(descriptor: int) -> object:
    is_errors = descriptor == 2  # standard error
    return open(  # it stays open
        descriptor,
        "w",
        buffering=1 if is_errors else -1,
        errors="backslashreplace" if is_errors else None,
        closefd=False,
    )


def flush_streams() -> None:
    """Pass on what the task has written, before its future is done: 0.04 us where that is nothing (CPython 3.14).

    A later task may keep this interpreter from ever being closed, which is when the runtime would do it.
    """
    if not _written[0] and sys.stdout is _own[0] and sys.stderr is _own[1] and not passed_on_too:
        return
    _written[0] = False  # before the look: a thread may write meanwhile
    try:
        _flush((sys.stdout, sys.stderr))
        _flush(_own)  # what exit functions wrote, say, before `sys` was set back
        for pass_on in passed_on_too:
            pass_on()
    except Exception:
        pass  # it is closed, full or somebody's own: whoever writes there next is told
    except BaseException:
        _written[0] = True
        raise


def _flush(streams: "Iterable[Any]") -> None:
    for stream in streams:  # a function of its own: where an `if` ends a loop, CPython 3.14 forgets what surrounds it
        if stream is not None:  # without a standard output
            stream.flush()


def end_task(thread: int, work_id: int) -> None:
    """Call what is to be called at the end of a task, if there is something."""
    end = endings.pop((thread, work_id), None)
    if end is not None:
        end()
