"""Run the programs and write the page: `cd tests && python -m compatibility [--only PATTERN] [--page FILE]`."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from pathlib import Path

from .page import page
from .programs import PROGRAMS
from .running import Outcome, TargetError, find_version, measure


def main() -> int:
    """Run programs and print how they compare; the status is 1 when one does something else with ours."""
    parser = argparse.ArgumentParser(prog="compatibility", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="on the name of a package or of a program")
    parser.add_argument("--rounds", type=int, default=1, help="how often each runs; the shortest times count")
    parser.add_argument("--fallback", choices=["process", "thread", "none"], default="process")
    parser.add_argument("--page", type=Path, help="where to write the table")
    parser.add_argument("--verbose", action="store_true", help="print the end of what a program says on stderr")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for program in PROGRAMS:
        if not fnmatch.fnmatch(program.package, options.only) and not fnmatch.fnmatch(program.name, options.only):
            continue
        if find_version(program.package) is None:
            print(f"{program.name}: {program.package} is not installed", flush=True)
            continue
        try:
            outcome = measure(program, None if options.fallback == "none" else options.fallback, options.rounds)
        except TargetError as exc:
            print(f"{program.name}: {exc}", flush=True)
            continue
        outcomes.append(outcome)
        print(_line(outcome), flush=True)
        if options.verbose:
            print("".join(f"    | {line}\n" for line in outcome.errors.splitlines()[-12:]), end="")
    if options.page is not None:
        options.page.write_text(page(outcomes, options.fallback), encoding="utf-8")
    return int(any(outcome.different for outcome in outcomes))


def _line(outcome: Outcome) -> str:
    tasks = "no report" if outcome.swapped is None else outcome.swapped["tasks"]
    verdict = "; ".join(outcome.different) or (
        "the same" if outcome.has_swapped else "the same, but nothing was swapped"
    )
    times = f"{outcome.theirs:.2f} s, {outcome.ours:.2f} s"
    status = "" if outcome.status == outcome.program.status else f", status {outcome.status}"
    return f"{outcome.program.name}: {times}{status}: {verdict} {tasks}"


if __name__ == "__main__":
    sys.exit(main())
