"""Decide which executor was the fastest, and whether that can be told.

This file owns what the times of slices say. It must not know how they were measured or how the answer is worded.
Invariant: every function is pure.

A slice is a part of the work that every executor did, one after the other. Its speed-up is the serial time of a slice
divided by the executor's time of the same slice: when the machine slows down for a while, it slows both. An executor's
speed-up is the median over the slices, and its spread is their middle half: a quarter of the slices lies below, a
quarter above. So a few slices that something disturbed change neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["CLOSEST", "FEWEST_SLICES", "SHORTEST", "Obstacle", "Speed", "Verdict", "decide", "speed"]

FEWEST_SLICES = 8
"""Slices below which nothing is decided. Two executors of the same speed have middle halves that do not meet in one
of 16 comparisons with eight slices, in one of 50 with twelve, and in one of 8 with six."""

CLOSEST = 1.05
"""Ratio of two speed-ups up to which they are called equal, however small their spreads: those of the same executor
differed by 4 % between two runs on a machine with little else to do."""

SHORTEST = 1.0
"""Seconds of serial work below which nothing is decided: the start of the workers takes 0.05 to 0.2 s."""


class Obstacle(Enum):
    """Why nothing can be decided."""

    NOBODY_ELSE = auto()
    TOO_LITTLE_WORK = auto()
    TOO_FEW_SLICES = auto()


@dataclass(frozen=True, slots=True)
class Speed:
    """How much faster than the serial run an executor was.

    Attributes:
        name: The executor.
        median: The speed-up.
        low: Where its spread begins.
        high: Where its spread ends.
        slices: How many slices it was measured with.
    """

    name: str
    median: float
    low: float
    high: float
    slices: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who was the fastest.

    Attributes:
        best: Has the highest speed-up.
        rivals: Those of which it cannot be told that they are slower, the faster ones first; empty when `best` won.
        next: The fastest of those that are slower; None when nobody is.
        obstacle: Why nothing can be decided; None when it can.
    """

    best: Speed
    rivals: tuple[Speed, ...] = ()
    next: Speed | None = None
    obstacle: Obstacle | None = None


def speed(name: str, serial: Sequence[float], seconds: Sequence[float]) -> Speed:
    """Return the speed-up and its spread.

    Args:
        name: The executor.
        serial: Seconds that the serial run took for each slice; at least one.
        seconds: Seconds that the executor took for the same slices.

    Raises:
        ValueError: The numbers of slices differ, or there are none.
    """
    if len(seconds) != len(serial) or not serial:
        raise ValueError(f"{name} was measured with {len(seconds)} slices, the serial run with {len(serial)}")
    ratios = sorted(ours / theirs for ours, theirs in zip(serial, seconds, strict=True))
    return Speed(name, _quantile(ratios, 0.5), _quantile(ratios, 0.25), _quantile(ratios, 0.75), len(ratios))


def decide(speeds: Sequence[Speed], serial_seconds: float) -> Verdict:
    """Say which executor was the fastest.

    One is slower than the best when its spread lies below the best's and the best's speed-up is more than `CLOSEST`
    times its own.

    Args:
        speeds: Of the serial run and the executors; at least one.
        serial_seconds: How long the serial run took.
    """
    best, *rest = sorted(speeds, key=lambda item: -item.median)
    if not rest:
        return Verdict(best, obstacle=Obstacle.NOBODY_ELSE)
    if serial_seconds < SHORTEST:
        return Verdict(best, obstacle=Obstacle.TOO_LITTLE_WORK)
    if min(item.slices for item in speeds) < FEWEST_SLICES:
        return Verdict(best, obstacle=Obstacle.TOO_FEW_SLICES)
    slower = [item for item in rest if item.high < best.low and item.median * CLOSEST < best.median]
    rivals = tuple(item for item in rest if item not in slower)
    return Verdict(best, rivals, slower[0] if slower else None)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which the share of the ordered values lies, between two of them where it must."""
    place = share * (len(ordered) - 1)
    index = int(place)
    if index + 1 == len(ordered):
        return ordered[index]
    return ordered[index] + (ordered[index + 1] - ordered[index]) * (place - index)
