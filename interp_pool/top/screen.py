"""What there is to see of a program: lines about it and its pools, and a row for each worker.

This file owns the words and the order of the rows. It must not know how they are drawn or where snapshots come from.
Invariant: every function is pure.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from interp_pool._commands.layout import plural
from interp_pool._seeing.shapes import PoolShape, Snapshot, TaskShape, TimesShape, WorkerShape
from interp_pool._wire.texts import one_line

__all__ = ["ALIGN", "HEADERS", "Order", "Row", "duration", "heading", "pool_lines", "rows_of"]

HEADERS = ("#", "worker", "state", "cpu", "time", "task", "where")
ALIGN = "><<>><<"
_UNKNOWN = "-"


class Order(Enum):
    """What rows are sorted by."""

    WORKER = "worker"
    TIME = "time"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True)
class Row:
    """A worker."""

    number: int
    cells: tuple[str, ...]
    pool: int
    task: int | None
    task_name: str
    seconds: float


_KEYS: dict[Order, Callable[[Row], tuple[object, ...]]] = {
    Order.WORKER: lambda row: (row.number,),
    Order.TIME: lambda row: (-row.seconds, row.number),
    Order.FUNCTION: lambda row: (row.task is None, row.task_name, row.number),
}


def heading(now: Snapshot) -> str:
    """Return a line about the program."""
    memory = "" if now["memory"] is None else f", {now['memory'] / (1 << 20):,.1f} MiB in memory"
    program = one_line(now["program"])
    return f"{program}, process {now['pid']}, Python {now['python']}, up {duration(now['age'])}{memory}"


def pool_lines(pool: PoolShape, now: Snapshot, before: Snapshot | None) -> list[str]:
    """Return lines about a pool.

    Args:
        pool: In the snapshot.
        now: The snapshot.
        before: An earlier one, to compute rates from.
    """
    counts = pool["counts"]
    workers = plural(len(pool["workers"]), "worker")
    states = ", ".join(
        f"{counts[name]:,} {what}"
        for name, what in (("workers_busy", "busy"), ("workers_lent", "lent"), ("workers_abandoned", "abandoned"))
        if counts[name] or name == "workers_busy"
    )
    rate = _rate(pool, now, before)
    parts = [
        f"{workers} ({states})",
        f"{counts['tasks_waiting'] + counts['tasks_sent']:,} waiting",
        f"{counts['tasks_ended']:,} ended" + ("" if rate is None else f" ({rate:,.1f}/s)"),
        *(f"{counts[name]:,} {name}" for name in ("interrupts", "timeouts", "restarts") if counts[name]),
    ]
    times = [f"{name} {_times(each)}" for name, each in pool["times"].items() if each is not None and each["count"]]
    return [f"{one_line(pool['name'])}: {', '.join(parts)}", *([f"  {', '.join(times)}"] if times else [])]


def rows_of(now: Snapshot, before: Snapshot | None, order: Order) -> list[Row]:
    """Return a row for each worker, sorted.

    Args:
        now: What to show.
        before: An earlier snapshot, to compute the use of processors from.
        order: What to sort by.
    """
    seen = (
        {}
        if before is None
        else {(pool["number"], worker["name"]): worker["cpu"] for pool in before["pools"] for worker in pool["workers"]}
    )
    span = 0.0 if before is None else now["seconds"] - before["seconds"]
    workers = [(pool, worker) for pool in now["pools"] for worker in pool["workers"]]
    rows = [
        _row(number, pool, worker, _share(worker["cpu"], seen.get((pool["number"], worker["name"])), span))
        for number, (pool, worker) in enumerate(workers, 1)
    ]
    return sorted(rows, key=_KEYS[order])


def duration(seconds: float) -> str:
    """Return a time with a unit that fits it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _row(number: int, pool: PoolShape, worker: WorkerShape, cpu: str) -> Row:
    task = worker["task"]
    if task is None:
        cells = str(number), one_line(worker["name"]), worker["state"], cpu, "", "", ""
        return Row(number, cells, pool["number"], None, "", -1.0)
    state = "stopping" if task["is_stopping"] and worker["state"] == "running" else worker["state"]
    seconds = task["seconds"]
    time = _UNKNOWN if seconds is None else duration(seconds)
    name, where = one_line(_name(task, worker)), one_line(_where(task))
    cells = str(number), one_line(worker["name"]), state, cpu, time, name, where
    return Row(number, cells, pool["number"], task["id"], task["name"], -1.0 if seconds is None else seconds)


def _name(task: TaskShape, worker: WorkerShape) -> str:
    name = task["name"].removeprefix("task ")
    items = "" if task["items"] is None else f", {plural(task['items'], 'item')}"
    below = f", on top of {' and '.join(each.removeprefix('task ') for each in worker['below'])}"
    return name + items + (below if worker["below"] else "")


def _where(task: TaskShape) -> str:
    """Return the innermost call, or what else is known."""
    if task["places"]:
        file, line, function = task["places"][-1]
        return f"{function} ({os.path.basename(file)}:{line})"
    return task["phrase"].partition(", ")[2]


def _share(cpu: float | None, before: float | None, span: float) -> str:
    if cpu is None or before is None or span <= 0 or cpu < before:
        return _UNKNOWN
    return f"{100 * (cpu - before) / span:.0f}%"


def _rate(pool: PoolShape, now: Snapshot, before: Snapshot | None) -> float | None:
    if before is None or now["seconds"] <= before["seconds"]:
        return None
    for other in before["pools"]:
        if other["number"] == pool["number"]:
            ended = pool["counts"]["tasks_ended"] - other["counts"]["tasks_ended"]
            return max(0, ended) / (now["seconds"] - before["seconds"])
    return None


def _times(times: TimesShape) -> str:
    median, p99 = times["median"], times["p99"]
    assert median is not None  # it has been
    assert p99 is not None
    return f"{duration(median)} (99 %: {duration(p99)})"
