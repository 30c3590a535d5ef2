"""Look at a program again and again, until it ends or the user quits.

This file owns the order of looking, drawing and pressing keys.
"""

import sys
from time import monotonic

from interp_pool.top.asking import Monitored
from interp_pool.top.keys import Command, Interrupt, State
from interp_pool.top.terminal import Display, choose_display, keys_read, pressed

__all__ = ["watch"]


class _Quit(Exception):
    """The user has seen enough."""


def watch(program: Monitored, interval: float) -> None:
    """Show what a program does.

    Args:
        program: What to look at.
        interval: Seconds between two looks.

    Raises:
        Ended: The program has ended.

    Blocks:
        Until then, or until the user quits.
    """
    display = choose_display()
    with keys_read() as keyboard:
        display.resume()
        try:
            _Watch(program, display, keyboard, interval).run()
        except (_Quit, KeyboardInterrupt):
            pass  # which is another way to say so
        finally:
            display.pause()


class _Watch:
    def __init__(self, program: Monitored, display: Display, keyboard: int | None, interval: float) -> None:
        self._program, self._display = program, display
        self._keyboard, self._interval = keyboard, interval
        self._state = State()

    def run(self) -> None:
        """Go on until something is raised."""
        while True:
            self._state.see(self._program.snapshot(self._while_silent))
            self._display.draw(self._state)
            self._wait()

    def _wait(self) -> None:
        """Follow keys until it is time for another look; the monitor says nothing meanwhile, unless it ends."""
        until = monotonic() + self._interval
        while (left := until - monotonic()) > 0:
            keys = pressed(self._keyboard, [self._program.connection], left)
            if not keys:
                return
            self._follow(keys)

    def _while_silent(self, seconds: float) -> None:
        self._state.message = f"no answer for {seconds:.0f} s: it is stopped, or its main interpreter is in C code"
        self._display.draw(self._state)
        if "q" in pressed(self._keyboard, [], 0.0):
            raise _Quit

    def _follow(self, keys: str) -> None:
        for key in keys:
            wanted = self._state.press(key)
            if wanted is Command.QUIT:
                raise _Quit
            if wanted is Command.STACKS:
                self._show_stacks()
            elif isinstance(wanted, Interrupt):
                self._state.message = self._program.interrupt(wanted.pool, wanted.task)
        self._display.draw(self._state)

    def _show_stacks(self) -> None:
        """Print them where they stay, and can be scrolled."""
        stacks = self._program.stacks()
        self._display.pause()
        print(stacks, end="\n\n")
        if self._keyboard is not None:
            print("press a key to go on", file=sys.stderr, flush=True)
            pressed(self._keyboard, [], 1e6)
        self._display.resume()
