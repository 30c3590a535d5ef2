"""The command line of `python -m interp_pool top`.

This file owns arguments, exit statuses and the order of what happens. It must not know how anything looks.
"""

import argparse
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp_pool._commands import console
from interp_pool._commands.layout import plural, table
from interp_pool._wire.texts import one_line

if TYPE_CHECKING:
    from interp_pool._seeing.shapes import Snapshot
    from interp_pool.top.asking import Monitored

__all__ = ["main"]

_PROGRAM = "python -m interp_pool top"


class _Arguments(argparse.Namespace):
    pid: int | None
    once: bool
    as_json: bool
    stacks: bool
    interval: float


def main(argv: Sequence[str]) -> int:
    """Show what the workers and tasks of a running program do.

    Args:
        argv: The arguments after `top`.

    Returns:
        The exit status: 0, also when the program has ended meanwhile; 1 when the output cannot be written; 2 when there
        is no program to look at, it does not answer, or this user must not; 141 when the reader of the output is gone.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).

    Blocks:
        Until the user quits or the program ends; with --once, --json or --stacks until it has answered.
    """
    arguments = _parse(argv)
    from interp_pool.top.programs import TopError

    return console.run(_PROGRAM, lambda: _top(arguments), TopError)


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        description="Show the workers and tasks of a program that was started with INTERP_POOL_MONITOR=1.",
    )
    parser.add_argument(
        "pid", nargs="?", type=console.positive, metavar="PID", help="its process id; needed if there are several"
    )
    parser.add_argument("--once", action="store_true", help="print it once, as text")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print it once, as JSON")
    parser.add_argument("--stacks", action="store_true", help="print the calls of all threads and tasks")
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="between two looks (default: 1)"
    )
    return parser.parse_args(argv, _Arguments())


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds >= 0.1, got {text!r}")
    return value


def _top(arguments: _Arguments) -> int:
    from interp_pool._seeing.runtime_directory import why_there_are_none
    from interp_pool.top.asking import Ended, Monitored
    from interp_pool.top.programs import TopError, find_all, find_one

    if (why := why_there_are_none()) is not None:
        raise TopError(why)
    if arguments.pid is not None:
        program = Monitored(find_one(arguments.pid))
    else:
        programs = {pid: Monitored(connection) for pid, connection in find_all().items()}
        if not programs:
            raise TopError("there is no program to look at: start one with INTERP_POOL_MONITOR=1")
        if len(programs) > 1:
            _list(programs, as_json=arguments.as_json)
            return 0
        (program,) = programs.values()
    try:
        return _show(program, arguments)
    except Ended:
        if arguments.once or arguments.as_json or arguments.stacks:
            raise TopError("the program has ended") from None
        print("the program has ended")
        return 0
    finally:
        program.close()


def _show(program: "Monitored", arguments: _Arguments) -> int:
    from interp_pool.top.keys import State
    from interp_pool.top.terminal import as_text
    from interp_pool.top.watching import watch

    if arguments.stacks:
        print(program.stacks())
    elif arguments.as_json:
        print(json.dumps(program.snapshot(), indent=2))
    elif arguments.once:
        state = State()
        state.see(program.snapshot())
        print(as_text(state))
    else:
        watch(program, arguments.interval)
    return 0


def _list(programs: "dict[int, Monitored]", *, as_json: bool) -> None:
    """Print which programs there are."""
    from interp_pool.top.asking import Ended
    from interp_pool.top.programs import TopError

    found: list[Snapshot] = []
    silent: list[int] = []
    for pid, program in programs.items():
        try:
            found.append(program.snapshot())
        except Ended:
            continue
        except TopError:
            silent.append(pid)
        finally:
            program.close()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = [
        (
            str(each["pid"]),
            plural(len(each["pools"]), "pool"),
            f"{sum(pool['counts']['tasks_running'] for pool in each['pools']):,}",
            one_line(each["program"]),
        )
        for each in found
    ]
    rows += [(str(pid), "", "", "does not answer") for pid in silent]
    print(table(("PID", "pools", "running", "program"), rows, "><><"))
    print(f"look at one of them: {_PROGRAM} PID")
