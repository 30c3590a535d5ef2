"""What measurements share: what a measure is, how thoroughly it is taken, and how often a thing is repeated.

This file owns these. It must not know any measure, nor how measures are scheduled, compared or shown.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interp_pool.bench import tasks
from interp_pool.bench.peers import Adapter, Peer

__all__ = [
    "Make",
    "Measure",
    "Reading",
    "Settings",
    "Started",
    "Unmeasurable",
    "by_name",
    "calibrate",
    "repeated",
    "start_workers",
    "timed",
]


class Unmeasurable(Exception):
    """This cannot be measured here; the text says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How thoroughly to measure.

    Attributes:
        workers: Workers of each executor, where the measure does not say otherwise.
        is_quick: Whether a rough number will do.
    """

    workers: int
    is_quick: bool = False

    @property
    def budget(self) -> float:
        """Seconds that repetitions of one thing may take together."""
        return 0.1 if self.is_quick else 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A number, and the others it was found with.

    Attributes:
        value: The number, in the unit of its measure.
        details: Other numbers, by names that end with their unit.
    """

    value: float
    details: Mapping[str, float]


def _all_peers(_: Peer) -> str | None:
    return None


type Make = Callable[[int], Adapter]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measurement.

    Attributes:
        name: What arguments and tables call it.
        title: What it is, in a few words.
        unit: Of the number it returns.
        run: Measures a peer, given what makes its adapters; returns the number, or a Reading.
        objection: Returns why a peer has no such number; None when it has.
        noise: Numbers up to this one say nothing and are equal.
    """

    name: str
    title: str
    unit: str
    run: Callable[[Make, Settings], "float | Reading"]
    objection: Callable[[Peer], str | None] = _all_peers
    noise: float = 0.0


def start_workers(adapter: Adapter, workers: int) -> None:
    """Have each worker started, and what tasks use imported there.

    Blocks:
        Until every worker has had work, for which each is kept busy a moment.
    """
    for _ in range(2):
        for task in [adapter.submit(tasks.get_ready) for _ in range(workers)]:
            adapter.result(task)


def calibrate(run: Callable[[int], float], least: float, start: int, limit: int) -> tuple[int, float]:
    """Find how many items make a run of at least so many seconds.

    Args:
        run: Runs so many items and returns the seconds.
        least: Seconds the run shall last.
        start: How many items to begin with.
        limit: How many items to end with at the latest.

    Returns:
        The number of items and what `run` returned for them.
    """
    count = start
    while (seconds := run(count)) < least and count < limit:
        # Aim a little beyond, but never by more than ten times: a short run is a poor guide.
        factor = 10.0 if seconds <= 0 else min(10.0, 1.2 * least / seconds)
        count = min(limit, max(count + 1, int(count * factor)))
    return count, seconds


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def repeated(run: Callable[[], object], budget: float, *, least: int = 1, most: int = 1_000_000) -> float:
    """Return the median of the seconds of several calls.

    Args:
        run: What to call.
        budget: Seconds after which no other call is begun.
        least: How many calls to make in any case.
        most: How many calls are enough.
    """
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < least or (len(times) < most and time.perf_counter() < end):
        times.append(timed(run))
    return statistics.median(times)


class Started:
    """A context with an adapter whose workers have all started."""

    def __init__(self, make: Make, workers: int) -> None:
        self._adapter = make(workers)
        self._workers = workers

    def __enter__(self) -> Adapter:
        start_workers(self._adapter, self._workers)
        return self._adapter

    def __exit__(self, *exc: object) -> None:
        self._adapter.close()


def by_name(*measures: Measure) -> dict[str, Measure]:
    """Return the measures by their names."""
    return {measure.name: measure for measure in measures}
