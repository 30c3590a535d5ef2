"""docs/compatibility.md: how each program compares, as a table."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .running import Outcome

_HEAD = """\
# Programs that use process pools

Each program below ran as it is, and with `python -m interp_pool run{option}`, in a copy of the same folder each time;
its stdout, exit status and files are compared ([how](howto/try-it.md)). Versions are those pinned in the dependency
group `programs` of pyproject.toml. `tools/compatibility` makes this page; times are seconds of the whole program on
{machine}, two workers each, the shortest of all rounds.

| program | version | does the same | as it is | with ours | tasks in interpreters | in processes |
|---|---|---|---|---|---|---|
"""
_TAIL = """
A batch of a map counts as one task. {same} of {all} do the same; {fast} of them take less time than with processes, and
{slow} more than 1.1 times as much. The inputs are small: `run` itself has to load, and a task that goes to a process
was tried in an interpreter first. inspyred makes 141 pools, each of which loads everything anew; the fork server has
the main module loaded.
"""


def page(outcomes: Sequence[Outcome], fallback: str) -> str:
    """Return the page."""
    machine = f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}"
    option = "" if fallback == "none" else f" --fallback {fallback}"
    same = [outcome for outcome in outcomes if not outcome.different]
    fast = sum(outcome.ours < outcome.theirs for outcome in same)
    slow = sum(outcome.ours > 1.1 * outcome.theirs for outcome in same)
    rows = "".join(map(_row, outcomes))
    return (
        _HEAD.format(option=option, machine=machine)
        + rows
        + _TAIL.format(same=len(same), all=len(outcomes), fast=fast, slow=slow)
    )


def _row(outcome: Outcome) -> str:
    tasks = None if outcome.swapped is None else outcome.swapped["tasks"]
    places = ("?", "?") if tasks is None else (f"{tasks['interpreters']:,}", f"{tasks['processes']:,}")
    verdict = "yes" if not outcome.different else f"no: {outcome.different[0].replace('|', chr(92) + '|')}"
    cells = (
        f"`{outcome.program.name}`",
        f"{outcome.program.package or 'CPython'} {outcome.version}",
        verdict,
        f"{outcome.theirs:.2f}",
        f"{outcome.ours:.2f}",
        *places,
    )
    return f"| {' | '.join(cells)} |\n"
