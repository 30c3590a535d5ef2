"""What interp_pool promises of its speed and size, as ratios to other executors in the same run.

This file owns the promises and their judgement. It must not know how anything is measured or shown. Invariant: every
function is pure, and a budget that cannot be judged says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_pool.bench.measures import MEASURES
from interp_pool.bench.peers import OURS, STDLIB
from interp_pool.bench.results import Results, ratio

__all__ = ["BUDGETS", "Budget", "Verdict", "judge", "misses"]

SWITCH_INTERVAL = 5_000.0  # us: the one CPython begins with
_PROCESSES = ("fork", "forkserver", "spawn")


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise: our number is at most so many times another one.

    Attributes:
        measure: What we are measured by.
        limit: The largest ratio; without `peers`, the largest number in the measure's unit.
        peers: With whom we are compared; the best of them counts.
        against: The measure they are taken by; None means the same.
        is_aim: Whether this is what we strive for rather than promise.
        detail: Which of the measure's other numbers counts, one that has no unit or the measure's; None: its own.
    """

    measure: str
    limit: float
    peers: Sequence[str] = (STDLIB,)
    against: str | None = None
    is_aim: bool = False
    detail: str | None = None

    def __str__(self) -> str:
        if self.detail:
            return f"{self.measure} {self.detail} <= {self.limit:g}"
        if not self.peers:
            return f"{self.measure} none (<= {self.limit:g} {MEASURES[self.measure].unit})"
        whom = self.peers[0] if len(self.peers) == 1 else f"the best of {', '.join(self.peers)}"
        other = f"{self.against} of {whom}" if self.against else whom
        return f"{self.measure} <= {self.limit:g} x {other}"


BUDGETS = (
    Budget("roundtrip", 0.5),
    Budget("roundtrip", 1.0, ("threads",), is_aim=True),
    Budget("burst", 0.2),
    Budget("burst", 1.2, ("threads",)),
    Budget("burst_alternating", 1.2, ("threads",)),
    Budget("map_tiny", 0.012),
    Budget("map_tiny", 1.0, _PROCESSES, "map_chunked"),
    Budget("bytes_arg", 0.4),
    Budget("bytearray_echo", 0.05),
    Budget("view_write", 2.0, (OURS,), "roundtrip"),
    *(
        Budget("workers_64", limit, (), detail=f"{kind}_cpu_ratio_{workers}")
        for kind in ("burst", "roundtrip")
        for workers, limit in ((8, 1.3), (32, 1.5), (64, 1.8))
    ),
    *(
        Budget("beside_100_queues", 1.3, (), detail=f"{kind}_cpu_ratio_{what}")
        for kind in ("burst", "roundtrip")
        for what in ("queues", "pool")
    ),
    Budget("map_mixed", 1.1, ()),
    Budget("map_mixed", 1.1, (), detail="worst_own_ratio"),
    Budget("map_mixed", 1.0, (), detail="worst_own_ratio", is_aim=True),
    Budget("busy_main", SWITCH_INTERVAL, ()),
    Budget("starting", 0.3),
    Budget("starting", 0.5, (), detail="first_to_last_ratio"),
    Budget("start_first", 0.5),
    Budget("start_later", 0.04),
    Budget("memory_worker", 0.5),
    Budget("memory_growth", MEASURES["memory_growth"].noise, ()),
    Budget("memory_soak", MEASURES["memory_soak"].noise, ()),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a budget.

    Attributes:
        budget: Which.
        measured: The ratio, or the number when the budget has no peers; None when it cannot be judged.
        is_met: Whether it is within the limit; None when it cannot be judged.
        reason: Why it cannot be judged, one line.
    """

    budget: Budget
    measured: float | None = None
    is_met: bool | None = None
    reason: str = ""

    def as_record(self) -> dict[str, object]:
        """Return it as one flat mapping, for a file."""
        kind = "aim" if self.budget.is_aim else "budget"
        record: dict[str, object] = {"budget": str(self.budget), "kind": kind, "limit": self.budget.limit}
        record |= {"measured": self.measured, "is_met": self.is_met}
        return record | ({"reason": self.reason} if self.reason else {})


def judge(results: Results, budgets: Sequence[Budget] = BUDGETS) -> list[Verdict]:
    """Judge the budgets whose measure was taken.

    Args:
        results: What was found.
        budgets: What to judge.
    """
    taken = {measure.name for measure in results.measures}
    return [_judge(budget, results) for budget in budgets if budget.measure in taken]


def misses(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the budgets that are not met, aims left out, each with its number."""
    return [
        f"{verdict.budget}: {verdict.measured:.3g}"
        for verdict in verdicts
        if verdict.is_met is False and not verdict.budget.is_aim
    ]


def _judge(budget: Budget, results: Results) -> Verdict:
    ours = results.value(OURS, budget.measure)
    if ours is None:
        return Verdict(budget, reason=f"{OURS}: {results.reason(OURS, budget.measure)}")
    if budget.detail:
        number = results.detail(OURS, budget.measure, budget.detail)
        if number is None:
            return Verdict(budget, reason="this run did not take it")
        return Verdict(budget, number, number <= budget.limit)
    if not budget.peers:
        return Verdict(budget, ours, ours <= budget.limit)
    against = budget.against or budget.measure
    theirs = [value for peer in budget.peers if (value := results.value(peer, against)) is not None]
    if not theirs:
        return Verdict(budget, reason=f"{budget.peers[0]} {against}: {results.reason(budget.peers[0], against)}")
    measured = ratio(ours, min(theirs), MEASURES[budget.measure].noise)
    if measured is None:
        return Verdict(budget, reason="the other number is zero")
    return Verdict(budget, measured, measured <= budget.limit)
