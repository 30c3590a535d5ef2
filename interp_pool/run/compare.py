"""Run a program twice, as it is and with ours, and compare what it does.

This file owns what is compared and what is told of it. Each run is in a process of its own, and in a copy of the
working directory, at the same place: so the first leaves the second nothing, and what they tell of their files is the
same. A program that writes elsewhere does so twice.

Standard input goes to both if it is a file; otherwise it is empty. Standard output is ours in the end, standard error
at once.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from interp_pool._commands import console
from interp_pool._commands.layout import plural, table
from interp_pool.run import report
from interp_pool.run.targets import Target, TargetError
from interp_pool.run.trees import Snapshot, changes, copy_tree, snapshot

__all__ = ["Comparison", "Run", "compare", "describe", "differences", "run_both"]

_SHOWN = 5  # names of files that differ


@dataclass(frozen=True)
class Run:
    """What a program has done."""

    seconds: float
    status: int
    output: bytes
    files: Snapshot
    """What it wrote, changed or deleted."""


@dataclass(frozen=True)
class Comparison:
    """A program as it is, and with ours."""

    theirs: Run
    ours: Run
    swapped: dict[str, Any] | None
    """What `report.as_json` returns; None if the program ended in a way that left no time for it."""


def compare(target: Target, arguments: list[str], options: list[str]) -> int:
    """Run a program twice; print what the second run prints, and to stderr how they compare.

    Args:
        target: What to run.
        arguments: Its arguments.
        options: Those of `run` for the second one.

    Returns:
        The status of the second run; 1 when that is 0 and something differs.

    Raises:
        TargetError: The working directory cannot be copied.
    """
    both = run_both(target, arguments, options)
    sys.stdout.flush()
    sys.stdout.buffer.write(both.ours.output)
    sys.stdout.buffer.flush()
    found = differences(both.theirs, both.ours)
    if both.swapped is None:
        text = f"{report.PREFIX}the program ended in a way that left no time for a report\n"
    else:
        text = report.as_text(both.swapped)
    print(text + describe(both.theirs, both.ours, found), end="", file=sys.stderr, flush=True)
    return both.ours.status if both.ours.status != 0 or not found else console.FAILED


def run_both(
    target: Target,
    arguments: list[str],
    options: list[str],
    *,
    errors: IO[bytes] | None = None,
    timeout: float | None = None,
) -> Comparison:
    """Run a program twice, each time in a copy of the working directory.

    Args:
        target: What to run.
        arguments: Its arguments.
        options: Those of `run` for the second one.
        errors: Where the second run's standard error goes; None means ours. That of the first is dropped.
        timeout: Seconds after which a run is killed; None means no limit.

    Raises:
        TargetError: The working directory cannot be copied.
    """
    with tempfile.TemporaryDirectory(prefix="interp_pool-") as room:
        told = os.path.join(room, "report")
        words = target.words() if target.kind != "code" else [target.name]
        with_ours = ["-m", "interp_pool", "run", *options, "--report", told, *words, *arguments]
        theirs = _in_a_copy(room, [*target.words(), *arguments], subprocess.DEVNULL, timeout)
        ours = _in_a_copy(room, with_ours, errors, timeout)
        try:
            with open(told, encoding="utf-8") as file:
                return Comparison(theirs, ours, json.load(file))
        except OSError:
            return Comparison(theirs, ours, None)


def _in_a_copy(room: str, words: Sequence[str], errors: IO[bytes] | int | None, timeout: float | None) -> Run:
    place = os.path.join(room, os.path.basename(os.getcwd()) or "root")
    try:
        copy_tree(os.getcwd(), place)
    except OSError as exc:
        raise TargetError(f"cannot copy the working directory: {exc}") from exc
    before = snapshot(place)
    flags: Callable[[], list[str]] = vars(subprocess)["_args_from_interpreter_flags"]  # as multiprocessing does
    with tempfile.TemporaryFile() as output, _input() as given:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *flags(), *words], cwd=place, stdin=given, stdout=output, stderr=errors
        )
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
        except KeyboardInterrupt:
            child.wait()  # it was pressed for the program, too
            raise
        seconds = time.perf_counter() - began
        output.seek(0)
        run = Run(seconds, status, output.read(), changes(before, snapshot(place)))
    shutil.rmtree(place)
    return run


def _input() -> Any:
    """Return a new file that has what is left of standard input, if that is a file, and an empty one otherwise."""
    given: Any = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    try:
        start = os.lseek(0, 0, os.SEEK_CUR)
        with open(0, "rb", closefd=False) as stream:
            shutil.copyfileobj(stream, given)
        os.lseek(0, start, os.SEEK_SET)  # for the other run
    except OSError:
        pass  # closed, a pipe or a terminal: whoever wrote there may never end
    given.seek(0)
    return given


def differences(theirs: Run, ours: Run) -> list[str]:
    """Say in what two runs differ."""
    found = [] if theirs.output == ours.output else [_other_output(theirs.output, ours.output)]
    if theirs.status != ours.status:
        found.append(f"the exit status {theirs.status} became {ours.status}")
    names = sorted(name for name in theirs.files.keys() | ours.files.keys() if _is_other(name, theirs, ours))
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        found.append(f"files differ: {', '.join(names[:_SHOWN])}{more}")
    return found


def _other_output(theirs: bytes, ours: bytes) -> str:
    first, second = theirs.splitlines(), ours.splitlines()
    if first == second:
        return "stdout differs in how its lines end"
    if sorted(first) == sorted(second):
        return "stdout has the same lines in another order"
    pairs = enumerate(itertools.zip_longest(first, second), 1)
    number, old, new = next((number, old, new) for number, (old, new) in pairs if old != new)
    return f"stdout differs from line {number} on: {_line(old)} became {_line(new)}"


def _is_other(name: str, theirs: Run, ours: Run) -> bool:
    return theirs.files.get(name) != ours.files.get(name)


def _line(line: bytes | None) -> str:
    if line is None:
        return "nothing"
    text = repr(line.decode("utf-8", "replace"))
    return text if len(text) <= 80 else f"{text[:80]}..."


def describe(theirs: Run, ours: Run, found: list[str]) -> str:
    """Return lines about both runs."""
    rows = [
        (
            name,
            f"{run.seconds:.2f} s",
            str(run.status),
            plural(run.output.count(b"\n"), "line"),
            plural(len(run.files), "file"),
        )
        for name, run in (("unmodified", theirs), ("with interp_pool", ours))
    ]
    told = "".join(f"different: {line}\n" for line in found) or "the same: stdout, exit status and files\n"
    return table(("", "time", "exit status", "stdout", "changed"), rows, "<>>>>") + f"\n{told}"
