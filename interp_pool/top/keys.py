"""What keys do.

This file owns the state of the display: the order, a number that is being typed, the line below. It must not know
terminals or programs. Invariant: nothing here blocks, or asks anybody.
"""

from dataclasses import dataclass
from enum import Enum

from interp_pool._seeing.shapes import Snapshot
from interp_pool.top.screen import Order, Row, rows_of

__all__ = ["HELP", "Command", "Interrupt", "State"]

HELP = "sort by w worker, t time, f function; i interrupt a task; s stacks; q quit"
_ORDERS = {"w": Order.WORKER, "t": Order.TIME, "f": Order.FUNCTION}
_ENTER, _BACKSPACE, _ESCAPE = "\r\n", "\x7f\b", "\x1b"


class Command(Enum):
    """What is to be done now."""

    QUIT = "quit"
    STACKS = "stacks"


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A task is to be stopped."""

    pool: int
    task: int


class State:
    """What a user has chosen so far."""

    def __init__(self) -> None:
        self.order = Order.WORKER
        self.message = ""
        self.now: Snapshot | None = None
        self.before: Snapshot | None = None
        self._typed: str | None = None
        self._choice: dict[int, Row] = {}

    def see(self, snapshot: Snapshot) -> None:
        """Take a new snapshot."""
        self.before, self.now = self.now, snapshot

    def rows(self) -> list[Row]:
        """Return what is to be shown of the workers."""
        return [] if self.now is None else rows_of(self.now, self.before, self.order)

    @property
    def footer(self) -> str:
        """The line below: what is being typed, what has happened, or what keys there are."""
        if self._typed is not None:
            return f"interrupt the task of which #? {self._typed}_  (Enter asks it to stop, Esc does not)"
        return self.message or HELP

    def press(self, key: str) -> Command | Interrupt | None:
        """Take a key; return what is to be done for it."""
        if self._typed is not None:
            return self._type(key, self._typed)
        self.message = ""
        if key == "q":
            return Command.QUIT
        if key == "s":
            return Command.STACKS
        if key == "i":
            self._typed = ""
            self._choice = {row.number: row for row in self.rows()}  # what is seen now, whatever runs there by then
        self.order = _ORDERS.get(key, self.order)
        return None

    def _type(self, key: str, typed: str) -> Interrupt | None:
        if key in _ENTER:
            self._typed = None
            return self._chosen(typed)
        if key == _ESCAPE:
            self._typed = None
        elif key in _BACKSPACE:
            self._typed = typed[:-1]
        elif key.isdecimal():
            self._typed = typed + key
        return None

    def _chosen(self, typed: str) -> Interrupt | None:
        row = self._choice.get(int(typed)) if typed else None
        if row is None:
            self.message = f"there is no worker {typed}" if typed else ""
            return None
        if row.task is None:
            self.message = f"worker {typed} ran no task"
            return None
        return Interrupt(row.pool, row.task)
