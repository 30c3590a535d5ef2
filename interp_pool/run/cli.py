"""The command line of `python -m interp_pool run`.

This file owns arguments and the order of what happens. What the program does with its outputs and its exit status is
the program's: with `--compare` it runs in a process of its own, otherwise in this one.
"""

import argparse
import atexit
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence

from interp_pool._commands import console
from interp_pool._swap.patching import Fallback, Patch, patch
from interp_pool.run import report
from interp_pool.run.launching import launch
from interp_pool.run.targets import Target, TargetError, find_target

__all__ = ["main"]

_PROGRAM = "python -m interp_pool run"
_NOT_THERE = 2
_WITH_VALUE = ("--fallback", "--route", "--report")


class _Arguments(argparse.Namespace):
    fallback: Fallback | None
    route: list[str]
    compare: bool
    report: str | None
    module: bool
    target: str


def main(argv: Sequence[str]) -> int:
    """Run a program with executors of interpreters in the place of its processes.

    Args:
        argv: The arguments after `run`.

    Returns:
        The exit status: 0; 2 when there is no such program; with `--compare` the program's, or 1 when that is 0 and
        something differs.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).
        BaseException: What the program raises.

    Blocks:
        Until the program's main module has ended, with `--compare` until it has run twice.
    """
    own, rest = _split(argv)
    arguments = _parse(own)
    try:
        target = find_target(arguments.target, is_module=arguments.module)
        if arguments.compare:
            from interp_pool.run.compare import compare

            return console.run(_PROGRAM, lambda: compare(target, rest, _own(arguments)), TargetError)
        _run(target, rest, arguments)
    except TargetError as exc:
        with contextlib.suppress(OSError):
            print(f"{_PROGRAM}: {exc}", file=sys.stderr)
        return _NOT_THERE
    return 0


def _run(target: Target, rest: list[str], arguments: _Arguments) -> None:
    patched = patch(fallback=arguments.fallback, route=arguments.route)
    file = None if arguments.report is None else os.path.abspath(arguments.report)
    # The first to be registered is called last, and the threads of executors have ended then.
    atexit.register(_tell, patched, file, (os.getcwd(), os.getpid(), time.perf_counter()))
    patched.__enter__()  # for good
    try:
        launch(target, rest)
    except TargetError:
        atexit.unregister(_tell)
        raise


def _tell(patched: Patch, file: str | None, start: tuple[str, int, float]) -> None:
    directory, process_id, began = start
    if os.getpid() != process_id:
        return  # a child that was forked, and exits like a program
    told = report.as_json(patched.ledger.swapped(), time.perf_counter() - began, directory)
    with contextlib.suppress(OSError, ValueError):  # nobody can be told: it is closed, or full
        if file is not None:
            with open(file, "w", encoding="utf-8") as stream:
                json.dump(told, stream)
        elif sys.__stderr__ is not None:
            sys.__stderr__.write(report.as_text(told))
            sys.__stderr__.flush()


def _own(arguments: _Arguments) -> list[str]:
    """Return the options that say how tasks are run, as they are given to another process."""
    fallback = [] if arguments.fallback is None else ["--fallback", arguments.fallback]
    return [*fallback, *(word for name in arguments.route for word in ("--route", name))]


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return our own arguments, up to the name of the program, and the program's."""
    index = 0
    while index < len(argv) and argv[index].startswith("-") and argv[index] not in ("-m", "--"):
        index += 2 if argv[index] in _WITH_VALUE else 1
    index += 2 if argv[index : index + 1] in (["-m"], ["--"]) else 1
    return [*argv[:index]], [*argv[index:]]


def _parse(argv: list[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [--fallback process|thread] [--route MODULE:FUNCTION ...] [--compare]\n"
        "           [--report FILE] SCRIPT.py | -m MODULE | CONSOLE_SCRIPT [arguments of the program]",
        description="Run a program as it is, with executors of interpreters where it says ProcessPoolExecutor or "
        "multiprocessing.Pool, and tell on stderr what was swapped and where its tasks ran.",
    )
    parser.add_argument(
        "--fallback",
        choices=("process", "thread"),
        metavar="process|thread",
        help="what runs the tasks that no interpreter can, as they need a module that refuses (default: they fail)",
    )
    parser.add_argument(
        "--route",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="run the tasks of this function there from the start; may be given several times",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="run the unmodified program first; compare times, stdout, exit status and files. Each run has a copy of "
        "the working directory, which itself stays as it is, and is in a process of its own",
    )
    parser.add_argument("--report", metavar="FILE", help="write what was swapped there as JSON, not to stderr")
    parser.add_argument("-m", action="store_true", dest="module", help="the program is a module, as for python -m")
    parser.add_argument("target", metavar="PROGRAM", help="a script, a module, or a console script that is installed")
    return parser.parse_args(argv, _Arguments())
