"""Each program of the table does with ours what it does as it is."""

from __future__ import annotations

import os
import sys

import pytest

from .page import page
from .programs import PROGRAMS, Program
from .running import Outcome, find_version, measure


@pytest.mark.programs
@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program_does_what_it_does_as_it_is(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unbuffered, a line and its end are written one after the other, and what two processes print is mixed.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    if program.package and sys.version_info[:2] != (3, 14):
        pytest.skip("versions are pinned for CPython 3.14")
    if find_version(program.package) is None:
        pytest.skip(f"{program.package} is not installed; tools/compatibility installs it")
    outcome = measure(program, "process")
    assert outcome.status == program.status
    assert not outcome.different, outcome.errors
    assert outcome.has_swapped, outcome.errors
    if not program.needs:
        tasks = outcome.swapped["tasks"]
        assert tasks["interpreters"] > 0
        assert (tasks["processes"], tasks["threads"]) == (0, 0)


def test_page_has_a_row_for_each_outcome() -> None:
    def outcome(*different: str) -> Outcome:
        swapped = {"executors": 1, "pools": 0, "tasks": {"interpreters": 12, "processes": 3}}
        return Outcome(PROGRAMS[0], "1.2", 2.0, 1.0, 0, different, swapped, "")

    text = page([outcome(), outcome("a | b")], "process")
    assert "| `tqdm_map.py` | tqdm 1.2 | yes | 2.00 | 1.00 | 12 | 3 |\n" in text
    assert "| no: a \\| b | 2.00 |" in text
    assert "1 of 2 do the same; 1 of them take less time" in text
    assert "run --fallback process`" in text


def test_names_are_different_and_drivers_are_there() -> None:
    names = [program.name for program in PROGRAMS]
    assert len(set(names)) == len(names)
    drivers = os.listdir(os.path.join(os.path.dirname(__file__), "drivers"))
    used = {program.words[0] for program in PROGRAMS if program.words[0].endswith(".py")}
    assert used == {name for name in drivers if name.endswith(".py")}
