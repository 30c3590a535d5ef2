"""Pictures as SVG: the workers over time, what waits, and histograms.

This file owns sizes and shapes. It must not know sentences. Invariant: a picture has at most some 10,000 shapes,
however many tasks there are: where more would be drawn, so many are shown as one by how much of the time they take.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import floor, log10

from interp_pool._commands.layout import plural
from interp_pool.report_page.figures import busy_intervals, lanes
from interp_pool.report_page.reading import Task, Trace
from interp_pool.report_page.units import seconds_text

__all__ = ["COLOURS", "Colours", "histogram", "timeline"]

COLOURS = 6  # functions that have one of their own; the others share one
WIDTH, LEFT = 1000, 130  # units of the drawing
_RIGHT = WIDTH - 10
_MOST_SLICES = 3000  # that are drawn one by one
_CELLS = 12_000  # in which the others are summed up, all lanes together
_MOST_LANES = 128
_LEVELS = 4  # of how busy a cell is
_NARROWEST = 0.6
_MOST_MARKS = 200

type Colours = dict[str, int]
"""The number of each function's colour."""
type Position = Callable[[float], float]
"""Where a time is."""


def timeline(trace: Trace, colours: Colours, began: float, seconds: float) -> str:
    """Draw the workers over time, and under them how many tasks waited.

    Args:
        trace: It.
        colours: Of the functions.
        began: Where the picture begins.
        seconds: What it is long; more than 0.
    """
    lane_of, count = _lanes(trace)
    height = 18 if count <= 16 else 14 if count <= 40 else 10
    bottom = 6 + count * (height + 2)
    scale = (_RIGHT - LEFT) / seconds

    def x(at: float) -> float:
        return min(max(LEFT + (at - began) * scale, LEFT), _RIGHT)

    parts = [_lane_names(trace, lane_of, count, height)]
    shown = [task for task in trace.tasks if 0 <= lane_of[task.worker] < count]
    if len(shown) <= _MOST_SLICES:
        parts += [_slices(task, lane_of[task.worker], height, colours, x) for task in shown]
    else:
        parts += _cells(shown, lane_of, count, height, colours, began, seconds)
    parts += _starts(trace, lane_of, count, height, x)
    parts += _marks(trace, lane_of, count, height, x)
    waiting, depth = _waiting(trace, bottom + 14, x)
    axis = _axis(began, seconds, bottom, depth, x)
    total = depth + 22
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {total}" role="img" '
        f'aria-label="Timeline of {count} workers over {escape(seconds_text(seconds))}">'
        f"{axis}{''.join(parts)}{waiting}</svg>"
    )


def histogram(values: Sequence[float], kind: str) -> str:
    """Draw how often values of each size are; there are four steps from one power of ten to the next.

    Args:
        values: Seconds, in order.
        kind: A class of the drawing.
    """
    steps, low = 36, -7.0  # from 0.1 us to 100 s
    counts = [0] * steps
    for value in values:
        counts[min(steps - 1, max(0, int((log10(max(value, 1e-9)) - low) * 4)))] += 1
    most = max(counts, default=0) or 1
    width, height = 4, 26
    bars: list[str] = []
    for step, count in enumerate(counts):
        if count:
            tall = max(1.5, height * count / most)
            since, until = (seconds_text(10 ** (low + each / 4)) for each in (step, step + 1))
            bars.append(
                f'<rect class="{kind}" x="{step * width}" y="{_n(height - tall)}" width="{width - 1}" '
                f'height="{_n(tall)}"><title>{count:,} from {since} to {until}</title></rect>'
            )
    ticks = "".join(
        f'<line class="tick" x1="{at}" x2="{at}" y1="{height}" y2="{height + 3}"/>'
        f'<text x="{at}" y="{height + 11}">{text}</text>'
        for text, at in (("1 µs", 16), ("1 ms", 64), ("1 s", 112))
    )
    return (
        f'<svg class="histogram" viewBox="0 0 {steps * width} {height + 13}" role="img" '
        f'aria-label="Histogram of {len(values)} values">{"".join(bars)}'
        f'<line class="tick" x1="0" x2="{steps * width}" y1="{height}" y2="{height}"/>{ticks}</svg>'
    )


