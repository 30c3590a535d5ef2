"""Show how far a run has come.

This file owns progress output. It must not know what the items are or who makes them. Invariant: the items
pass through unchanged and in order.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TextIO, cast

__all__ = ["PlainProgress", "Progress", "TqdmProgress", "choose_progress"]

_PLAIN_INTERVAL = 2.0  # seconds between lines: a run of half a minute leaves a log one can still read
_LABEL_WIDTH = len("InterpreterPoolExecutor")  # the longest, so that the bars of all runs line up


class Progress(Protocol):
    """Shows the progress of iterations."""

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Yield the items and show how many of `total` have come.

        Args:
            items: What to go through.
            total: How many items there will be.
            label: What is running.
        """
        ...


class PlainProgress:
    """Progress as plain lines, for logs, pipes and terminals without tqdm.

    Args:
        stream: Where the lines go.
        interval: Seconds between lines.
        clock: Returns seconds; a test gives its own.
        unit: What is counted, in the plural.
    """

    def __init__(
        self,
        stream: TextIO,
        interval: float = _PLAIN_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "files",
    ) -> None:
        self._stream = stream
        self._interval = interval
        self._clock = clock
        self._unit = unit

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Yield the items; write a line every interval and one at the end."""
        start = last = self._clock()
        done, unit = 0, self._unit
        for item in items:
            yield item
            done += 1
            now = self._clock()
            if now - last >= self._interval and done < total:
                last = now
                rate = done / (now - start)
                eta = (total - done) / rate
                self._write(f"{label}: {done:,}/{total:,} {unit}, {_speed(rate)} {unit}/s, ETA {eta:.0f} s")
        elapsed = self._clock() - start
        speed = f", {_speed(done / elapsed)} {unit}/s" if elapsed > 0 else ""
        self._write(f"{label}: {done:,}/{total:,} {unit} in {elapsed:.1f} s{speed}")

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class _Bar(Protocol):
    """The part of a tqdm bar that is used here."""

    def update(self, n: float = 1) -> bool | None: ...
    def close(self) -> None: ...


class _BarType(Protocol):
    """The part of tqdm's class that is used here: tqdm is optional, and so are its type stubs."""

    monitor_interval: float

    def set_lock(self, lock: object) -> None: ...
    def __call__(
        self, *, total: int, desc: str, unit: str, file: TextIO, dynamic_ncols: bool, bar_format: str
    ) -> _Bar: ...


class TqdmProgress:
    """Progress as a live bar by tqdm.

    Args:
        stream: The terminal.
        unit: What is counted, in the plural.

    Raises:
        ImportError: tqdm is not installed.
    """

    _FORMAT = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{unit}, {rate_noinv_fmt}, ETA {remaining}"

    def __init__(self, stream: TextIO, unit: str = "files") -> None:
        import threading

        self._bar_type = cast("_BarType", importlib.import_module("tqdm").tqdm)
        # By default tqdm starts a thread, which a process pool may not fork beside, and a process for a lock.
        self._bar_type.monitor_interval = 0
        self._bar_type.set_lock(threading.RLock())
        self._stream = stream
        self._unit = f" {unit}"

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Yield the items and keep the bar up to date."""
        bar = self._bar_type(
            total=total,
            desc=f"{label:<{_LABEL_WIDTH}}",
            unit=self._unit,
            file=self._stream,
            dynamic_ncols=True,
            bar_format=self._FORMAT,
        )
        try:
            for item in items:
                yield item
                bar.update()
        finally:
            bar.close()


def choose_progress(stream: TextIO, unit: str = "files") -> Progress:
    """Return a live bar when the stream is a terminal and tqdm is installed, else plain lines.

    Args:
        stream: Where progress goes, usually stderr.
        unit: What is counted, in the plural.
    """
    if stream.isatty() and _columns(stream) > 0:
        try:
            return TqdmProgress(stream, unit)
        except ImportError:
            pass
    return PlainProgress(stream, unit=unit)


def _speed(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 1 else f"{rate:.1f}"


def _columns(stream: TextIO) -> int:
    """Return the terminal's width; 0 when it does not tell one, as in some containers, where tqdm draws nothing."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 0
