"""The checks of conftest.py, run on tests that leak and on tests that stand still."""

from __future__ import annotations

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


def test_leak_check_tells_each_kind_of_leak_and_nothing_else(tmp_path):
    conftest = (TESTS / "conftest.py").read_text(encoding="utf-8")
    impatient = conftest.replace("STRAGGLER_TIMEOUT = 10.0", "STRAGGLER_TIMEOUT = 1.0")
    (tmp_path / "conftest.py").write_text(impatient, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\nmarkers =\n    leaks\n    conformance\n")
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "test_leaky.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.partition(" - ")[0] for line in run.stdout.splitlines() if line[:5] in {"FAILE", "ERROR"}]
    assert told == [
        "FAILED test_leaky.py::test_fails_and_leaks",
        "ERROR test_leaky.py::test_leaks_interpreter",
        "ERROR test_leaky.py::test_leaks_queue",
        "ERROR test_leaky.py::test_leaks_thread",
        "ERROR test_leaky.py::test_leaks_descriptor",
    ]


def test_subtest_that_stands_still_after_another_has_failed_is_timed_out(tmp_path):
    conftest = (TESTS / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest.replace("AFTERWARDS = 60.0", "AFTERWARDS = 0.2"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\nmarkers =\n    leaks\n    conformance\n")
    (tmp_path / "test_still.py").write_text(STILL)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_still.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.stdout.count("timed out after another failure") >= 2
    assert "4 failed, 1 passed" in run.stdout
