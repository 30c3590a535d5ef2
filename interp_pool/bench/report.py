"""Turn what the benchmark found into tables and sentences.

This file owns the wording and layout. It must not know where the values come from, and it never prints. Invariant:
every function is pure, and whatever failed or is slower than elsewhere is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interp_pool._commands.layout import plural, table
from interp_pool.bench.budgets import Verdict
from interp_pool.bench.measuring import Measure
from interp_pool.bench.peers import FLOOR, OURS, PEERS, SERIAL
from interp_pool.bench.results import Results

__all__ = ["Section", "markdown", "number", "sections", "text"]

_EQUAL = 1.02  # up to this ratio it is no loss: medians of repeated runs differ by more


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table under it, or lines, or both.

    Attributes:
        title: The heading.
        notes: Sentences under it.
        headers: Of the table's columns.
        rows: The table's cells; no table when there are none.
    """

    title: str
    notes: Sequence[str] = ()
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    @property
    def align(self) -> str:
        """One character for each column: words to the left, numbers to the right."""
        columns = list(zip(*self.rows, strict=True))
        return "".join("<" if any(map(_is_word, column)) else ">" for column in columns)


def text(section: Section) -> str:
    """Return the section as plain text."""
    lines = [section.title, *(f"  {note}" for note in section.notes)]
    if section.rows:
        lines.append(table(section.headers, section.rows, section.align))
    return "\n".join(lines)


def markdown(section: Section) -> str:
    """Return the section as Markdown."""
    lines = [f"## {section.title}"]
    if section.notes:
        lines += ["", *(f"- {note}" for note in section.notes)]
    if section.rows:
        rules = ["---" if side == "<" else "---:" for side in section.align]
        cells = [[cell.replace("|", "\\|") for cell in row] for row in (section.headers, rules, *section.rows)]
        lines += ["", *("| " + " | ".join(row) + " |" for row in cells)]
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with about three digits that mean something."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def sections(results: Results, verdicts: Sequence[Verdict], rounds: int) -> list[Section]:
    """Return everything there is to say, in the order to say it.

    Args:
        results: What was found.
        verdicts: What became of the budgets.
        rounds: How many rounds there were.
    """
    found = [
        _medians(results, rounds),
        _ratios(results),
        *_details(results, rounds),
        _floor(results),
        *_scaling(results),
        _budgets(verdicts),
        _losses(results),
        _failures(results, rounds),
    ]
    return [section for section in found if section is not None]


def _peers(results: Results, measures: Iterable[Measure]) -> list[str]:
    names = {measure.name for measure in measures}
    measured = {cell.peer for cell in results.cells if cell.measure in names}
    return [peer for peer in PEERS if peer in measured]


def _medians(results: Results, rounds: int) -> Section | None:
    if not results.measures:
        return None
    peers = _peers(results, results.measures)

    def show(peer: str, measure: Measure) -> str:
        value = results.value(peer, measure.name)
        if value is None:
            return "failed" if results.is_failed(peer, measure.name) else "-"
        return number(value)

    rows = [(measure.name, measure.unit, *(show(peer, measure) for peer in peers)) for measure in results.measures]
    spread = "one round" if rounds == 1 else f"medians of {rounds} rounds"
    notes = [f"{spread}, {plural(results.workers, 'worker')} for each executor; less is better"]
    notes += [f"{peer} is not here: {reason}" for peer, reason in results.missing.items() if peer in PEERS]
    return Section("What was measured", notes, ("", "unit", *peers), rows)


def _ratios(results: Results) -> Section | None:
    peers = [peer for peer in _peers(results, results.measures) if peer != OURS]
    rows = [(measure.name, *_cells(peers, measure.name, results)) for measure in results.measures]
    if not any(cell != "-" for row in rows for cell in row[1:]):
        return None
    note = f"how many times as much {OURS} needs: below 1 it is better"
    return Section(f"{OURS} over the others", [note], ("", *peers), rows)


def _cells(peers: Sequence[str], measure: str, results: Results) -> list[str]:
    ratios = [results.ratio(peer, measure) for peer in peers]
    return ["-" if value is None else number(value) for value in ratios]


