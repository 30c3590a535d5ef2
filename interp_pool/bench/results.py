"""What a run found: medians over the rounds, ratios, and why a number is missing.

This file owns these. It must not know how they were measured or how they are shown. Invariant: every question has a
number for its answer or a reason why there is none.
"""

import statistics
from collections.abc import Iterable, Mapping

from interp_pool.bench.measures import FLOORS, MEASURES, SCALING
from interp_pool.bench.peers import OURS
from interp_pool.bench.rounds import Cell, Outcome

__all__ = ["Results", "ratio"]


def ratio(ours: float, theirs: float, noise: float = 0.0) -> float | None:
    """Return how many times as much ours is; None when theirs is nothing.

    Args:
        ours: Our number.
        theirs: The other one.
        noise: What smaller numbers are taken for.
    """
    ours, theirs = max(ours, noise), max(theirs, noise)
    return ours / theirs if theirs > 0 else None


class Results:
    """The outcomes of a run.

    Args:
        outcomes: All of them.
        missing: Why a peer as a whole was not measured, one line, by its name.
        workers: How many workers executors had, where a measure does not say otherwise.
    """

    def __init__(self, outcomes: Iterable[Outcome], missing: Mapping[str, str], workers: int) -> None:
        self.missing = missing
        self.workers = workers
        self._good: dict[Cell, list[float]] = {}
        self._details: dict[Cell, dict[str, list[float]]] = {}
        self._bad: dict[Cell, list[str]] = {}
        for outcome in outcomes:
            if outcome.value is not None:
                self._good.setdefault(outcome.cell, []).append(outcome.value)
                for name, number in outcome.details.items():
                    self._details.setdefault(outcome.cell, {}).setdefault(name, []).append(number)
            else:
                self._bad.setdefault(outcome.cell, []).append(outcome.error or "no reason given")
        cells = [*self._good, *self._bad]
        self.cells = set(cells)
        names = {cell.measure for cell in cells}
        self.measures = [measure for name, measure in MEASURES.items() if name in names]
        self.floors = [measure for name, measure in FLOORS.items() if name in names]
        self.scaling = [measure for name, measure in SCALING.items() if name in names]
        self.counts = sorted({cell.workers for cell in cells if cell.measure in SCALING})

    def value(self, peer: str, measure: str, workers: int | None = None) -> float | None:
        """Return the median over the rounds that have a number; None when none has."""
        values = self._good.get(Cell(peer, measure, workers or self.workers))
        return statistics.median(values) if values else None

    def details(self, peer: str, measure: str) -> dict[str, list[float]]:
        """Return the other numbers of a measure by name, each from all rounds that have it."""
        return self._details.get(Cell(peer, measure, self.workers), {})

    def detail(self, peer: str, measure: str, name: str) -> float | None:
        """Return the median over the rounds of another number of a measure; None when no round has it."""
        values = self.details(peer, measure).get(name)
        return statistics.median(values) if values else None

    def reason(self, peer: str, measure: str) -> str:
        """Return why there is no number, one line."""
        if peer in self.missing:
            return self.missing[peer]
        errors = self._bad.get(Cell(peer, measure, self.workers))
        return errors[0] if errors else "not measured in this run"

    def ratio(self, peer: str, measure: str, workers: int | None = None) -> float | None:
        """Return how many times as much interp_pool has as the peer; None when one of them has no number."""
        ours, theirs = self.value(OURS, measure, workers), self.value(peer, measure, workers)
        if ours is None or theirs is None:
            return None
        known = MEASURES.get(measure)
        return ratio(ours, theirs, known.noise if known else 0.0)

    def failures(self) -> list[tuple[Cell, int, str]]:
        """Return the cells that failed, in how many rounds, and the first reason."""
        return [(cell, len(errors), errors[0]) for cell, errors in self._bad.items()]

    def is_failed(self, peer: str, measure: str, workers: int | None = None) -> bool:
        """Return whether the cell was tried and has no number."""
        cell = Cell(peer, measure, workers or self.workers)
        return cell in self._bad and cell not in self._good
