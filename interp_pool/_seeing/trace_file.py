"""The file of a trace: what pools note is kept until a thread writes it.

Owns the file and that thread. Who notes something only appends it: no lock, nothing is written, and nothing waits. The
thread writes at least once in PERIOD, so what a crash loses is what came after. It is no work for the timer's thread,
whose calls are short: a disk may be slow. Memory is bounded: what comes while MOST wait is lost, and counted.

Whatever goes wrong with the file ends the trace and harms no task.
"""

import os
from _thread import allocate_lock
from collections import deque

from interp_pool._process.background import start_background
from interp_pool._process.writing import open_to_write
from interp_pool._seeing.trace_events import Formatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._process.background import Background

    type Note = tuple[Any, ...]  # a method of Formatter, and its arguments

PERIOD = 1.0  # seconds
MOST = 200_000  # notes that wait to be written: some 100 MiB
_MANY = 4096  # notes that are worth waking the thread
_PART = 2000  # notes whose text is held at a time


class TraceFile:
    """The file of one trace. Thread safety: `put`."""

    def __init__(self, path: str, about: "dict[str, Any]", on_failure: "Callable[[], object]") -> None:
        """Make the file, or empty it, and begin to write.

        Args:
            path: of the file.
            about: what it tells of the program.
            on_failure: called by the thread that writes, once the file cannot be written any more.

        Raises:
            OSError: the file cannot be written.
            RuntimeError: no thread can be started.
        """
        self.path, self.lost = path, 0
        self.is_over = False  # nothing is noted any more
        self._on_failure = on_failure
        self._notes: deque[Note] = deque()
        self._bell = allocate_lock()  # locked, unless it has been rung
        self._bell.acquire()
        self._formatter = Formatter(os.getpid())
        self._formatter.program(about)
        self._file = open_to_write(path)  # without a buffer: a forked child finds nothing that is still to be written
        self._thread: Background | None = None
        self._is_resting = False
        try:
            self._file.write(b"[\n")
            self._write()
            self.resume()
        except BaseException as exc:
            self._file.close()
            if isinstance(exc, OSError):
                exc.filename = path  # a full disk has none
            raise

    def put(self, note: "Note") -> None:
        """Keep a note until it is written. Never blocks."""
        notes = self._notes
        if self.is_over:
            return
        if len(notes) >= MOST:
            self.lost += 1
            return
        notes.append(note)
        if not len(notes) % _MANY:
            self._ring()

    def pause(self) -> None:
        """Write what is there, and end the thread until `resume`. Blocks until that is done."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._is_resting = True
            self._ring()
            thread.join()

    def resume(self) -> None:
        """Go on writing."""
        if self._thread is None and not self._file.closed:
            self._is_resting = False
            self._thread = start_background(self._run, "interp_pool trace")

    def end(self) -> None:
        """Note nothing any more, write the rest, and close the file. Blocks until that is done."""
        self.is_over = True
        self.pause()
        if self._file.closed:
            return
        self._formatter.end(self.lost)
        if self._try_to_write():
            if not os.fstat(self._file.fileno()).st_nlink:
                _log("the trace %s is lost: the file was removed while it was written", self.path)
            self._file.close()

    def forget(self) -> None:
        """In a forked child: the file is the parent's."""
        self.is_over = True
        self._notes.clear()
        self._thread = None
        self._file.close()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            return  # it has been rung

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._bell.acquire(timeout=PERIOD)
            is_last = self._is_resting  # before the look: what was noted until then is written
            if not self._try_to_write():
                return

    def _try_to_write(self) -> bool:
        try:
            self._write()
        except Exception as exc:  # mostly an OSError: the disk is full
            self._fail(exc)
            return False
        return True

    def _write(self) -> None:
        formatter, notes = self._formatter, self._notes
        while notes or formatter.lines:
            for _ in range(min(len(notes), _PART)):
                function, *args = notes.popleft()
                function(formatter, *args)
            data = memoryview("".join(formatter.lines).encode())
            formatter.lines.clear()
            while data:
                data = data[self._file.write(data) or 0 :]

    def _fail(self, exc: Exception) -> None:
        self.is_over = True
        self._notes.clear()
        self._file.close()
        _log("the trace %s ends here, as it cannot be written: %s; the tasks go on", self.path, exc)
        self._on_failure()


def _log(text: str, *args: object) -> None:
    from logging import getLogger

    getLogger("concurrent.futures").error(text, *args)