def _details(results: Results, rounds: int) -> list[Section]:
    """Return what a measure found beside its number, for each measure that did."""
    found: list[Section] = []
    for measure in results.measures:
        peers = _peers(results, [measure])
        ours = results.details(OURS, measure.name)
        names = dict.fromkeys(name for peer in peers for name in results.details(peer, measure.name))
        rows: list[tuple[str, ...]] = []
        for name in names:
            medians = [results.detail(peer, measure.name, name) for peer in peers]
            values = ours.get(name)
            spread = f"{number(min(values))} to {number(max(values))}" if values else "-"
            cells = ["-" if median is None else number(median) for median in medians]
            rows.append((name, *cells, *([spread] if rounds > 1 else [])))
        if rows:
            headers = ("", *peers, *([f"spread of {OURS}"] if rounds > 1 else []))
            found.append(Section(f"{measure.name}: {measure.title}", (), headers, rows))
    return found


def _floor(results: Results) -> Section | None:
    title = "The floor: two interpreters with no executor around them"
    if not results.floors:
        return Section(title, [f"not measured: {results.missing[FLOOR]}"]) if FLOOR in results.missing else None
    ours = results.value(OURS, "roundtrip")
    rows: list[tuple[str, ...]] = []
    for measure in results.floors:
        value = results.value(FLOOR, measure.name)
        times = "-" if value is None or ours is None or value <= 0 else f"{number(ours / value)}"
        rows.append((measure.title, measure.unit, "failed" if value is None else number(value), times))
    return Section(title, (), ("", "unit", "median", f"{OURS} roundtrip is times this"), rows)


def _scaling(results: Results) -> list[Section]:
    if not results.scaling:
        return []
    peers = _peers(results, results.scaling)
    rows: list[tuple[str, ...]] = []
    for measure in results.scaling:
        serial = results.value(SERIAL, measure.name, 1)
        for workers in results.counts:

            def show(peer: str, name: str = measure.name, workers: int = workers, serial: float | None = serial) -> str:
                seconds = results.value(peer, name, workers)
                if seconds is None or serial is None:
                    return "failed" if results.is_failed(peer, name, workers) else "-"
                return f"{serial / seconds:.2f}x"

            rows.append(
                (measure.name, "failed" if serial is None else f"{serial:.2f}", str(workers), *map(show, peers))
            )
    notes = ["speed-up over the serial run, workers warm; results are compared with the serial run's"]
    return [Section("Scaling", notes, ("", "serial s", "workers", *peers), rows)]


def _budgets(verdicts: Sequence[Verdict]) -> Section | None:
    if not verdicts:
        return None
    words = {True: "met", False: "NOT MET", None: "not measurable"}
    rows = [
        (
            str(verdict.budget),
            "aim" if verdict.budget.is_aim else "budget",
            "-" if verdict.measured is None else number(verdict.measured),
            words[verdict.is_met] + (f": {verdict.reason}" if verdict.reason else ""),
        )
        for verdict in verdicts
    ]
    return Section("Budgets", (), ("", "kind", "measured", "verdict"), rows)


def _losses(results: Results) -> Section | None:
    title = f"Where {OURS} loses"
    peers = _peers(results, [*results.measures, *results.scaling])
    if OURS not in peers or len(peers) < 2:
        return None
    compared = [(measure, measure.name, results.workers) for measure in results.measures]
    compared += [
        (measure, f"{measure.name} with {plural(workers, 'worker')}", workers)
        for measure in results.scaling
        for workers in results.counts
    ]
    rows: list[tuple[str, ...]] = []
    for measure, label, workers in compared:
        for peer in peers:
            value = results.ratio(peer, measure.name, workers)
            ours, theirs = results.value(OURS, measure.name, workers), results.value(peer, measure.name, workers)
            if value is not None and value > _EQUAL and ours is not None and theirs is not None:
                shown = (f"{number(ours)} {measure.unit}", f"{number(theirs)} {measure.unit}")
                rows.append((label, peer, *shown, f"{number(value)} times"))
    if not rows:
        return Section(title, ["nowhere in this run"])
    return Section(title, (), ("measure", "peer", OURS, "the peer", "as much"), rows)


def _failures(results: Results, rounds: int) -> Section | None:
    rows = [
        (cell.measure, cell.peer, str(cell.workers), f"{count} of {rounds}", reason)
        for cell, count, reason in results.failures()
    ]
    return Section("What failed", (), ("measure", "peer", "workers", "rounds", "reason"), rows) if rows else None


def _is_word(cell: str) -> bool:
    digits = cell.rstrip("x").lstrip("-").replace(",", "").replace(".", "")
    return cell not in {"-", "failed"} and not digits.isdecimal()
