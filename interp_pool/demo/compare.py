"""Run the demo's work with each executor and compare times and results.

This file owns the comparison. It must not know how progress or results look. Invariant: every executor gets
the same function, paths and number of workers, and its time includes starting and stopping its workers; the
serial run is the reference for the results.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass

from interp_pool._commands.interrupts import interrupts_deferred
from interp_pool._commands.progress import Progress
from interp_pool.demo.measure import FileMeasure, measure_file, prepare_process, prepare_worker

__all__ = ["Contender", "Run", "compare", "contenders", "process_chunksize"]

SERIAL = "serial"
_CHUNKS_PER_WORKER = 32
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


@dataclass(frozen=True, slots=True)
class Run:
    """One timed pass over all files.

    Attributes:
        name: The contender's name, or `SERIAL`.
        seconds: Wall-clock time from before the executor was made until its workers were gone.
        measures: The results in the order of the paths; empty when the run failed.
        error: Why the run failed, one line; None when it did not.
        is_identical: Whether the results equal the serial run's; None for the serial run itself and a failed
            one.
    """

    name: str
    seconds: float
    measures: Sequence[FileMeasure] = ()
    error: str | None = None
    is_identical: bool | None = None


def process_chunksize(files: int, workers: int) -> int:
    """Return a good `chunksize` for a process pool: large enough to hide the pipe, small enough to balance.

    Measured with 810 files of the standard library and 2 workers, best of six runs: 2.1 s with 1; 1.8 to 2 s
    with 2 to 32; 2.1 s with 64. In that range, 32 chunks for each worker leave little waiting at the end.

    Args:
        files: How many items there are.
        workers: How many worker processes there are.
    """
    return max(1, min(_LARGEST_CHUNK, files // (workers * _CHUNKS_PER_WORKER)))


def contenders(files: int, workers: int) -> list[Contender]:
    """Return the executors to compare, each with the same number of workers.

    Modules are imported here, before any clock runs; what an executor does to get going is part of its time.

    Args:
        files: How many items each will be given.
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


def compare(paths: Sequence[str], entrants: Sequence[Contender], progress: Progress) -> Iterator[Run]:
    """Measure all files serially, then with each contender, and yield each run as it ends.

    A contender that fails is a run with `error` set; the others go on. On KeyboardInterrupt, files not begun
    are given up, and the interrupt goes on to the caller once the workers are gone.

    Args:
        paths: The files.
        entrants: The executors.
        progress: Shows how far each run is.

    Blocks:
        Until each run's workers have ended.
    """
    with warnings.catch_warnings():
        prepare_worker()
        _warm_file_cache(paths)
        start = time.perf_counter()
        reference = list(progress.track(map(measure_file, paths), len(paths), SERIAL))
        yield Run(SERIAL, time.perf_counter() - start, reference)
        for contender in entrants:
            yield _run(contender, paths, reference, progress)


def _run(contender: Contender, paths: Sequence[str], reference: list[FileMeasure], progress: Progress) -> Run:
    start = time.perf_counter()
    try:
        measures = _map(contender, paths, progress)
    except BrokenPipeError:  # ours, from the progress output: no one is reading any more
        raise
    except Exception as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):  # it struck in the code of a lock
            raise exc.__context__ from None
        text = str(exc).partition("\n")[0]
        return Run(contender.name, time.perf_counter() - start, error=f"{type(exc).__name__}: {text}")
    seconds = time.perf_counter() - start
    return Run(contender.name, seconds, measures, is_identical=measures == reference)


def _map(contender: Contender, paths: Sequence[str], progress: Progress) -> list[FileMeasure]:
    # Struck while it starts or ends, an executor with processes prints tracebacks of its own.
    quiet = interrupts_deferred if contender.has_processes else nullcontext
    executor = contender.start()
    try:
        with quiet():
            if contender.chunksize is None:
                results = executor.map(measure_file, paths)
            else:
                results = executor.map(measure_file, paths, chunksize=contender.chunksize)
        measures = list(progress.track(results, len(paths), contender.name))
    except BaseException:
        # Not `with`: its exit would first finish every queued file, and Ctrl-C would seem to do nothing.
        with quiet():
            executor.shutdown(cancel_futures=True)
        raise
    with quiet():
        executor.shutdown()
    return measures


def _warm_file_cache(paths: Sequence[str]) -> None:
    """Read every file once, so that the first run does not pay for the disk on behalf of the others."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                file.read()
        except OSError:
            continue  # the run itself reports it
