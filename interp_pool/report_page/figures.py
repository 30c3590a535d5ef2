"""What follows from a trace in numbers.

This file owns what is counted and how. It must not know how it is shown. Invariant: every function is pure.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from interp_pool.report_page.reading import Task, Trace

__all__ = ["Figures", "Function", "Stretch", "busy_intervals", "figures", "lanes", "percentile"]

_SLOWEST = 10
_STRETCHES = 5

type Interval = tuple[float, float]


@dataclass(slots=True)
class Function:
    """All tasks of one function, in seconds."""

    name: str
    runs: list[float] = field(default_factory=list[float])
    """Of each task or message; in order of their lengths."""
    waits: list[float] = field(default_factory=list[float])
    is_map: bool = False
    items: int = 0
    total: float = 0.0
    unpickling: float = 0.0
    encoding: float = 0.0
    importing: float = 0.0
    """Unpickling that has imported modules; not in the above."""
    bytes_in: int = 0
    bytes_out: int = 0
    failed: int = 0

    @property
    def count(self) -> int:
        """How many tasks or messages."""
        return len(self.runs)

    @property
    def moving(self) -> float:
        """What it took the workers to get arguments and to hand over results."""
        return self.unpickling + self.encoding


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which one worker at most was busy."""

    began: float
    seconds: float
    what: str
    """What ran longest in it, "" if nothing."""


@dataclass(slots=True)
class Figures:
    """What there is to say of a trace."""

    seconds: float
    """From the first task that was taken to the end of the last one."""
    began: float
    cpus: int
    max_workers: int
    """Of all pools."""
    tasks: int
    functions: list[Function]
    """The one that has run for longest first."""
    slowest: list[Task]
    busy: list[float]
    """Of each worker of the trace: seconds with a task."""
    busy_at_once: dict[int, float]
    """For so many seconds so many workers were busy."""
    saturated: float
    """Seconds in which all workers were busy and tasks waited."""
    starting: float
    """Seconds at the beginning in which tasks waited for the first worker."""
    starved: float
    """Seconds after that in which one worker at most was busy, and it was not for want of tasks or workers."""
    tail: float
    """Seconds at the end in which fewer than half of those that had been busy still were."""
    last: Task | None
    """The task that has ended last."""
    stretches: list[Stretch]
    """The longest times in which one worker at most was busy."""

    @property
    def parallel(self) -> float:
        """How many workers were busy on average."""
        return sum(count * seconds for count, seconds in self.busy_at_once.items()) / (self.seconds or 1.0)

    @property
    def workers_at_once(self) -> int:
        """How many there may be, or were: with abandoned ones, and those for tasks that rest, more than may be."""
        return max(self.max_workers, *self.busy_at_once, 0)

    def share_of(self, most: int) -> float:
        """Return the share of the time in which at most so many workers were busy."""
        return sum(each for count, each in self.busy_at_once.items() if count <= most) / (self.seconds or 1.0)


def figures(trace: Trace) -> Figures:
    """Return what follows from a trace."""
    tasks = trace.tasks
    began = min((task.taken - task.waited for task in tasks), default=0.0)
    end = max((task.end for task in tasks), default=0.0)
    busy = [busy_intervals(own) for own in _by_worker(trace)]
    steps = _steps(busy, began, end)
    queued = _queued(trace)
    first = min((task.taken for task in tasks), default=began)
    has_started = any(worker.ready is not None and worker.ready > began for worker in trace.workers)
    at_once: dict[int, float] = {}
    for since, until, count in steps:
        at_once[count] = at_once.get(count, 0.0) + until - since
    max_workers = sum(pool.max_workers for pool in trace.pools if _has_worked(trace, pool.name))
    return Figures(
        seconds=end - began,
        began=began,
        cpus=int(trace.about.get("cpus", 1)),
        max_workers=max_workers or len(trace.workers),
        tasks=len(tasks),
        functions=_functions(tasks),
        slowest=heapq.nlargest(_SLOWEST, tasks, key=lambda task: task.ran),
        busy=[sum(until - since for since, until in own) for own in busy],
        busy_at_once=at_once,
        saturated=_overlap([(since, until) for since, until, n in steps if max_workers and n >= max_workers], queued),
        starting=first - began if has_started else 0.0,
        starved=_overlap([step[:2] for step in steps if step[2] <= 1 < max_workers and step[1] > first], queued),
        tail=_tail(steps, end),
        last=max(tasks, key=lambda task: task.end, default=None),
        stretches=_stretches(steps, tasks),
    )


