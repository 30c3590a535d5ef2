"""The demo's command line: `python -m interp_pool demo`.

This file owns arguments, exit statuses and the order of what is shown. It must not know how anything is
measured, compared or laid out. Invariant: whatever the user gives, presses or closes, there is no traceback.
"""

import argparse
import io
import os
import platform
import sys
import time
from collections.abc import Sequence

from interp_pool._commands import console
from interp_pool._commands.console import show
from interp_pool._commands.interrupts import KeptInterrupts
from interp_pool._commands.progress import choose_progress
from interp_pool.demo import report
from interp_pool.demo.compare import compare, cut
from interp_pool.demo.entrants import contenders
from interp_pool.demo.sources import (
    DEFAULT_SAMPLE_SIZE,
    SourceError,
    SourceFile,
    Sources,
    find_sources,
    sample,
)

__all__ = ["main"]

_PROGRAM = "python -m interp_pool demo"


def main(argv: Sequence[str]) -> int:
    """Run the demo.

    Args:
        argv: The arguments after `demo`.

    Returns:
        The exit status: 0; 1 when an executor failed or gave other results than the serial run, or the report
        cannot be written; 2 when the directory cannot be used; 130 after Ctrl-C; 141 when the reader of the
        output is gone.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).

    Blocks:
        Until every executor has run: about half a minute on 2 cores with the default arguments.
    """
    arguments = _parse(argv)
    return console.run(_PROGRAM, lambda: _demo(arguments), SourceError)


class _Arguments(argparse.Namespace):
    directory: str | None
    workers: int
    files: int | None
    use_all: bool
    is_verbose: bool


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        description="Measure Python source files serially, with threads, with processes and with "
        "interpreters, and compare times and results.",
    )
    parser.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="measure the .py files under it (default: the standard library)",
    )
    parser.add_argument(
        "--workers",
        type=console.positive,
        default=os.process_cpu_count() or 1,
        metavar="N",
        help="workers of each executor (default: the cores this process may use, %(default)s)",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--all", action="store_true", dest="use_all", help="use every file")
    amount.add_argument(
        "--files",
        type=console.positive,
        metavar="N",
        help=f"use N files spread over the sizes (default: about {DEFAULT_SAMPLE_SIZE >> 20} MiB of them)",
    )
    parser.add_argument(
        "--verbose", action="store_true", dest="is_verbose", help="list the files that could not be measured"
    )
    return parser.parse_args(argv, _Arguments())


def _demo(arguments: _Arguments) -> int:
    start = time.perf_counter()
    sources = find_sources(arguments.directory)
    chosen = _choose(sources, arguments)
    facts = _facts(arguments.workers)
    show(report.heading(sources, chosen, facts))
    slices = cut(chosen, arguments.workers)
    entrants = contenders(len(slices[0]), arguments.workers)
    with KeptInterrupts(choose_progress(sys.stderr or io.StringIO())) as progress:
        comparison = compare(slices, entrants, progress)
    print(file=sys.stderr, flush=True)  # apart from the progress, when both go to one terminal
    measures = comparison.measures
    show(report.summary(measures, sources.root))
    show(report.problems(measures, sources, is_verbose=arguments.is_verbose))
    show(report.most_complex(measures, sources.root))
    show(report.timings(comparison, facts))
    show(f"The whole demo took {time.perf_counter() - start:.1f} s.")
    is_good = all(run.error is None and run.differences is None for run in comparison.runs)
    return 0 if is_good else console.FAILED


def _choose(sources: Sources, arguments: _Arguments) -> list[SourceFile]:
    if arguments.use_all:
        return sources.files
    return sample(sources.files, count=arguments.files, size=DEFAULT_SAMPLE_SIZE)


def _facts(workers: int) -> report.Facts:
    import multiprocessing

    return report.Facts(
        python=console.python_name(),
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.process_cpu_count() or 1,
        workers=workers,
        start_method=multiprocessing.get_start_method(),
        load=console.load_average(),
    )
