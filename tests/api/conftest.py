"""Scripts in processes of their own, threads, and interpreters that are closed in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

import interp_api
from interp_api._wakeup.seats import own_seat

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _seat_of_this_thread():
    """Have it taken before the first leak check: it stays as long as the thread."""
    own_seat()


class Finished:
    """What a process printed and how it ended."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"<status {self.status}>\n{self.out}\n{self.err}"


@pytest.fixture
def run_python():
    """Run Python with arguments in a process of its own, with this interpreter's packages and `tasks`."""

    def run(*arguments, stdin="", timeout=60, **environ):
        environ = {**os.environ, "PYTHONPATH": str(TESTS), **environ}
        command = [sys.executable, "-W", "error", *map(str, arguments)]
        return Finished(
            subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=timeout, env=environ, check=False
            )
        )

    return run


@pytest.fixture
def run_script(run_python, tmp_path):
    """Run a script from a file."""

    def run(source, **options):
        path = tmp_path / "script.py"
        path.write_text(dedent(source))
        return run_python(path, **options)

    return run


@pytest.fixture
def threads():
    """Run calls at the same time."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def thread():
    """Run calls in another thread."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture
def interpreter():
    """Lend an interpreter that finds `tasks`."""
    interpreter = interp_api.create()
    interpreter.exec(f"import sys; sys.path.append({str(TESTS)!r})")
    yield interpreter
    if interpreter in interp_api.list_all():
        interpreter.close()
