"""Lines that tasks have written, as the program gets them.

Owns to whom a line goes, in what form, and what becomes of one that raises. All of it is in the pool's manager thread,
without a lock. What a line is, and how it comes, is `_worker.output`'s.
"""

import sys

from interp_pool._wire.messages import OUTPUT
from interp_pool._wire.texts import describe, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._core.told import Told
    from interp_pool._options.pool_options import Output, PoolOptions


_WATCH = "interp_pool._worker.output"


def forward_output(options: "PoolOptions") -> None:
    """Have the lines of a pool's tasks arrive where the options say."""
    assert options.output is not None
    options.watches.append(lambda: (_WATCH, None))
    options.hearers[OUTPUT] = Lines(options.output, options.thread_name_prefix, options.is_named).hear


class Lines:
    """What a pool does with lines."""

    def __init__(self, wanted: "Output", worker_prefix: str, is_named: bool) -> None:
        """Prepare to hear lines.

        Args:
            wanted: where they are to go.
            worker_prefix: which names of workers begin with.
            is_named: whether the user has chosen that.
        """
        self._wanted, self._prefix, self._is_named = wanted, worker_prefix, is_named
        self._has_failed = False

    def hear(self, told: "Told") -> None:
        """Pass lines on. What comes of an error is one message, for the first one."""
        is_error, text = told.body
        put = self._taker(told, is_error=is_error)
        for line in text.split("\n"):
            try:
                put(line)
            except Exception as exc:
                self._note_failure(told, exc)

    def _taker(self, told: "Told", *, is_error: bool) -> "Callable[[str], object]":
        wanted = self._wanted
        if isinstance(wanted, str):
            head = self.head(told.plain_name, told.worker)
            return lambda line: _print(f"{head}{line}\n", is_error=is_error)
        if callable(wanted):
            return wanted
        return lambda line: wanted.write(f"{line}\n")

    def head(self, task: str | None, worker: str) -> str:
        """Return what stands before a line.

        Args:
            task: its name, None if there is none.
            worker: the name of its worker.
        """
        short = worker if self._is_named else worker.removeprefix(f"{self._prefix}_")
        if short.isdecimal():
            short = f"worker_{short}"
        return f"[{one_line(' | '.join(filter(None, (task, short))))}] "

    def _note_failure(self, told: "Told", exc: Exception) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        from logging import getLogger

        getLogger("concurrent.futures").error(
            "output=%r cannot take a line of %s: %s; other lines are lost without a message",
            self._wanted,
            told.task_name or "a worker",
            describe(exc),
        )


def _print(text: str, *, is_error: bool) -> None:
    """Write to the stream that there is now, which may be another one than when the pool was made."""
    stream = sys.stderr if is_error else sys.stdout
    if stream is not None:  # pyright: ignore[reportUnnecessaryComparison]  # as with pythonw
        stream.write(text)
