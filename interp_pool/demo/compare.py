"""Run the demo's work with each executor in turn and compare times and results.

This file owns the comparison: who measures what, when. It must not know how progress or results look. Invariants:
every slice is measured by every executor that has not failed, one after the other, so what else the machine does
meets all of them; each is the first when it is its turn; the serial run is the reference for the results.

1. The first slice: each executor is started when it is its turn and measures the slice at once. Those with processes
   come first: a process must not be forked beside the threads of the others.
2. The other slices: each executor in turn, the first one being another each time. Those whose turn it is not wait.
3. All are stopped, the interrupted or failed ones too.
"""

import warnings
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from interp_pool._commands.progress import Progress
from interp_pool.demo.entrants import SERIAL, Contender, Entrant
from interp_pool.demo.measure import FileMeasure, prepare_worker
from interp_pool.demo.sources import SourceFile

__all__ = ["LABEL", "Comparison", "Run", "compare", "cut"]

LABEL = "all in turn"  # what the progress is of
_MOST_SLICES = 12  # three turns of four executors; of the default sample, each takes some tenths of a second
_FILES_FOR_EACH_WORKER = 4  # in a slice: with fewer, who waits for the last file decides its time
_FIRST_FILES = 8  # what an executor measures to be started: few, and the smallest


@dataclass(frozen=True, slots=True)
class Run:
    """What one executor did.

    Attributes:
        name: The contender's name.
        slices: Wall-clock seconds of each slice, in the order of the slices.
        around: Wall-clock seconds of starting it, until its first results, and of stopping it.
        error: Why it failed, one line; None when it did not.
        differences: The serial run's and its own results of the first slice in which they differ; None when none does.
    """

    name: str
    slices: tuple[float, ...] = ()
    around: float = 0.0
    error: str | None = None
    differences: tuple[Sequence[FileMeasure], Sequence[FileMeasure]] | None = None

    @property
    def seconds(self) -> float:
        """Everything it took."""
        return self.around + sum(self.slices)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all of them did.

    Attributes:
        measures: The serial run's results, sorted by path.
        runs: The serial run first.
    """

    measures: Sequence[FileMeasure]
    runs: Sequence[Run]


def cut(files: Sequence[SourceFile], workers: int) -> list[list[str]]:
    """Cut the work into slices of about the same size, the large files of each first.

    At the end of every slice, workers that are done wait for the last file: it should be a small one.

    Args:
        files: What is to be measured.
        workers: How many workers each executor has: they need something to share in each slice.
    """
    count = max(1, min(_MOST_SLICES, len(files) // (workers * _FILES_FOR_EACH_WORKER)))
    ordered = sorted(files, key=lambda file: (-file.size, file.path))
    return [[file.path for file in ordered[first::count]] for first in range(count)]


def compare(slices: Sequence[Sequence[str]], contenders: Sequence[Contender], progress: Progress) -> Comparison:
    """Measure each slice serially and with each contender.

    A contender that fails is a run with `error` set; the others go on. On KeyboardInterrupt, files not begun
    are given up, and the interrupt goes on to the caller once the workers are gone.

    Args:
        slices: The files, in parts that take about equally long; within a part, the largest first.
        contenders: The executors.
        progress: Shows how far all of it is.

    Blocks:
        Until the workers of all have ended.
    """
    entrants = [Entrant(contender) for contender in (SERIAL, *contenders)]
    rounds = _Rounds(entrants)
    total = len(entrants) * sum(map(len, slices))
    with warnings.catch_warnings(), ExitStack() as stack:
        prepare_worker()
        _warm_file_cache(slices)
        for entrant in entrants:
            stack.callback(entrant.stop)
        # Closed before the executors are stopped, so that nothing waits for results any more.
        for _ in progress.track(stack.enter_context(closing(rounds.run(slices))), total, LABEL):
            pass
    runs = [
        Run(entrant.name, tuple(entrant.slices), entrant.around, entrant.error, rounds.differences.get(entrant.name))
        for entrant in entrants
    ]
    return Comparison(sorted(rounds.measures, key=lambda measure: measure.path), runs)


class _Rounds:
    """The passes over all slices."""

    def __init__(self, entrants: list[Entrant]) -> None:
        self.measures: list[FileMeasure] = []
        self.differences: dict[str, tuple[list[FileMeasure], list[FileMeasure]]] = {}
        self._entrants = entrants

    def run(self, slices: Sequence[Sequence[str]]) -> Generator[None]:
        """Yield once for each file that an executor has measured."""
        everyone = self._entrants
        for index, paths in enumerate(slices):
            first = index % len(everyone)
            order = everyone[first:] + everyone[:first]
            if index == 0:
                order.sort(key=lambda entrant: not entrant.has_processes)
            results: dict[str, list[FileMeasure]] = {entrant.name: [] for entrant in order}
            for entrant in order:
                if index == 0:
                    entrant.start(paths[-_FIRST_FILES:])
                yield from entrant.run(paths, results[entrant.name])
            self._check(results)

    def _check(self, results: dict[str, list[FileMeasure]]) -> None:
        reference = results[SERIAL.name]
        self.measures += reference
        for entrant in self._entrants:
            got = results[entrant.name]
            if entrant.error is None and got != reference:
                self.differences.setdefault(entrant.name, (reference, got))


def _warm_file_cache(slices: Sequence[Sequence[str]]) -> None:
    """Read every file once, so that the first run does not pay for the disk on behalf of the others."""
    for paths in slices:
        for path in paths:
            try:
                with open(path, "rb") as file:
                    file.read()
            except OSError:
                continue  # the run itself reports it