def _lanes(trace: Trace) -> tuple[list[int], int]:
    """Return the lane of each worker, and how many there are: one that takes another's place may get its lane."""
    spans: list[tuple[float, float] | None] = [
        None if worker.began is None or worker.ready is None else (worker.began, worker.ready)
        for worker in trace.workers
    ]
    for task in trace.tasks:
        since, until = spans[task.worker] or (task.taken, task.end)
        spans[task.worker] = min(since, task.taken), max(until, task.end)
    found = lanes(spans)
    order = {lane: place for place, lane in enumerate(dict.fromkeys(lane for lane in found if lane >= 0))}
    return [order.get(lane, -1) for lane in found], min(len(order), _MOST_LANES)


def _lane_names(trace: Trace, lane_of: Sequence[int], count: int, height: int) -> str:
    names: list[list[str]] = [[] for _ in range(count)]
    for worker, lane in zip(trace.workers, lane_of, strict=True):
        if 0 <= lane < count:
            names[lane].append(worker.name)
    parts: list[str] = []
    small = "" if height > 10 else ' style="font-size:8px"'
    for lane, own in enumerate(names):
        top = _top(lane, height)
        short = own[0].replace("InterpreterPoolExecutor", "")[-19:].lstrip("-") if own else ""
        label = f"{short} and {len(own) - 1} more" if len(own) > 1 else short
        parts.append(
            f'<rect class="lane" x="{LEFT}" y="{top}" width="{_RIGHT - LEFT}" height="{height}"/>'
            f'<text class="name" x="{LEFT - 8}" y="{top + height / 2 + 3.5}"{small}>{escape(label)}'
            f"<title>{escape(', '.join(own[:20]))}</title></text>"
        )
    return "".join(parts)


def _top(lane: int, height: int) -> int:
    return 6 + lane * (height + 2)


def _slices(task: Task, lane: int, height: int, colours: Colours, x: Position) -> str:
    """Draw one task: a bar, lower where it is unpickled and encoded."""
    top, inner = _top(lane, height), height / 3
    began, end = x(task.began), x(task.began + task.ran)
    parts: list[str] = []
    for since, until in ((x(task.taken), began), (end, x(task.end))):
        if until - since >= _NARROWEST:
            parts.append(
                f'<rect class="moving" x="{_n(since)}" y="{_n(top + inner)}" '
                f'width="{_n(until - since)}" height="{_n(inner)}"/>'
            )
    what = f"{task.name}{'' if task.items is None else f', {plural(task.items, "item")}'}: {seconds_text(task.ran)}"
    what += f", waited {seconds_text(task.waited)}" + (f", {task.outcome}" if task.outcome else "")
    kind = f"f{colours.get(task.name, COLOURS)}{' bad' if task.outcome else ''}"
    parts.append(
        f'<rect class="{kind}" x="{_n(began)}" y="{top}" width="{_n(max(_NARROWEST, end - began))}" height="{height}">'
        f"<title>{escape(what)}</title></rect>"
    )
    return "".join(parts)


