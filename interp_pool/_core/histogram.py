"""How long things took: a histogram whose buckets grow with what they hold.

Owns the buckets. Up to a microsecond each is a quarter of one wide; from there on each doubling is cut into four of the
same width. So a bucket is at most a quarter as wide as the least it holds, a time needs a few operations on integers to
find its own, and all histograms have the same buckets: adding two takes the same time whatever they hold.
"""

from dataclasses import dataclass
from itertools import accumulate

_PER_SECOND = 4_000_000  # quarters of a microsecond
_PARTS_BITS = 2  # of a doubling: four buckets
_PARTS = 1 << _PARTS_BITS
BUCKETS = 160
"""How many buckets there are. The last one holds what is longer than five days, too."""


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that holds a time; what is negative is in the first."""
    quarters = int(seconds * _PER_SECOND)
    if quarters < _PARTS:
        return max(quarters, 0)
    shift = quarters.bit_length() - _PARTS_BITS - 1
    return min((shift << _PARTS_BITS) + (quarters >> shift), BUCKETS - 1)


def bound_of(bucket: int) -> float:
    """Return the time in seconds, above all in a bucket, at which the next one begins."""
    following = bucket + 1
    shift = max((following >> _PARTS_BITS) - 1, 0)
    return ((following - (shift << _PARTS_BITS)) << shift) / _PER_SECOND


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long. The sum of two is that of all they hold."""

    counts: tuple[int, ...] = (0,) * BUCKETS
    """How often, by bucket."""
    sum: float = 0.0
    """Seconds that all of it took."""

    @property
    def count(self) -> int:
        """How often it was."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Seconds it took on average; None if it never was."""
        count = self.count
        return self.sum / count if count else None

    def __repr__(self) -> str:
        median = self.quantile(0.5)
        return f"<Histogram count={self.count} sum={self.sum:.3g}{'' if median is None else f' median={median:.3g}'}>"

    def __add__(self, other: "Histogram") -> "Histogram":
        if not isinstance(other, Histogram):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        counts = tuple(own + theirs for own, theirs in zip(self.counts, other.counts, strict=True))
        return Histogram(counts, self.sum + other.sum)

    def quantile(self, part: float) -> float | None:
        """Return how long it took at most in a part of all cases, the shortest.

        Args:
            part: from 0 to 1; 0.5 asks for the median.

        Returns:
            Seconds, at most a quarter beside the truth, or a quarter of a microsecond; None if it never was.

        Raises:
            ValueError: the part is out of range.
        """
        if not 0 <= part <= 1:
            raise ValueError(f"part must be from 0 to 1, got {part!r}")
        wanted = part * self.count
        below = 0
        for bucket, count in enumerate(self.counts):
            if count and below + count >= wanted:
                start = bound_of(bucket - 1) if bucket else 0.0
                return start + (bound_of(bucket) - start) * max(wanted - below, 0) / count
            below += count
        return None

    def cumulative(self, step: int = 1) -> list[tuple[float, int]]:
        """Return (seconds, how often it took less) for the upper bound of every so many buckets."""
        totals = [*accumulate(self.counts)]
        return [(bound_of(bucket), totals[bucket]) for bucket in range(step - 1, BUCKETS - 1, step)]


class Meter:
    """A histogram that grows. Not thread-safe."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._sum = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Note that something took so many seconds, so many times."""
        self._counts[bucket_of(seconds)] += count
        self._sum += seconds * count

    def read(self) -> Histogram:
        """Return what was noted so far."""
        return Histogram(tuple(self._counts), self._sum)


class Meters:
    """What a pool notes of its tasks. Guarded by the pool's lock."""

    __slots__ = ("encode", "run", "wait")

    def __init__(self) -> None:
        self.run, self.wait, self.encode = Meter(), Meter(), Meter()
