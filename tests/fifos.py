"""A FIFO by which a task in whatever process tells a test something, and the test waits for it."""

from __future__ import annotations

import os
import select


class Fifo:
    """A FIFO; its path is what a task is given."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""

    def line(self, timeout=60.0):
        """Return the next line; a hang is an error."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._file], [], [], timeout)
            assert ready, "nothing was told"
            self._rest += os.read(self._file, 4096)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def let_go(self):
        """Have who opens it for reading go on, now or later, until this is closed."""
        os.write(self._file, b"go\n")

    def close(self):
        os.close(self._file)
