"""The benchmark's command line: `python -m interp_pool bench`.

This file owns arguments, what is measured of whom, and the order of output. It must not know how anything is measured
or laid out. Invariant: whatever the user gives, presses or closes, there is no traceback.
"""

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from interp_pool._commands import console
from interp_pool._commands.console import show
from interp_pool._commands.layout import plural
from interp_pool._commands.progress import choose_progress
from interp_pool.bench import charts, report
from interp_pool.bench.budgets import Verdict, judge, misses
from interp_pool.bench.machine import facts
from interp_pool.bench.measures import FLOORS, MEASURES, SCALING
from interp_pool.bench.peers import FLOOR, OURS, PEERS, REFERENCES, SERIAL
from interp_pool.bench.results import Results
from interp_pool.bench.rounds import Cell, Outcome, arrange, mark_differences, run_cell

__all__ = ["main", "plan"]

_PROGRAM = "python -m interp_pool bench"
_ROUNDS, _QUICK_ROUNDS = 5, 1
_SOAK = "memory_soak"
_EVERY = 8  # workers up to which scaling is measured with each number of them


class _UsageError(Exception):
    """The arguments cannot be used; the text says which and why."""


def main(argv: Sequence[str]) -> int:
    """Run the benchmark.

    Args:
        argv: The arguments after `bench`.

    Returns:
        The exit status: 0, also when a peer failed, which the report says; 1 when interp_pool failed, when with --check
        a budget is not met, or when the report cannot be written; 2 when arguments cannot be used; 130 after Ctrl-C;
        141 when the reader of the output is gone.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).

    Blocks:
        Until everything is measured: on 2 cores with --quick about two minutes, else half an hour.
    """
    arguments = _parse(argv)
    return console.run(_PROGRAM, lambda: _bench(arguments, argv), _UsageError)


class _Arguments(argparse.Namespace):
    is_quick: bool
    is_soak: bool
    is_check: bool
    out: Path | None
    rounds: int | None
    workers: int
    only: list[str] | None
    peer: list[str] | None


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        description="Measure interp_pool beside every other executor there is, each in processes of its own.",
    )
    parser.add_argument("--quick", action="store_true", dest="is_quick", help="rough numbers, from one round")
    parser.add_argument("--soak", action="store_true", dest="is_soak", help="also watch memory over 1,000,000 tasks")
    parser.add_argument("--check", action="store_true", dest="is_check", help="fail if a budget is not met")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write the numbers, the tables and charts there")
    parser.add_argument(
        "--rounds",
        type=console.positive,
        metavar="N",
        help=f"how often to measure everything (default: {_ROUNDS}, with --quick {_QUICK_ROUNDS})",
    )
    parser.add_argument(
        "--workers",
        type=console.positive,
        default=os.process_cpu_count() or 1,
        metavar="N",
        help="workers of each executor (default: the cores this process may use, %(default)s)",
    )
    measures = [*MEASURES, *SCALING, FLOOR]
    parser.add_argument(
        "--only",
        nargs="+",
        type=_one_of("measure", measures),
        metavar="NAME",
        help=f"measure only these of: {', '.join(measures)}",
    )
    parser.add_argument(
        "--peer",
        nargs="+",
        type=_one_of("peer", PEERS),
        metavar="NAME",
        help=f"measure only these of: {', '.join(PEERS)}",
    )
    return parser.parse_args(argv, _Arguments())


def _one_of(what: str, names: Iterable[str]) -> Callable[[str], str]:
    known = list(names)

    def check(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"no {what} is called {text!r}; there are {', '.join(known)}")
        return text

    return check


def plan(measures: Sequence[str], peers: Sequence[str], workers: int, missing: Mapping[str, str]) -> list[Cell]:
    """Return what one round has to measure.

    Args:
        measures: Names of measures and workloads, and `FLOOR` for all of the floor.
        peers: Names of the peers.
        workers: How many workers executors get; workloads are run with each number up to it,
            beyond eight with the powers of two and with all.
        missing: Which peers cannot be used, and why.
    """
    usable = [PEERS[peer] for peer in peers if peer not in missing]
    cells: list[Cell] = []
    for name in measures:
        if name in SCALING:
            cells.append(Cell(SERIAL, name, 1))
            cells += [Cell(peer.name, name, count) for count in _counts(workers) for peer in usable]
        elif name in MEASURES:
            cells += [Cell(peer.name, name, workers) for peer in usable if MEASURES[name].objection(peer) is None]
        elif FLOOR not in missing:
            cells += [Cell(FLOOR, each, workers) for each in FLOORS]
    return cells


