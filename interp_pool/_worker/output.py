"""What tasks write to `sys.stdout` and `sys.stderr`, told line by line. Runs INSIDE a worker, or in a child.

Owns what a line is: what one thread writes up to a line feed, without what a carriage return has it begin anew. What
is left without an end is told when the task has ended. It is a watch, see `_worker.telling`.
"""

import sys
from _thread import RLock, get_ident
from io import RawIOBase, TextIOWrapper

from interp_pool._wire.messages import OUTPUT
from interp_pool._worker.surroundings import passed_on_too
from interp_pool._worker.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STREAMS = "stdout", "stderr"


class Lines(RawIOBase):
    """Takes the bytes of one of the standard streams."""

    def __init__(self, name: str, original: "Any") -> None:
        """Take the place of a stream.

        Args:
            name: "stdout" or "stderr".
            original: the stream, which may be None; it has a descriptor, and gets what nobody hears.
        """
        self.name = f"<{name}>"
        self._is_error = name == "stderr"
        self._original = original
        self._lock = RLock()  # a finalizer may write in the middle of a write
        self._begun: dict[int, bytearray] = {}  # the lines that have not ended, by thread; guarded by the lock

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Return the original's descriptor: what is written there nobody sees here."""
        return super().fileno() if self._original is None else self._original.fileno()

    def write(self, data: "Any", /) -> int:
        """Take some bytes; tell the lines that end in them."""
        taken = b"".join((data,))  # bytes(10) would be ten of them
        with self._lock:
            ident = get_ident()
            line = self._begun.setdefault(ident, bytearray())
            line += taken
            if b"\n" in taken:
                del self._begun[ident]  # before it is told: who is struck here loses a line, and tells none twice
                ended, _, rest = line.rpartition(b"\n")
                if rest:
                    self._begun[ident] = rest
                self._tell(ended)
            elif b"\r" in taken:
                _forget_overwritten(line)
        return len(taken)

    def _tell(self, ended: bytearray) -> None:
        text = "\n".join([shown(line) for line in ended.split(b"\n")])
        if not tell(OUTPUT, (self._is_error, text)) and self._original is not None:
            self._original.write(f"{text}\n")  # outside of tasks, in a child process
            self._original.flush()

    def end_lines(self) -> None:
        """Tell what the task, or a thread, has left without an end."""
        if self._begun:
            with self._lock:
                self._tell_begun()

    def _tell_begun(self) -> None:
        for ident in [*self._begun]:
            line = self._begun.pop(ident)
            if line:  # otherwise it wrote nothing, or was struck before
                self._tell(line)


def shown(line: bytes | bytearray) -> str:
    """Return what is left of a line at its end: behind its last carriage return, unless that is at the end."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "backslashreplace")


def _forget_overwritten(line: bytearray) -> None:
    """Remove from a line that has not ended what the next characters, or some before, have overwritten."""
    text = line.rstrip(b"\r")
    del line[: text.rfind(b"\r") + 1]


_taken: "list[Lines]" = []


def begin(_argument: object) -> None:
    """Take the standard streams' places."""
    for name in _STREAMS:
        lines = Lines(name, getattr(sys, name))
        _taken.append(lines)
        setattr(sys, name, TextIOWrapper(lines, "utf-8", "backslashreplace", write_through=True))
        passed_on_too.append(lines.end_lines)


def end() -> None:
    """Give the streams back, after what is left."""
    passed_on_too.clear()
    while _taken:
        _taken.pop().end_lines()
    for name in _STREAMS:
        if isinstance(getattr(getattr(sys, name, None), "buffer", None), Lines):
            setattr(sys, name, getattr(sys, f"__{name}__"))
