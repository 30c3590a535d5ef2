"""Run a program of the table twice, and say how it compares."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp_pool.run.compare import Comparison, Run, differences, run_both
from interp_pool.run.targets import Target, TargetError, find_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .programs import Program

TIMEOUT = 120.0  # seconds that a run may take
CACHE = ".cache"
# What programs tell of their own run, and two runs of the same do not.
_VARYING = re.compile(rb"\b\d+(\.\d+)?(e-?\d+)? ?(s|ms|seconds?)\b|generated_at.*|\d{4}-\d\d-\d\dT[\d:.]+Z?")


@dataclass(frozen=True)
class Outcome:
    """How a program with ours compares to itself."""

    program: Program
    version: str
    theirs: float
    """The shortest time of the unmodified program, in seconds."""
    ours: float
    """And with ours."""
    status: int
    """That of the unmodified program."""
    different: tuple[str, ...]
    swapped: dict[str, Any] | None
    errors: str
    """Standard error of the last run with ours."""

    @property
    def has_swapped(self) -> bool:
        """Whether anything was swapped: otherwise it is the same for nothing."""
        return self.swapped is not None and bool(self.swapped["executors"] or self.swapped["pools"])


def find_version(package: str) -> str | None:
    """Return the version that is installed, None if none is."""
    import platform

    try:
        return version(package) if package else platform.python_version()
    except PackageNotFoundError:
        return None


@contextlib.contextmanager
def _folder(program: Program) -> Iterator[None]:
    """Stand in a folder with what the program works on; what it keeps for its next run it keeps there."""
    settings = {"XDG_CACHE_HOME": CACHE, "PYLINTHOME": CACHE, "PYTHONHASHSEED": "0", "COLUMNS": "100", "NO_COLOR": "1"}
    start, environment = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="compatibility-") as room:
        folder = Path(room, "work")
        folder.mkdir()
        program.make(folder)
        os.chdir(folder)
        os.environ.update(settings)
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):  # each would pay for compiling, again and again
            os.environ.pop(name, None)
        try:
            yield
        finally:
            os.chdir(start)
            os.environ.clear()
            os.environ.update(environment)


def _target(program: Program) -> tuple[Target, list[str]]:
    is_module = program.words[0] == "-m"
    name, *arguments = program.words[is_module:]
    return find_target(name, is_module=is_module), arguments


def measure(program: Program, fallback: str | None, rounds: int = 1) -> Outcome:
    """Run a program twice, or more often for its times.

    Args:
        program: which one.
        fallback: "process", "thread" or None.
        rounds: how often; what differs in any of them is told.
    """
    found: list[Comparison] = []
    texts: list[str] = []
    options = [] if fallback is None else ["--fallback", fallback, *program.route]
    with _folder(program):
        target, arguments = _target(program)
        for _ in range(rounds):
            with tempfile.TemporaryFile() as errors:
                found.append(run_both(target, arguments, options, errors=errors, timeout=TIMEOUT))
                errors.seek(0)
                texts.append(errors.read().decode("utf-8", "replace"))
    if program.loses_lines:
        found = [_with_all_lines(each) for each in found]
    different = {line: None for each in found for line in differences(_plain(each.theirs), _plain(each.ours))}
    different.pop("stdout has the same lines in another order", None)  # they come as tasks end
    return Outcome(
        program,
        find_version(program.package) or "?",
        min(each.theirs.seconds for each in found),
        min(each.ours.seconds for each in found),
        found[0].theirs.status,
        tuple(different),
        found[-1].swapped,
        texts[-1],
    )


def _with_all_lines(comparison: Comparison) -> Comparison:
    """Let the program as it is have printed all lines, if those that it did are among them."""
    theirs, ours = comparison.theirs, comparison.ours
    if Counter(theirs.output.splitlines()) <= Counter(ours.output.splitlines()):
        theirs = replace(theirs, output=ours.output)
    return replace(comparison, theirs=theirs)


def _plain(run: Run) -> Run:
    """Leave out times, and what a program keeps for its next run."""
    files = {name: text for name, text in run.files.items() if CACHE not in Path(name).parts}
    return replace(run, output=_VARYING.sub(b"#", run.output), files=files)


__all__ = ["Outcome", "TargetError", "find_version", "measure"]
