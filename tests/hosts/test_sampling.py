"""What profilers show that look at a running program from outside, as docs/howto/profiling.md says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from sampled import Program, run

pytestmark = pytest.mark.hosts

NEWEST_ONLY = "py-spy has come to show more than one interpreter: docs/howto/profiling.md is out of date"


@pytest.fixture
def py_spy():
    found = Path(sys.executable).with_name("py-spy")
    if not found.exists():
        pytest.skip("the dependency group `hosts` is not installed")
    return found


def test_py_spy_shows_the_task_and_the_name_of_its_thread(tmp_path, py_spy):
    with Program(tmp_path, 1) as program:
        out = run(py_spy, "dump", "--pid", program.pid)
        assert "outer_task (program.py:" in out
        assert '"sampled_0"' in out
        run(py_spy, "record", "--pid", program.pid, "-d", "1", "-f", "raw", "-o", tmp_path / "out.txt")
    assert ";outer_task (program.py:" in (tmp_path / "out.txt").read_text()


def test_py_spy_shows_the_name_of_a_task_that_is_shown(tmp_path, py_spy):
    with Program(tmp_path, 1, "shown") as program:
        assert '"primes"' in run(py_spy, "dump", "--pid", program.pid)


def test_py_spy_shows_one_interpreter_of_several(tmp_path, py_spy):
    with Program(tmp_path, 2) as program:
        assert run(py_spy, "dump", "--pid", program.pid).count("outer_task (program.py:") == 1, NEWEST_ONLY


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("perf") is None, reason="there is no perf")
def test_perf_shows_the_names_of_workers_and_of_tasks_that_are_shown(tmp_path):
    if sys.version_info < (3, 14):
        pytest.skip("threads have no names for the system")
    data = tmp_path / "perf.data"
    for shown, names in ((), {"sampled_0", "sampled_1"}), (("shown",), {"primes"}):
        with Program(tmp_path, 2, *shown) as program:
            run("perf", "record", "-e", "cpu-clock", "-g", "-o", data, "-p", program.pid, "--", "sleep", "0.3")
        out = run("perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "--sort", "comm")
        assert names <= {*out.split()}
