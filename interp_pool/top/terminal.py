"""The terminal: keys as they are pressed, and a screen that is drawn again and again.

This file owns how the terminal is set and how it is left: always as it was. It must not know what is drawn or pressed.
"""

import importlib
import os
import select
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from interp_pool._commands.layout import table
from interp_pool.top.keys import State
from interp_pool.top.screen import ALIGN, HEADERS, heading, pool_lines

__all__ = ["Display", "as_text", "choose_display", "keys_read", "pressed"]

_CLEAR = "\x1b[H\x1b[J"


class Display(Protocol):
    """Draws."""

    def draw(self, state: State) -> None:
        """Show this in the place of what was there."""

    def pause(self) -> None:
        """Give the terminal back for a while."""

    def resume(self) -> None:
        """Take it again, at first or after that."""


def as_text(state: State, width: int | None = None) -> str:
    """Return all there is to see as text.

    Args:
        state: What to show.
        width: Longest line, None for no limit.
    """
    rows = [row.cells for row in state.rows()]
    lines = [*_above(state), *(table(HEADERS, rows, ALIGN).splitlines() if rows else ["no workers"])]
    return "\n".join(line if width is None else line[:width] for line in lines)


def _above(state: State) -> list[str]:
    now = state.now
    if now is None:
        return ["waiting for an answer"]
    return [heading(now), *(line for pool in now["pools"] for line in pool_lines(pool, now, state.before))]


class PlainDisplay:
    """Draws text. Where the output is no terminal each picture comes below the one before."""

    def draw(self, state: State) -> None:
        """Show this."""
        if sys.stdout.isatty():
            width, height = shutil.get_terminal_size()
            lines = as_text(state, width).splitlines()[: height - 2]
            print(_CLEAR + "\n".join([*lines, "", state.footer[:width]]), end="", flush=True)
        else:
            print(as_text(state), end="\n\n", flush=True)

    def pause(self) -> None:
        """Go to a line of its own."""
        if sys.stdout.isatty():
            print(flush=True)

    def resume(self) -> None:
        """There is nothing to take."""


class RichDisplay:
    """Draws with rich, on a screen of its own.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self) -> None:
        # rich is optional, and so are its types.
        self._live_type: Any = importlib.import_module("rich.live").Live
        self._table_type: Any = importlib.import_module("rich.table").Table
        self._text_type: Any = importlib.import_module("rich.text").Text
        self._group_type: Any = importlib.import_module("rich.console").Group
        self._live: Any = None

    def resume(self) -> None:
        """Take the screen."""
        self._live = self._live_type(screen=True, auto_refresh=False)
        self._live.start()

    def pause(self) -> None:
        """Give it back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def draw(self, state: State) -> None:
        """Show this."""
        if self._live is not None:
            self._live.update(self._picture(state), refresh=True)

    def _picture(self, state: State) -> Any:
        first, *others = _above(state)
        text = self._text_type
        workers = self._table_type(box=None, expand=True, header_style="reverse", padding=(0, 1))
        for name, side in zip(HEADERS, ALIGN, strict=True):
            style = {"state": "cyan", "task": "bold"}.get(name)
            workers.add_column(
                name, justify="left" if side == "<" else "right", no_wrap=True, style=style,
                ratio=1 if name in ("task", "where") else None,
            )  # fmt: skip
        room = shutil.get_terminal_size().lines - len(others) - 6
        for row in state.rows()[: max(1, room)]:
            workers.add_row(*map(text, row.cells), style="dim" if row.task is None else None)
        above = [text(first, style="bold"), *map(text, others)]
        return self._group_type(*above, text(""), workers, text(""), text(state.footer, style="dim"))


def choose_display() -> Display:
    """Return what draws with rich if that is installed and there is a terminal, else plain text."""
    if sys.stdout.isatty():
        try:
            return RichDisplay()
        except ImportError:
            pass
    return PlainDisplay()


@contextmanager
def keys_read() -> Generator[int | None]:
    """Have keys come as they are pressed; yield the descriptor, None if there is no terminal to press them at."""
    if sys.platform != "win32" and sys.stdin is not None and sys.stdin.isatty():
        import termios
        import tty

        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
        try:
            tty.setcbreak(keyboard)
            yield keyboard
        finally:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
    else:
        yield None


def pressed(keyboard: int | None, others: Sequence[Any], timeout: float) -> str:
    """Return the keys that are pressed in some seconds; at once when there are some, or another one has something.

    Args:
        keyboard: Descriptor, or None.
        others: What else to wait for.
        timeout: Seconds.
    """
    watched = [*others] if keyboard is None else [keyboard, *others]
    ready = select.select(watched, [], [], timeout)[0]
    if keyboard is None or keyboard not in ready:
        return ""
    data = os.read(keyboard, 100)
    return data.decode(errors="replace") or "q"  # nobody will press anything
