"""What to do about it: sentences that follow from numbers.

This file owns when something is worth saying, and the words. It must not know where the numbers come from. Invariant:
every function is pure.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interp_pool._commands.layout import plural
from interp_pool.report_page.figures import Figures, Function, percentile
from interp_pool.report_page.units import bytes_text, percent, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Advice", "advise"]

MOST = 3

# What handing over a task costs its pool and its worker beside unpickling and encoding: docs/benchmarks has it.
HANDING_OVER = 10e-6  # seconds
FEW = 100  # tasks; what so few lose nobody notices
LARGE = 100_000  # bytes per task
_SHARE = 0.15  # of the time; less is not worth a sentence


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece."""

    topic: str
    """What it is about: "small", "workers", "arguments", "tail", "serial", "starved", "start", "imports", "outcomes";
    "fine" or "none" if there is nothing to do."""
    loss: float
    """About which share of the time it is about."""
    text: str


def advise(found: Figures) -> list[Advice]:
    """Return the three things that matter most, or fewer; at least one.

    Args:
        found: What follows from the trace.
    """
    if not found.tasks:
        return [Advice("none", 0.0, "No task has run while this was traced.")]
    rules: tuple[Callable[[Figures], Advice | None], ...] = _small, _workers, _arguments, _tail, _serial, _starved
    rules += _start, _imports
    advice = sorted(filter(None, (rule(found) for rule in rules)), key=lambda each: -each.loss)[:MOST]
    if len(advice) < MOST:
        advice.append(_summary(found, is_all=not advice))
    if len(advice) < MOST and (outcomes := _outcomes(found)) is not None:
        advice.append(outcomes)
    return advice


def _small(found: Figures) -> Advice | None:
    """Tasks that run for less than it takes to hand them over."""
    small = [each for each in found.functions if each.count >= FEW and each.total < each.moving + _handing_over(each)]
    lost = sum(each.moving + _handing_over(each) for each in small)
    share = lost / max(1e-9, sum(found.busy) + found.tasks * HANDING_OVER)
    if not small or share < _SHARE:
        return None
    worst = max(small, key=_handing_over)
    cost = (worst.moving + _handing_over(worst)) / worst.count
    what = "messages of map" if worst.is_map else "tasks"
    remedy = (
        "leave out chunksize, or make it larger"
        if worst.is_map
        else "let one call do more, or use map, which sends many items in one message"
    )
    text = (
        f"Tasks are too small: {worst.count:,} {what} of {worst.name} ran for "
        f"{seconds_text(percentile(worst.runs, 0.5))} at the median, and to hand one over takes about "
        f"{seconds_text(cost)}; {remedy}."
    )
    return Advice("small", share, text)


def _handing_over(function: Function) -> float:
    return function.count * HANDING_OVER


def _workers(found: Figures) -> Advice | None:
    """Tasks that wait while all workers are busy, and processors are not."""
    share = found.saturated / (found.seconds or 1.0)
    if share < 2 * _SHARE or found.max_workers >= found.cpus:
        return None
    who = "the only worker" if found.max_workers == 1 else f"all {found.max_workers} workers"
    text = (
        f"There are too few workers: for {percent(share)} of the time tasks waited while {who} had one, and this "
        f"machine has {found.cpus} processors; try max_workers={found.cpus}, or leave it out."
    )
    return Advice("workers", share * (1 - found.max_workers / found.cpus), text)


def _arguments(found: Figures) -> Advice | None:
    """Arguments and results that take long to unpickle and to encode because they are large."""
    large = [each for each in found.functions if (each.bytes_in + each.bytes_out) / each.count >= LARGE]
    share = sum(each.moving for each in large) / (sum(found.busy) or 1.0)
    if not large or share < _SHARE:
        return None
    worst = max(large, key=lambda each: each.moving)
    is_in = worst.bytes_in >= worst.bytes_out
    size = bytes_text(max(worst.bytes_in, worst.bytes_out) / worst.count)
    remedy = (
        "a memoryview is shared and not copied, what is always the same belongs into an initializer, and the name of a "
        "file is short"
        if is_in
        else "let tasks return what they have found and not what they have read, or write into a memoryview they get"
    )
    text = (
        f"{'Arguments' if is_in else 'Results'} are large: {size} for each call of {worst.name}, and "
        f"{percent(share)} of the workers' time is spent on unpickling and encoding; {remedy}."
    )
    return Advice("arguments", share, text)


