"""The manners of a command: how it takes arguments, prints, fails and ends.

This file owns exit statuses and what happens to interrupts and closed outputs. It must not know any command.
Invariant: whatever the user gives, presses or closes, there is no traceback.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["FAILED", "Parser", "load_average", "positive", "python_name", "run", "show"]

FAILED, _USAGE, _INTERRUPTED, _BROKEN_PIPE = 1, 2, 130, 141  # the last two: 128 + the signal, as the shell says it


class Parser(argparse.ArgumentParser):
    """A parser that answers a wrong argument with one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(_USAGE, f"{self.prog}: error: {message} (--help lists the arguments)\n")


def positive(text: str) -> int:
    """Return the whole number >= 1 that an argument says.

    Raises:
        argparse.ArgumentTypeError: It says something else.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return value


def run(program: str, body: Callable[[], int], usage_error: type[Exception]) -> int:
    """Call the body of a command and turn everything that can end it early into an exit status.

    Args:
        program: What the user called, for the one line on stderr.
        body: Does the work and returns the exit status.
        usage_error: What the body raises when it cannot use its arguments.

    Returns:
        The body's status; 1 when the output cannot be written, 2 after `usage_error`, 130 after Ctrl-C, 141 when the
        reader of the output is gone.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text, nor fit the encoding
    try:
        return body()
    except usage_error as exc:
        return _give_up(program, str(exc), _USAGE)
    except KeyboardInterrupt:
        return _give_up(program, "interrupted", _INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except OSError as exc:  # files and executors report theirs elsewhere: this one is the output's
        _discard_output()
        return _give_up(program, f"cannot write the report: {exc.strerror or exc}", FAILED)


def show(text: str) -> None:
    """Print a paragraph at once, so that a reader of a pipe sees it when it is there; nothing when it is empty."""
    if text:
        print(text, end="\n\n", flush=True)


def python_name() -> str:
    """Return implementation and version of the running Python, and whether it has a GIL."""
    import platform

    python = f"{platform.python_implementation()} {platform.python_version()}"
    if not sys._is_gil_enabled():  # pyright: ignore[reportPrivateUsage]  # documented since 3.13
        python += " without GIL"
    return python


def load_average() -> float | None:
    """Return the load average of the last minute; None when the system does not tell."""
    if sys.platform != "win32":  # which has none
        with contextlib.suppress(OSError):
            return os.getloadavg()[0]
    return None


def _give_up(program: str, reason: str, status: int) -> int:
    with contextlib.suppress(OSError):  # stderr may be what is broken
        print(f"{program}: {reason}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Point outputs that cannot be written at nowhere, else flushing them at exit would complain.

    Source: the note on SIGPIPE in the documentation of the `signal` module.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            try:
                stream.flush()
            except OSError:
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
