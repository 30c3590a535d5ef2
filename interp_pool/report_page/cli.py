"""The command line of `python -m interp_pool report`.

This file owns arguments and files.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from interp_pool._commands import console
from interp_pool.report_page.page import page
from interp_pool.report_page.reading import TraceError, read

__all__ = ["main"]

_PROGRAM = "python -m interp_pool report"


class _Arguments(argparse.Namespace):
    trace: Path
    out: Path | None


def main(argv: Sequence[str]) -> int:
    """Make a page of a trace.

    Args:
        argv: The arguments after `report`.

    Returns:
        The exit status: 0; 1 when the page cannot be written; 2 when there is no such trace; 130 after Ctrl-C.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).
    """
    arguments = _parse(argv)
    return console.run(_PROGRAM, lambda: _make(arguments), TraceError)


def _make(arguments: _Arguments) -> int:
    trace = read(arguments.trace)  # first: what cannot be read need not have a name
    out = arguments.trace.with_suffix(".html") if arguments.out is None else arguments.out
    if out.exists() and out.samefile(arguments.trace):
        raise TraceError(f"{out} is the trace itself: name another file with -o")
    made = page(trace, arguments.trace.name).encode(errors="backslashreplace")  # names need not be text
    out.write_bytes(made)
    print(out)
    return 0


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [-o FILE.html] TRACE.json",
        description="Make a page, in one file, of what a program's pools did, from the trace that interp_pool.trace or "
        "INTERP_POOL_TRACE=TRACE.json has written. Its name is printed.",
    )
    parser.add_argument("trace", type=Path, metavar="TRACE.json", help="the trace; one that was cut off will do")
    parser.add_argument(
        "-o", dest="out", type=Path, metavar="FILE.html", help="the page (default: beside the trace, with its name)"
    )
    return parser.parse_args(argv, _Arguments())
