"""Ask a program's monitor.

This file owns the way of a question and its answer; what they are is said in `interp_pool._seeing.shapes`.
"""

import json
import select
import socket
from collections.abc import Callable
from typing import Any

from interp_pool._seeing.shapes import Snapshot
from interp_pool.top.programs import TopError

__all__ = ["Ended", "Monitored"]

_CHUNK = 1 << 16  # bytes
_PATIENCE = 10.0  # seconds; a program that is stopped, or whose main interpreter is in C code, does not answer
_STEP = 1.0  # seconds from one look at the keyboard to the next meanwhile


class Ended(Exception):
    """The program has ended."""


class Monitored:
    """A program that can be looked at.

    Args:
        connection: To its monitor.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._left = b""

    def close(self) -> None:
        """Look at it no more."""
        self.connection.close()

    def snapshot(self, meanwhile: Callable[[float], None] | None = None) -> Snapshot:
        """Return what it does. See `ask`."""
        told: Snapshot = self._told("snapshot", meanwhile)
        return told

    def stacks(self) -> str:
        """Return the calls of all threads and tasks. See `ask`."""
        told: str = self._told("stacks", None)
        return told

    def interrupt(self, pool: int, task: int) -> str:
        """Have a task told to stop; return what comes of that. See `ask`."""
        told = self.ask({"ask": "interrupt", "pool": pool, "task": task})
        name = told.get("interrupted")
        return f"{told.get('error')}" if name is None else f"{name} was told to stop"

    def _told(self, what: str, meanwhile: Callable[[float], None] | None) -> Any:
        told = self.ask({"ask": what}, meanwhile)
        if what not in told:
            raise TopError(f"the program has no {what} to tell: {told.get('error')}")
        return told[what]

    def ask(self, question: dict[str, object], meanwhile: Callable[[float], None] | None = None) -> dict[str, Any]:
        """Return the answer to a question.

        Args:
            question: What to ask.
            meanwhile: Called with the seconds gone, again and again while there is no answer; without it that is an
                error after a while.

        Raises:
            Ended: The program has ended.
            TopError: It does not answer.

        Blocks:
            Until the answer is there.
        """
        try:
            self.connection.sendall(json.dumps(question).encode() + b"\n")
            return self._receive(meanwhile)
        except OSError as exc:
            raise Ended from exc

    def _receive(self, meanwhile: Callable[[float], None] | None) -> dict[str, Any]:
        waited = 0.0
        parts = [self._left]
        while b"\n" not in parts[-1]:
            if not select.select([self.connection], [], [], _STEP)[0]:
                waited += _STEP
                if meanwhile is not None:
                    meanwhile(waited)
                elif waited >= _PATIENCE:
                    raise TopError("the program does not answer: it is stopped, or its main interpreter is in C code")
                continue
            data = self.connection.recv(_CHUNK)
            if not data:
                raise Ended
            parts.append(data)
        line, _, self._left = b"".join(parts).partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told