def _cells(
    tasks: Sequence[Task],
    lane_of: Sequence[int],
    count: int,
    height: int,
    colours: Colours,
    began: float,
    seconds: float,
) -> list[str]:
    """Draw how busy each lane was in each of many short times, in the colour of the function that took most of it."""
    cells = max(50, min(600, _CELLS // max(1, count)))
    width, step = (_RIGHT - LEFT) / cells, seconds / cells
    by_lane: list[list[Task]] = [[] for _ in range(count)]
    for task in tasks:
        by_lane[lane_of[task.worker]].append(task)
    parts: list[str] = []
    for lane, own in enumerate(by_lane):
        busy = [0.0] * cells
        for since, until in busy_intervals(own):
            for cell, inside in _spread(since - began, until - began, step, cells):
                busy[cell] += inside
        shares: list[dict[int, float]] = [{} for _ in range(cells)]
        for task in own:
            colour = colours.get(task.name, COLOURS)
            for cell, inside in _spread(task.taken - began, task.end - began, step, cells):
                shares[cell][colour] = shares[cell].get(colour, 0.0) + inside
        paths: dict[tuple[int, int], list[str]] = {}
        top = _top(lane, height)
        for cell, (time, share) in enumerate(zip(busy, shares, strict=True)):
            if share:
                level = min(_LEVELS, 1 + int(_LEVELS * time / step))
                key = max(share, key=share.__getitem__), level
                paths.setdefault(key, []).append(f"M{_n(LEFT + cell * width)} {top}h{_n(width)}v{height}h-{_n(width)}z")
        parts += [f'<path class="f{colour} l{level}" d="{"".join(path)}"/>' for (colour, level), path in paths.items()]
    return parts


def _spread(since: float, until: float, step: float, cells: int) -> Iterable[tuple[int, float]]:
    """Return in which cells a time lies, and how much of it in each."""
    first, last = int(since / step), int(until / step)
    for cell in range(max(0, first), min(cells - 1, last) + 1):
        yield cell, max(0.0, min(until, (cell + 1) * step) - max(since, cell * step))


def _starts(trace: Trace, lane_of: Sequence[int], count: int, height: int, x: Position) -> list[str]:
    return [
        f'<rect class="start" x="{_n(x(worker.began))}" y="{_n(_top(lane, height) + height / 3)}" '
        f'width="{_n(max(_NARROWEST, x(worker.ready) - x(worker.began)))}" height="{_n(height / 3)}">'
        f"<title>start of {escape(worker.name)}: {seconds_text(worker.ready - worker.began)}</title></rect>"
        for worker, lane in zip(trace.workers, lane_of, strict=True)
        if 0 <= lane < count and worker.began is not None and worker.ready is not None
    ]


def _marks(trace: Trace, lane_of: Sequence[int], count: int, height: int, x: Position) -> list[str]:
    parts: list[str] = []
    for moment in trace.moments:
        lane = -1 if moment.worker is None else lane_of[moment.worker]
        if not 0 <= lane < count or moment.what in ("worker leaves", "worker ended") or len(parts) >= _MOST_MARKS:
            continue
        at, top = x(moment.at), _top(lane, height)
        parts.append(
            f'<path class="mark" d="M{_n(at - 4)} {top - 2}h8l-4 7z"><title>{escape(moment.what)} '
            f"at {seconds_text(moment.at)}</title></path>"
        )
    return parts


def _waiting(trace: Trace, top: float, x: Position) -> tuple[str, float]:
    """Draw how many tasks waited, and return where that ends."""
    most, height = max((count.waiting for count in trace.counts), default=0), 46
    if not most:
        return "", top - 8
    columns: dict[int, tuple[int, int]] = {}  # most that waited in it, and at its end
    now: dict[int, int] = {}
    for count in sorted(trace.counts, key=lambda each: each.at):
        now[count.pool] = count.waiting
        column = int(x(count.at))
        total = sum(now.values())
        columns[column] = max(columns.get(column, (0, 0))[0], total), total
    path = [f"M{LEFT} {_n(top + height)}"]
    for column, (peak, last) in sorted(columns.items()):
        for at, level in ((column, peak), (column + 1, last)):
            path.append(f"H{at}V{_n(top + height - height * min(1.0, level / most))}")
    path.append(f"H{_RIGHT}V{_n(top + height)}z")
    return (
        f'<path class="waiting" d="{"".join(path)}"/>'
        f'<text class="name" x="{LEFT - 8}" y="{_n(top + 10)}">{most:,} wait</text>'
        f'<text class="name" x="{LEFT - 8}" y="{_n(top + height)}">none</text>'
    ), top + height


def _axis(began: float, seconds: float, bottom: float, depth: float, x: Position) -> str:
    step = _step(seconds)
    parts: list[str] = []
    for number in range(int(seconds / step) + 1):
        at = x(began + number * step)
        parts.append(
            f'<line class="grid" x1="{_n(at)}" x2="{_n(at)}" y1="2" y2="{_n(depth)}"/>'
            f'<text class="time" x="{_n(at)}" y="{_n(depth + 14)}">{seconds_text(number * step)}</text>'
        )
    return "".join(parts) + f'<line class="tick" x1="{LEFT}" x2="{_RIGHT}" y1="{_n(bottom)}" y2="{_n(bottom)}"/>'


def _step(seconds: float) -> float:
    """Return a round distance of marks, of which there are six or so."""
    raw = seconds / 6
    power: float = 10.0 ** floor(log10(raw))
    return next((factor * power for factor in (1, 2, 5) if raw <= factor * power), 10 * power)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