def _tail(found: Figures) -> Advice | None:
    """A few tasks that run on when the others have ended."""
    share = found.tail / (found.seconds or 1.0)
    if share < _SHARE or found.last is None or found.tasks < 3:
        return None
    text = (
        f"There is one long tail: in the last {seconds_text(found.tail)}, {percent(share)} of the time, most workers "
        f"had nothing left to do while {found.last.name} ran; start the longest tasks first, or split them."
    )
    return Advice("tail", share, text)


def _serial(found: Figures) -> Advice | None:
    """Times in which the program does not give work to more than one worker."""
    share = found.share_of(1) - (found.tail + found.starved + found.starting) / (found.seconds or 1.0)
    if share < 2 * _SHARE or found.max_workers < 2:
        return None
    nothing = found.share_of(0)
    who = (
        "and mostly none was: the program itself was at work, or waited for something else"
        if nothing > share / 2
        else "so tasks come one after the other, each after the result of the one before"
    )
    text = (
        f"Much is serial: for {percent(share)} of the time one worker at most was busy, {who}; more workers do not "
        f"help, submitting earlier or moving that work into tasks does."
    )
    return Advice("serial", share * 0.9, text)


def _starved(found: Figures) -> Advice | None:
    """Workers that have nothing to do although tasks wait."""
    share = found.starved / (found.seconds or 1.0)
    if share < _SHARE:
        return None
    text = (
        f"Workers are starved: for {percent(share)} of the time one at most was busy although tasks waited, as nobody "
        f"came to hand them over; the program's own threads, or other programs, take the processors: let tasks do that "
        f"work, and more of it at a time."
    )
    return Advice("starved", share, text)


def _start(found: Figures) -> Advice | None:
    """Tasks that wait for the first worker."""
    share = found.starting / (found.seconds or 1.0)
    if share < _SHARE:
        return None
    text = (
        f"The first worker came after {seconds_text(found.starting)}, {percent(share)} of the time: "
        f"interp_pool.warm_up() makes workers beside what the program does before, and one that is kept has them."
    )
    return Advice("start", share, text)


def _imports(found: Figures) -> Advice | None:
    """Workers that first import what their tasks need."""
    seconds = sum(each.importing for each in found.functions)
    share = seconds / (sum(found.busy) or 1.0)
    if share < _SHARE or seconds < 0.05:
        return None
    text = (
        f"Imports take {percent(share)} of the workers' time, {seconds_text(seconds)} in all: import less where tasks "
        'are defined, or keep the executor, or use reuse="modules", so that each worker imports once.'
    )
    return Advice("imports", share, text)


def _summary(found: Figures, *, is_all: bool) -> Advice:
    most = min(found.max_workers, found.cpus)
    share = min(1.0, found.parallel / (most or 1))
    text = f"On average {found.parallel:.1f} of {plural(found.workers_at_once, 'worker')} had something to do"
    if found.max_workers > found.cpus:
        text += f", and shared {plural(found.cpus, 'processor')}"
    return Advice("fine", 0.0, f"{text}{': there is little to gain' if is_all and share > 0.85 else ''}.")


def _outcomes(found: Figures) -> Advice | None:
    failed = sum(each.failed for each in found.functions)
    if not failed:
        return None
    worst = max(found.functions, key=lambda each: each.failed)
    whose = f"of {worst.name}" if worst.failed == failed else f"{worst.failed:,} of them of {worst.name}"
    return Advice("outcomes", 0.0, f"{plural(failed, 'task')} ended without a result, {whose}.")
