"""The executors that the demo compares: how each is started, used, timed and stopped.

This file owns one executor's clocks and what is done about its failures. It must not know the order in which they are
used, or how results look. Invariant: every one gets the same function, files and number of workers; what it costs to
start and stop it is on one clock, the work on the other, and nothing that it does is on none.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from interp_pool._commands.interrupts import interrupts_deferred
from interp_pool.demo.measure import FileMeasure, measure_file, prepare_process, prepare_worker

__all__ = ["SERIAL", "Contender", "Entrant", "contenders", "process_chunksize"]

_CHUNKS_PER_WORKER = 16
_LARGEST_CHUNK = 16


@dataclass(frozen=True, slots=True)
class Contender:
    """One kind of executor.

    Attributes:
        name: What the report calls it.
        start: Makes the executor; called with the clock running.
        chunksize: What `map` is given; None leaves the executor its default.
        has_processes: Whether `map` starts processes, which a Ctrl-C would reach before they can ignore it.
    """

    name: str
    start: Callable[[], Executor]
    chunksize: int | None = None
    has_processes: bool = False


class _Caller(Executor):
    """The executor that is none: the caller's thread measures each file when it asks for its result."""

    def map[T](
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,  # noqa: ARG002  # the interface's
        chunksize: int = 1,  # noqa: ARG002
        buffersize: int | None = None,  # noqa: ARG002
    ) -> Iterator[T]:
        """Call the function for one item after the other."""
        return map(fn, *iterables)


SERIAL = Contender("serial", _Caller)


def process_chunksize(files: int, workers: int) -> int:
    """Return a good `chunksize` for a process pool: large enough to hide the pipe, small enough to balance.

    Measured with 810 files of the standard library and 2 workers, best of six runs: 2.1 s with 1; 1.8 to 2 s
    with 2 to 32; 2.1 s with 64. In that range, 16 chunks for each worker leave little waiting at a slice's end.

    Args:
        files: How many items one call of `map` gets.
        workers: How many worker processes there are.
    """
    return max(1, min(_LARGEST_CHUNK, files // (workers * _CHUNKS_PER_WORKER)))


def contenders(files: int, workers: int) -> list[Contender]:
    """Return the executors to compare, each with the same number of workers.

    Modules are imported here, before any clock runs; what an executor does to get going is part of its time.

    Args:
        files: How many items each is given at once.
        workers: How many workers each gets.
    """
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    from interp_pool import InterpreterPoolExecutor

    return [
        Contender("ThreadPoolExecutor", lambda: ThreadPoolExecutor(workers, initializer=prepare_worker)),
        Contender(
            "ProcessPoolExecutor",
            lambda: ProcessPoolExecutor(workers, initializer=prepare_process),
            process_chunksize(files, workers),
            has_processes=True,
        ),
        Contender("InterpreterPoolExecutor", lambda: InterpreterPoolExecutor(workers, initializer=prepare_worker)),
    ]


class Entrant:
    """One executor, from its start to its stop, with its clocks.

    Once it has failed it is stopped, and does nothing any more.

    Attributes:
        name: What the report calls it.
        has_processes: Whether it starts processes.
        around: Seconds that starting it, until its first results were there, and stopping it took.
        slices: Seconds that each slice took.
        error: Why it failed, one line; None when it did not.
    """

    def __init__(self, contender: Contender) -> None:
        self.name = contender.name
        self.has_processes = contender.has_processes
        self.around = 0.0
        self.slices: list[float] = []
        self.error: str | None = None
        self._contender = contender
        self._executor: Executor | None = None
        # Struck while it starts or ends, an executor with processes prints tracebacks of its own.
        self._quiet = interrupts_deferred if contender.has_processes else nullcontext

    def start(self, paths: Sequence[str]) -> None:
        """Make the executor and have it measure its first files. Workers it makes later are on the clock of `run`."""
        begin = time.perf_counter()
        try:
            with self._quiet():
                self._executor = self._contender.start()
            for _ in self._map(self._executor, paths, chunksize=None):
                pass
        except Exception as exc:
            self._fail(exc)
        self.around += time.perf_counter() - begin

    def run(self, paths: Sequence[str], results: list[FileMeasure]) -> Iterator[None]:
        """Measure a slice: append a result for each file, and yield as often, with the clock running.

        Yields nothing when the executor has failed.
        """
        if self._executor is None:
            return
        begin = time.perf_counter()
        try:
            for measure in self._map(self._executor, paths, self._contender.chunksize):
                results.append(measure)
                yield
        except Exception as exc:
            self._fail(exc)
        else:
            self.slices.append(time.perf_counter() - begin)

    def stop(self) -> None:
        """End the executor and wait for its workers; what it has not begun is given up."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        begin = time.perf_counter()
        try:
            with self._quiet():
                executor.shutdown(cancel_futures=True)
        except Exception as exc:
            self._fail(exc)
        self.around += time.perf_counter() - begin

    def _map(self, executor: Executor, paths: Sequence[str], chunksize: int | None) -> Iterator[FileMeasure]:
        with self._quiet():
            if chunksize is None:
                return executor.map(measure_file, paths)
            return executor.map(measure_file, paths, chunksize=chunksize)

    def _fail(self, exc: Exception) -> None:
        if isinstance(exc.__context__, KeyboardInterrupt):  # it struck in the code of a lock
            raise exc.__context__ from None
        text = str(exc).partition("\n")[0]
        self.error = self.error or f"{type(exc).__name__}: {text}"
        self.stop()