def busy_intervals(tasks: Iterable[Task]) -> list[Interval]:
    """Return when a worker had something to do, in order, without overlaps: tasks may run on top of one another.

    Args:
        tasks: Its own, in the order in which it has taken them.
    """
    found: list[Interval] = []
    for task in tasks:
        since, until = task.taken, task.end
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(until, found[-1][1])
        else:
            found.append((since, until))
    return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values are; 0 if there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def lanes(spans: Sequence[Interval | None]) -> list[int]:
    """Return a lane for each span, such that none in one lane overlap, and there are few: -1 for what has no span."""
    ends: list[float] = []
    found = [-1] * len(spans)
    for number in sorted((n for n, span in enumerate(spans) if span), key=lambda n: spans[n] or (0.0, 0.0)):
        since, until = spans[number] or (0.0, 0.0)
        lane = next((lane for lane, end in enumerate(ends) if end <= since), len(ends))
        if lane == len(ends):
            ends.append(0.0)
        ends[lane], found[number] = until, lane
    return found


def _by_worker(trace: Trace) -> list[list[Task]]:
    found: list[list[Task]] = [[] for _ in trace.workers]
    for task in trace.tasks:
        found[task.worker].append(task)
    return found


def _has_worked(trace: Trace, name: str) -> bool:
    return any(trace.pools[worker.pool].name == name for worker in trace.workers)


def _steps(busy: Sequence[Sequence[Interval]], began: float, end: float) -> list[tuple[float, float, int]]:
    """Return since when and until when how many workers were busy, without gaps."""
    changes = sorted(
        [(since, 1) for own in busy for since, _ in own] + [(until, -1) for own in busy for _, until in own]
    )
    found: list[tuple[float, float, int]] = []
    count, at = 0, began
    for when, change in [*changes, (end, 0)]:
        if when > at:
            if found and found[-1][2] == count:
                found[-1] = found[-1][0], when, count
            else:
                found.append((at, when, count))
            at = when
        count += change
    return found


def _functions(tasks: Iterable[Task]) -> list[Function]:
    found: dict[tuple[str, bool], Function] = {}
    for task in tasks:
        is_map = task.items is not None
        each = found.setdefault((task.name, is_map), Function(task.name, is_map=is_map))
        each.runs.append(task.ran)
        each.waits.append(task.waited)
        each.items += 1 if task.items is None else task.items
        each.total += task.ran
        if task.modules:
            each.importing += task.unpickling
        else:
            each.unpickling += task.unpickling
        each.encoding += task.encoding
        each.bytes_in += task.bytes_in
        each.bytes_out += task.bytes_out
        each.failed += bool(task.outcome)
    for each in found.values():
        each.runs.sort()
        each.waits.sort()
    return sorted(found.values(), key=lambda each: -each.total)


def _queued(trace: Trace) -> list[Interval]:
    """Return when tasks waited: between two looks it is as at the first one."""
    waiting: dict[int, int] = {}
    marks = [(0.0, 0)]
    for count in sorted(trace.counts, key=lambda each: each.at):
        waiting[count.pool] = count.waiting
        marks.append((count.at, sum(waiting.values())))
    return [(since, until) for (since, many), (until, _) in pairwise([*marks, (trace.seconds, 0)]) if many]


def _overlap(these: Sequence[Interval], those: Sequence[Interval]) -> float:
    found, here, there = 0.0, 0, 0
    while here < len(these) and there < len(those):
        since, until = max(these[here][0], those[there][0]), min(these[here][1], those[there][1])
        found += max(0.0, until - since)
        if these[here][1] <= those[there][1]:
            here += 1
        else:
            there += 1
    return found


def _tail(steps: Sequence[tuple[float, float, int]], end: float) -> float:
    most = max((count for *_, count in steps), default=0)
    since = end
    for began, _, count in reversed(steps):
        if 2 * count >= most and most > 1:
            break
        since = began
    return end - since if most > 1 else 0.0


def _stretches(steps: Sequence[tuple[float, float, int]], tasks: Sequence[Task]) -> list[Stretch]:
    merged: list[Interval] = []
    for since, until, count in steps:
        if count > 1:
            continue
        if merged and merged[-1][1] == since:
            merged[-1] = merged[-1][0], until
        else:
            merged.append((since, until))
    longest = heapq.nlargest(_STRETCHES, merged, key=lambda span: span[1] - span[0])
    return [Stretch(since, until - since, _longest_in(tasks, since, until)) for since, until in longest]


def _longest_in(tasks: Iterable[Task], since: float, until: float) -> str:
    found, name = 0.0, ""
    for task in tasks:
        inside = min(until, task.end) - max(since, task.taken)
        if inside > found:
            found, name = inside, task.name
    return name
