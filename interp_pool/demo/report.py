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
from interp_pool.demo.compare import SERIAL, Run
from interp_pool.demo.measure import FileMeasure
from interp_pool.demo.sources import SourceFile, Sources

__all__ = ["Facts", "heading", "most_complex", "problems", "summary", "timings"]

_MOST_COMPLEX = 10
_TIE = 1.1  # up to this ratio two runs are called equal: repeated runs on an idle machine differed by 9 %
_SHORTEST = 1.0  # seconds of serial work below which the start of the workers, 0.05 to 0.2 s, decides the order


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


def timings(runs: Sequence[Run], facts: Facts) -> str:
    """Return the table of runs, the serial one first, and what it says in words."""
    serial = runs[0].seconds
    files = len(runs[0].measures)
    rows: list[tuple[str, ...]] = []
    for run in runs:
        if run.error is not None:
            rows.append((run.name, f"{run.seconds:.2f}", "-", "-", "failed"))
            continue
        same = {None: "reference", True: "yes", False: "NO"}[run.is_identical]
        rows.append(
            (
                run.name,
                f"{run.seconds:.2f}",
                f"{serial / run.seconds:.2f}x",
                f"{files / run.seconds:,.0f}",
                same,
            )
        )
    lines = [
        f"{plural(files, 'file')}, one run each, {plural(facts.workers, 'worker')} for each executor.",
        f"Times include starting and stopping the workers (processes by {facts.start_method}).",
        table(("", "seconds", "speed-up", "files/s", "results identical"), rows, "<>>><"),
    ]
    lines += [f"  {run.name} failed: {run.error}" for run in runs if run.error is not None]
    for run in runs:
        if run.is_identical is False:
            lines.append(f"  {run.name} differs from {SERIAL} at {_first_difference(runs[0].measures, run.measures)}")
    lines.append("  " + _verdict(runs))
    if facts.load is not None and facts.load > facts.cores / 2:
        lines.append(
            f"  Other programs were busy when the demo began (load average {facts.load:.1f}): doubt the times."
        )
    return "\n".join(lines)


def _verdict(runs: Sequence[Run]) -> str:
    best, *rest = sorted((run for run in runs if run.error is None), key=lambda run: run.seconds)
    if not rest:
        return f"Only the {best.name} run ended."
    if runs[0].seconds < _SHORTEST:
        return "Too little work to compare executors: starting the workers takes about as long."
    ratios = [(run.name, run.seconds / best.seconds) for run in rest]
    ties = [f"{name} ({ratio:.2f} times as long)" for name, ratio in ratios if ratio <= _TIE]
    if ties:
        return f"Fastest: {best.name}; too close to call (single runs differ by 10 %): {', '.join(ties)}."
    return f"Fastest: {best.name}; next: {ratios[0][0]} ({ratios[0][1]:.2f} times as long)."


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


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
