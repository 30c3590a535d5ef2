"""Turn what the demo measured into text.

This file owns the wording and layout. It must not know where the values come from, and it never prints.
Invariant: every function is pure, and text is plain ASCII except for what comes from the files.
"""

import heapq
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interp_pool._commands.layout import plural, table
from interp_pool.demo.compare import Comparison, Run
from interp_pool.demo.measure import FileMeasure
from interp_pool.demo.sources import SourceFile, Sources
from interp_pool.demo.verdict import CLOSEST, Obstacle, Speed, decide, speed

__all__ = ["Facts", "heading", "most_complex", "problems", "summary", "timings"]

_MOST_COMPLEX = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What the reader has to know about the machine.

    Attributes:
        python: Implementation and version, and whether it has a GIL.
        platform: Operating system and architecture.
        cores: How many cores this process may use.
        workers: How many workers each executor gets.
        start_method: How a process pool makes its processes.
        load: Load average before the demo began, None when unknown; a busy machine makes doubtful times.
    """

    python: str
    platform: str
    cores: int
    workers: int
    start_method: str
    load: float | None = None


def heading(sources: Sources, chosen: Sequence[SourceFile], facts: Facts) -> str:
    """Return what will be measured, where and how much of it."""
    used = sum(file.size for file in chosen)
    found = sum(file.size for file in sources.files)
    if len(chosen) == len(sources.files):
        amount = f"all {len(chosen):,} .py files ({_mebibytes(used)})"
    else:
        amount = (
            f"{len(chosen):,} of {len(sources.files):,} .py files "
            f"({_mebibytes(used)} of {_mebibytes(found)}), "
            "spread evenly over sizes; --all takes every file"
        )
    cores, workers = plural(facts.cores, "core"), plural(facts.workers, "worker")
    load = "" if facts.load is None else f", load average before: {facts.load:.1f}"
    return "\n".join(
        [
            "Measuring Python source: functions, cyclomatic complexity, docstrings, tokens",
            f"  {facts.python} on {facts.platform}, {cores}, {workers} for each executor{load}",
            f"  {sources.root}",
            f"  {amount}",
        ]
    )


def summary(measures: Sequence[FileMeasure], root: str) -> str:
    """Return the totals over all files; paths are shown relative to the directory `root`."""
    good = [measure for measure in measures if measure.error is None]
    functions = [(function, measure.path) for measure in good for function in measure.functions]
    lines = [
        "What is in them",
        f"  {plural(len(good), 'file')} with {plural(sum(measure.lines for measure in good), 'line')}",
    ]
    if functions:
        complexity = sum(function[3] for function, _ in functions)
        simple = sum(function[3] <= 10 for function, _ in functions)
        lines.append(
            f"  {plural(len(functions), 'function')}, mean complexity {complexity / len(functions):.1f}, "
            f"{_percent(simple, len(functions))} of them at most 10"
        )
        (name, line, length, _), path = max(functions, key=lambda item: (item[0][2], item[1], item[0]))
        where = f"{os.path.relpath(path, root)}:{line}"
        lines.append(f"  longest function: {name}, {plural(length, 'line')}, {where}")
    places = sum(measure.definitions for measure in good)
    if places:
        documented = sum(measure.documented for measure in good)
        share = _percent(documented, places)
        lines.append(f"  docstrings: {share} of {places:,} modules, classes and functions have one")
    lines.append("  " + _token_line(good))
    return "\n".join(lines)


def most_complex(measures: Sequence[FileMeasure], root: str, count: int = _MOST_COMPLEX) -> str:
    """Return a table of the most complex functions; equals are ordered by place.

    Args:
        measures: What was measured.
        root: The directory that paths are shown relative to.
        count: How many functions to list.
    """
    functions = ((function, measure.path) for measure in measures for function in measure.functions)
    top = heapq.nsmallest(count, functions, key=lambda item: (-item[0][3], item[1], item[0][1]))
    if not top:
        return "Most complex functions\n  there are no functions"
    rows = [
        (str(complexity), str(length), name, f"{os.path.relpath(path, root)}:{line}")
        for (name, line, length, complexity), path in top
    ]
    title = "Most complex function" if len(rows) == 1 else f"The {len(rows)} most complex functions"
    return title + "\n" + table(("complexity", "lines", "function", "where"), rows, ">><<")


def problems(measures: Sequence[FileMeasure], sources: Sources, *, is_verbose: bool) -> str:
    """Return how many files could not be measured or used, and when verbose which and why; "" when none."""
    failed = [(measure.path, measure.error) for measure in measures if measure.error is not None]
    lines: list[str] = []
    for noun, what, entries in (("file", "not measured", failed), ("path", "skipped", sources.skipped)):
        if entries:
            lines.append(f"{plural(len(entries), noun)} {what}" + (":" if is_verbose else "; --verbose says why"))
            if is_verbose:
                lines += [f"  {os.path.relpath(path, sources.root)}: {reason}" for path, reason in entries]
    return "\n".join(lines)


def timings(comparison: Comparison, facts: Facts) -> str:
    """Return the table of runs, the serial one first, and what it says in words."""
    serial, *others = comparison.runs
    if serial.error is not None:
        return f"There is nothing to compare with: the {serial.name} run failed: {serial.error}"
    speeds = {run.name: speed(run.name, serial.slices, run.slices) for run in comparison.runs if run.error is None}
    rows = [_row(run, speeds.get(run.name), is_serial=run is serial) for run in comparison.runs]
    files = plural(len(comparison.measures), "file")
    slices = plural(len(serial.slices), "slice")
    method = facts.start_method
    lines = [
        f"{files} in {slices}, {plural(facts.workers, 'worker')} for each executor. Each slice was measured with every",
        "executor in turn, beginning with another each time, so that what else the machine did met them all.",
        f"  start+stop  until the first results are there; until the workers are gone (processes by {method})",
        "  seconds     all slices, and start+stop",
        "  speed-up    serial time of a slice / its time of that slice, workers running: median of the slices",
        "  spread      the middle half of the slices",
        "",
        table(("", "seconds", "start+stop", "speed-up", "spread", "identical"), rows, "<>>>><"),
    ]
    lines += [f"  {run.name} failed: {run.error}" for run in comparison.runs if run.error is not None]
    for run in others:
        if run.differences is not None:
            lines.append(f"  {run.name} differs from {serial.name} at {_first_difference(*run.differences)}")
    lines.append("  " + _verdict(list(speeds.values()), serial.seconds))
    if facts.load is not None and facts.load > facts.cores / 2:
        lines.append(
            f"  Other programs were busy when the demo began (load average {facts.load:.1f}): doubt the times."
        )
    return "\n".join(lines)


def _row(run: Run, speed: Speed | None, *, is_serial: bool) -> tuple[str, ...]:
    if speed is None:
        return run.name, "-", "-", "-", "-", "failed"
    identical = "reference" if is_serial else "yes" if run.differences is None else "NO"
    spread = "-" if is_serial or speed.slices == 1 else f"{speed.low:.2f}-{speed.high:.2f}x"
    start = "-" if is_serial else f"{run.around:.2f}"
    return run.name, f"{run.seconds:.2f}", start, f"{speed.median:.2f}x", spread, identical


def _verdict(speeds: Sequence[Speed], serial_seconds: float) -> str:
    verdict = decide(speeds, serial_seconds)
    best = verdict.best
    match verdict.obstacle:
        case Obstacle.NOBODY_ELSE:
            return f"Only the {best.name} run ended."
        case Obstacle.TOO_LITTLE_WORK:
            return "Too little work to compare executors: starting the workers takes about as long."
        case Obstacle.TOO_FEW_SLICES:
            return "Too few slices to tell which is the fastest: more files or fewer workers make more."
        case None:
            pass
    if verdict.rivals:
        names = ", ".join(f"{item.name} ({item.median:.2f}x)" for item in (best, *verdict.rivals))
        return (
            f"Too close to call: {names}.\n"
            f"  A winner's spread is above all others, and its speed-up higher by more than {_percent(CLOSEST - 1, 1)}."
        )
    assert verdict.next is not None
    ratio = best.median / verdict.next.median
    return f"Fastest: {best.name}; next: {verdict.next.name} ({ratio:.2f} times as long)."


def _first_difference(expected: Sequence[FileMeasure], got: Sequence[FileMeasure]) -> str:
    for left, right in zip(expected, got, strict=False):
        if left != right:
            reasons = f": {left.error or 'no error'} / {right.error or 'no error'}" if left.error != right.error else ""
            return left.path + reasons
    return f"the number of results: {len(expected)} / {len(got)}"


def _token_line(measures: Iterable[FileMeasure]) -> str:
    kinds: Counter[str] = Counter()
    for measure in measures:
        for name, count in measure.tokens:
            kinds[_token_kind(name)] += count
    total = kinds.total()
    if not total:
        return "no tokens"
    shares = ", ".join(f"{kind} {_percent(count, total)}" for kind, count in kinds.most_common())
    return f"{plural(total, 'token')}: {shares}"


def _token_kind(name: str) -> str:
    if "STRING" in name:  # STRING, and the START, MIDDLE and END of f-strings and t-strings
        return "strings"
    return {"NAME": "names", "OP": "operators", "NUMBER": "numbers", "COMMENT": "comments"}.get(name, "layout")


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _percent(part: float, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
