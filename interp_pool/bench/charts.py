"""Draw what the benchmark found, one SVG file for each measure and workload.

This file owns the drawings, and alone imports matplotlib. It must not know how anything is measured. Invariant: the
same results make the same files, so that they can be kept under version control.
"""

import importlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interp_pool.bench.measuring import Measure
from interp_pool.bench.peers import OURS, PEERS, SERIAL
from interp_pool.bench.report import number
from interp_pool.bench.results import Results

__all__ = ["draw", "obstacle"]

_OURS_COLOR, _OTHER_COLOR = "#d1495b", "#8d99ae"
_LINE_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#17becf", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
_LOG_FROM = 20  # times: beyond this the short bars of a linear scale cannot be told apart


def obstacle() -> str | None:
    """Return why nothing can be drawn, one line; None when it can."""
    if importlib.util.find_spec("matplotlib"):
        return None
    return "charts need matplotlib: install interp-pool[bench]"


def draw(results: Results, directory: Path) -> list[Path]:
    """Write the charts and return their paths.

    Args:
        results: What was found.
        directory: Where the files go.
    """
    written: list[Path] = []
    for measure in results.measures:
        bars = [(peer, value) for peer in PEERS if (value := results.value(peer, measure.name)) is not None]
        if bars:
            written.append(_bars(measure, bars, directory / f"{measure.name}.svg"))
    for measure in results.scaling:
        serial = results.value(SERIAL, measure.name, 1)
        if serial is not None:
            written.append(_lines(measure, serial, results, directory / f"scaling_{measure.name}.svg"))
    return written


def _bars(measure: Measure, bars: Sequence[tuple[str, float]], path: Path) -> Path:
    names, values = [name for name, _ in bars], [value for _, value in bars]
    figure, axes = _figure(0.9 + 0.32 * len(bars))
    colors = [_OURS_COLOR if name == OURS else _OTHER_COLOR for name in names]
    drawn = axes.barh(names, values, color=colors, height=0.7)
    axes.bar_label(drawn, labels=[f"{number(value)} {measure.unit}" for value in values], padding=3, fontsize=8)
    axes.invert_yaxis()
    if min(values) > 0 and max(values) > max(_LOG_FROM * min(values), measure.noise):
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 2, max(values) * 4)  # room for the labels
        axes.set_xlabel(f"{measure.unit}, log scale; less is better", fontsize=8)
    else:
        axes.margins(x=0.18)
        axes.set_xlabel(f"{measure.unit}; less is better", fontsize=8)
    axes.set_title(measure.title, fontsize=9, loc="left")
    return _save(figure, path)


def _lines(measure: Measure, serial: float, results: Results, path: Path) -> Path:
    figure, axes = _figure(3.0)
    counts = results.counts
    for index, peer in enumerate(PEERS):
        points = [
            (count, serial / seconds)
            for count in counts
            if (seconds := results.value(peer, measure.name, count)) is not None
        ]
        if points:
            style: dict[str, Any] = {"color": _OURS_COLOR, "linewidth": 2.5, "zorder": 9}
            if peer != OURS:
                style = {"color": _LINE_COLORS[index % len(_LINE_COLORS)], "linewidth": 1.2}
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=peer, **style)
    axes.plot(counts, counts, color="#bbbbbb", linestyle=":", linewidth=1, label="ideal")
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("workers", fontsize=8)
    axes.set_ylabel("times as fast as serial", fontsize=8)
    axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title(f"{measure.name}: {measure.title} (serial {number(serial)} s)", fontsize=9, loc="left")
    return _save(figure, path)


def _figure(height: float) -> tuple[Any, Any]:
    # Not pyplot: that chooses a window system and keeps every figure.
    figure: Any = importlib.import_module("matplotlib.figure").Figure(figsize=(6.4, height), facecolor="white")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    matplotlib: Any = importlib.import_module("matplotlib")
    # Text stays text and ids have a fixed salt: small files, and the same ones each time.
    with matplotlib.rc_context({"svg.hashsalt": "interp_pool", "svg.fonttype": "none"}):
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    lines = (line.rstrip() for line in drawing.getvalue().splitlines())  # matplotlib leaves blanks at their ends
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
