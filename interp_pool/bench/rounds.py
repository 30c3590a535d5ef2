"""Run measurements in rounds, each in a child process of its own.

This file owns the order of measurements and the life of the children. It must not know what is measured. Invariants:
in each round every cell runs once, and peers are measured one after another so that slow changes of the machine reach
all of them alike; a cell that fails is an outcome like any other; no child, nor a child's child, outlives its cell.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO

from interp_pool._commands.children import end_with_group
from interp_pool._commands.interrupts import interrupts_deferred

__all__ = ["Cell", "Outcome", "arrange", "mark_differences", "run_cell"]

_TIMEOUT = 120.0  # seconds: ten times what the slowest cell takes here, which is the standard library's bytearray
_SOAK_TIMEOUT = 3600.0
_REASON_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement of one peer: what a child process does."""

    peer: str
    measure: str
    workers: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell in one round.

    Attributes:
        cell: What was measured.
        round: In which round, from 1.
        value: The number; None when there is none.
        error: Why there is none, one line.
        check: A checksum of a workload's results.
        is_failure: Whether something went wrong; else the number cannot be had on this system.
        details: Other numbers that the measure found, by name.
    """

    cell: Cell
    round: int
    value: float | None = None
    error: str | None = None
    check: int | None = None
    is_failure: bool = False
    details: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_record(self) -> dict[str, object]:
        """Return it as one flat mapping, for a file."""
        record: dict[str, object] = {"round": self.round, **asdict(self.cell)}
        record |= {"value": self.value} if self.error is None else {"error": self.error}
        return record | ({"details": dict(self.details)} if self.details else {})


def arrange(cells: Sequence[Cell], rounds: int) -> Iterator[tuple[int, Cell]]:
    """Yield every cell once for each round, with the round's number.

    Cells of one measure stay together, in the order of their peers, which starts with another peer in each round: a
    peer shall not always run after the same other one.

    Args:
        cells: What to measure.
        rounds: How often.
    """
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.measure, cell.workers), []).append(cell)
    for number in range(1, rounds + 1):
        for group in groups.values():
            first = (number - 1) % len(group)
            for cell in group[first:] + group[:first]:
                yield number, cell


def run_cell(cell: Cell, number: int, *, is_quick: bool = False, timeout: float | None = None) -> Outcome:
    """Measure in a child process.

    Args:
        cell: What to measure.
        number: The round.
        is_quick: Whether a rough number will do.
        timeout: Seconds after which the child is killed; None means two minutes, or an hour for a soak.

    Blocks:
        Until the child and all its processes are gone; on an exception, such as KeyboardInterrupt, they are killed.
    """
    if timeout is None:
        timeout = _SOAK_TIMEOUT if cell.measure == "memory_soak" else _TIMEOUT
    flags = ["-P"] if sys.flags.safe_path else []
    command = [sys.executable, *flags, "-m", f"{__package__}.cell", cell.peer, cell.measure, str(cell.workers)]
    if is_quick:
        command.append("--quick")
    # Files, not pipes: a grandchild that hangs would keep a pipe open, and the parent reading.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # A session of its own: the terminal's Ctrl-C reaches only this process, which then ends the whole group.
        child = None
        try:
            with interrupts_deferred():  # else one could come when the child has begun and is not known here
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                    env=_environment(),
                )
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            return Outcome(cell, number, error=f"no result after {timeout:g} s", is_failure=True)
        finally:
            if child is not None:
                end_with_group(child)
        return _read(cell, number, status, _text(out), _text(err))


def mark_differences(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the outcomes with those as failed that computed something else than the first of their measure."""
    expected: dict[str, int] = {}
    checked: list[Outcome] = []
    for outcome in outcomes:
        if outcome.check is not None and expected.setdefault(outcome.cell.measure, outcome.check) != outcome.check:
            text = "its results differ from those of the first run"
            checked.append(Outcome(outcome.cell, outcome.round, error=text, is_failure=True))
        else:
            checked.append(outcome)
    return checked


def _environment() -> dict[str, str]:
    """Return this process's, with bytecode files allowed: without them each start of a worker pays for compilation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _read(cell: Cell, number: int, status: int, out: str, err: str) -> Outcome:
    if status == 0:
        try:
            result = json.loads(out.splitlines()[-1])
            if "error" in result:
                return Outcome(cell, number, error=str(result["error"])[:_REASON_LIMIT], is_failure=True)
            if "unmeasurable" in result:
                return Outcome(cell, number, error=result["unmeasurable"])
            return Outcome(
                cell, number, float(result["value"]), check=result.get("check"), details=result.get("details", {})
            )
        except (IndexError, KeyError, TypeError, ValueError):
            return Outcome(cell, number, error="it ended without a result", is_failure=True)
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    end = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return Outcome(cell, number, error=lines[-1][:_REASON_LIMIT] if lines else end, is_failure=True)