def _counts(workers: int) -> list[int]:
    return [count for count in range(1, workers + 1) if count <= _EVERY or count == workers or count.bit_count() == 1]


def _bench(arguments: _Arguments, argv: Sequence[str]) -> int:
    start = time.perf_counter()
    out = None if arguments.out is None else _prepare(arguments.out)
    measures = list(dict.fromkeys(arguments.only or [name for name in (*MEASURES, *SCALING, FLOOR) if name != _SOAK]))
    if arguments.is_soak and _SOAK not in measures:
        measures.append(_SOAK)
    peers = list(dict.fromkeys(arguments.peer or PEERS))
    everybody = {name: PEERS[name] for name in peers} | ({FLOOR: REFERENCES[FLOOR]} if FLOOR in measures else {})
    missing = {name: reason for name, peer in everybody.items() if (reason := peer.obstacle())}
    cells = plan(measures, peers, arguments.workers, missing)
    if not cells:
        raise _UsageError("none of these peers can do any of these measures; --help lists them")
    about = facts(argv)
    rounds = arguments.rounds or (_QUICK_ROUNDS if arguments.is_quick else _ROUNDS)
    show("\n".join([f"{plural(len(cells), 'measurement')}, {plural(rounds, 'round')}", *_lines(about)]))
    outcomes = _measure(cells, rounds, is_quick=arguments.is_quick)
    results = Results(outcomes, missing, arguments.workers)
    verdicts = judge(results)
    found = report.sections(results, verdicts, rounds)
    for section in found:
        show(report.text(section))
    if out is not None:
        show(f"Written: {_write(out, about, outcomes, results, verdicts, found)}")
    show(f"The whole benchmark took {time.perf_counter() - start:.0f} s.")
    is_good = not any(outcome.is_failure for outcome in outcomes if outcome.cell.peer == OURS)
    missed = misses(verdicts) if arguments.is_check else []
    if missed:
        show("\n".join(["Budgets not met:", *(f"  {each}" for each in missed)]))
    return 0 if is_good and not missed else console.FAILED


def _measure(cells: Sequence[Cell], rounds: int, *, is_quick: bool) -> list[Outcome]:
    progress = choose_progress(sys.stderr or io.StringIO(), "measurements")
    running = (run_cell(cell, number, is_quick=is_quick) for number, cell in arrange(cells, rounds))
    outcomes = list(progress.track(running, rounds * len(cells), "measuring"))
    print(file=sys.stderr, flush=True)  # apart from the progress, when both go to one terminal
    return mark_differences(outcomes)


def _prepare(directory: Path) -> Path:
    """Make sure, before anything is measured, that the results can be written."""
    if reason := charts.obstacle():
        raise _UsageError(reason)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _UsageError(f"cannot make directory: {str(directory)!r}; {(exc.strerror or str(exc)).lower()}") from exc
    return directory


def _lines(about: Mapping[str, str]) -> list[str]:
    return [f"  {name}: {value}" for name, value in about.items()]


def _write(
    out: Path,
    about: Mapping[str, str],
    outcomes: Sequence[Outcome],
    results: Results,
    verdicts: Sequence[Verdict],
    found: Sequence[report.Section],
) -> str:
    raw = {
        "facts": about,
        "missing": results.missing,
        "budgets": [verdict.as_record() for verdict in verdicts],
        "outcomes": [outcome.as_record() for outcome in outcomes],
    }
    (out / "benchmarks.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    page = ["# Benchmarks", "\n".join(f"- {name}: `{value}`" for name, value in about.items())]
    names = [(peer.name, peer.title) for peer in PEERS.values()]
    names += [(measure.name, measure.title) for measure in (*results.measures, *results.scaling)]
    page.append("## Names\n\n" + "\n".join(f"- `{name}`: {title}" for name, title in names))
    page += [report.markdown(section) for section in found]
    drawn = charts.draw(results, out)
    page.append("## Charts\n\n" + "\n".join(f"![{path.stem}]({path.name})" for path in drawn))
    (out / "benchmarks.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return f"{out / 'benchmarks.json'}, {out / 'benchmarks.md'} and {plural(len(drawn), 'chart')}"
