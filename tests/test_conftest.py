"""The checks of conftest.py, run on tests that leak and on tests that stand still."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

TESTS = Path(__file__).parent
LEAKY = """
import os, sys, threading
import _interpqueues, _interpreters, pytest

def test_clean():
    os.close(os.dup(0))

def test_late_thread():
    threading.Thread(target=threading.Event().wait, args=(0.2,)).start()

@pytest.mark.leaks("on purpose")
def test_marked():
    os.dup(0)

def test_leaks_interpreter():
    _interpreters.create()

def test_leaks_queue():
    _interpqueues.create(0, 3, 0) if sys.version_info >= (3, 14) else _interpqueues.create(0, 0, 3)

def test_leaks_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def test_leaks_descriptor():
    os.pipe()

def test_fails_and_leaks():
    os.pipe()
    raise ValueError
"""

STILL = """
import threading

def test_of_three(subtests):
    with subtests.test(1):
        assert False
    for number in 2, 3:
        with subtests.test(number):
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()

def test_that_takes_its_time():
    assert not threading.Event().wait(0.5)
"""

LATE = """
import pytest, sys, threading

del sys._current_frames  # where there are interpreters it crashes

@pytest.mark.timeout(0.2)
def test_that_stands_still():
    threading.Event().wait()
"""

IMPURE = """
import subprocess, sys, threading, time
import _interpreters, pytest
import interp_api

def test_computes():
    pass

def test_starts_a_thread():
    threading.Thread(target=abs, args=(1,)).start()

def test_makes_an_interpreter():
    interp_api.create().close()

def test_makes_an_interpreter_of_the_runtime():
    _interpreters.destroy(_interpreters.create())

def test_starts_a_program():
    subprocess.run([sys.executable, "-c", ""])

def test_pauses():
    time.sleep(0)

def test_hides_the_refusal():
    with pytest.raises(RuntimeError):
        time.sleep(0)
"""


def run_tests(directory, source, file="test_it.py", **constants):
    """Run the tests in a text below the conftest.py, some of whose constants are others; return what it prints."""
    conftest = (TESTS / "conftest.py").read_text(encoding="utf-8")
    for name, value in constants.items():
        conftest = re.sub(rf"^{name} = .*$", f"{name} = {value}", conftest, count=1, flags=re.MULTILINE)
    (directory / "conftest.py").write_text(conftest, encoding="utf-8")
    (directory / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\nmarkers =\n    leaks\n    conformance\n")
    (directory / file).write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", file]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=100).stdout


def test_leak_check_tells_each_kind_of_leak_and_nothing_else(tmp_path):
    printed = run_tests(tmp_path, LEAKY, STRAGGLER_TIMEOUT=1.0)
    told = [line.partition(" - ")[0] for line in printed.splitlines() if line[:5] in {"FAILE", "ERROR"}]
    assert told == [
        "FAILED test_it.py::test_fails_and_leaks",
        "ERROR test_it.py::test_leaks_interpreter",
        "ERROR test_it.py::test_leaks_queue",
        "ERROR test_it.py::test_leaks_thread",
        "ERROR test_it.py::test_leaks_descriptor",
    ]


def test_test_of_a_decision_does_nothing_else(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "conftest.py").write_text((TESTS / "core" / "conftest.py").read_text(encoding="utf-8"))
    printed = run_tests(tmp_path, IMPURE, "core/test_it.py")
    told = [line.partition(" - ")[0].removeprefix("ERROR core/test_it.py::") for line in printed.splitlines()]
    assert [name for name in told if name.startswith("test_")] == [
        "test_starts_a_thread",
        "test_makes_an_interpreter",
        "test_makes_an_interpreter_of_the_runtime",
        "test_starts_a_program",
        "test_pauses",
        "test_hides_the_refusal",
    ]


def test_subtest_that_stands_still_after_another_has_failed_is_timed_out(tmp_path):
    printed = run_tests(tmp_path, STILL, AFTERWARDS=0.2)
    assert printed.count("timed out after another failure") >= 2
    assert "4 failed, 1 passed" in printed


def test_stacks_of_a_test_that_is_timed_out_are_told_without_looking_at_other_interpreters(tmp_path):
    printed = run_tests(tmp_path, LATE)
    assert "in test_that_stands_still" in printed.partition("FAILURES")[0]
    assert "Timeout (>0.2s)" in printed
    assert "1 failed" in printed
