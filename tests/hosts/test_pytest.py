"""pytest: its capture of descriptors sees what tasks print, and pytest-xdist runs tests that use executors."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.hosts

TESTS = """
import os
import sys

import pytest

from interp_api import get_current
from interp_pool import InterpreterPoolExecutor


def say(text):
    print(text, flush=True)
    print(text, file=sys.stderr, flush=True)
    return os.getpid(), get_current().id


def fail():
    raise KeyError("told")


@pytest.fixture(scope="session")
def shared():
    with InterpreterPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="session")
def left_open():
    return InterpreterPoolExecutor(1)


def test_capfd_sees_what_tasks_print(capfd):
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(say, "from a task").result()[0] == os.getpid()
        assert capfd.readouterr() == ("from a task\\n",) * 2
        executor.submit(print, "not flushed").result()
    assert capfd.readouterr().out == "not flushed\\n"


def test_capfd_that_is_disabled_lets_it_through(capfd, shared):
    with capfd.disabled():
        shared.submit(say, "let through").result()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", range(6))
def test_numbers(number, shared, left_open):
    assert list(shared.map(pow, range(50), [2] * 50)) == [n * n for n in range(50)]
    pid, interpreter = left_open.submit(say, f"number {number}").result()
    assert pid == os.getpid()
    assert interpreter != get_current().id


def test_error_of_a_task_is_told(shared):
    shared.submit(fail).result()
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on those tests; return what it prints."""
    (tmp_path / "test_tasks.py").write_text(TESTS)

    def run(*arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # each of them takes its time
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments],
            capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip
        assert (done.returncode, re.sub(r"let through\n|number \d\n", "", done.stderr)) == (1, ""), done
        assert re.search(r"\b1 failed, 8 passed\b", done.stdout), done.stdout
        return done.stdout

    return run


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_capture_and_report(run, mode):
    out = run(f"--import-mode={mode}")
    assert "let through\n" in out
    assert "from a task" not in out
    assert "number 3" not in out
    assert "KeyError: 'told'" in out


@pytest.mark.parametrize("options", [(), ("-s", "--dist=loadfile", "--import-mode=importlib")])
def test_xdist_runs_tests_that_use_executors(run, options):
    """The standard output of its processes is what they talk to it with: what tasks print must not get there."""
    pytest.importorskip("xdist")
    assert "KeyError: 'told'" in run("-p", "xdist", "-n2", *options)
