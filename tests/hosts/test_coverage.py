"""Coverage of what runs in workers, by the configuration of docs/howto/coverage.md: the same as without workers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("coverage")

pytestmark = pytest.mark.hosts

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "coverage.md").read_text("utf-8")
(CONFIGURATION,) = re.findall(r"^```ini\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

WORK = """
import asyncio
from functools import cache


def loop(n):
    total = 0
    for i in range(n):
        if i % 2:
            total += i
        else:
            total -= 1
    if n > 100:
        total = "never"
    return total


class Thing:
    def __init__(self, x):
        self.x = x

    def inverse(self):
        try:
            return 1 / self.x
        except ZeroDivisionError:
            return None
        finally:
            self.x = None


def inverse(x):
    return Thing(x).inverse()


def fail(text):
    if text:
        raise ValueError(text)
    return "never"


@cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def generate(n):
    def inner():
        yield from range(n)
        if n > 5:
            yield "never"

    return [*inner()]


def in_a_loop(n):
    async def double():
        await asyncio.sleep(0)
        return n * 2

    return asyncio.run(double())


def in_a_thread(n):
    import threading

    found = []

    def run():
        found.append(n)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found


def prepare():
    global prepared
    prepared = True


def never():
    return "never"
"""

SERIAL = """
import work

if __name__ == "__main__":
    work.prepare()
    print([*map(work.loop, range(8))], [*map(work.inverse, [0, 1])])
    try:
        work.fail("x")
    except ValueError as exc:
        print(exc)
    print(work.fib(9), work.generate(3), work.in_a_loop(2), work.in_a_thread(1))
"""

POOLED = """
import work
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    with InterpreterPoolExecutor(2, initializer=work.prepare) as ex:
        loops = [*ex.map(work.loop, range(8))]
    with InterpreterPoolExecutor(2) as ex:
        print(loops, [*ex.map(work.inverse, [0, 1], chunksize=1)])
        print(ex.submit(work.fail, "x").exception())
    with InterpreterPoolExecutor(1) as ex:
        print(*(ex.submit(*call).result() for call in
            [(work.fib, 9), (work.generate, 3), (work.in_a_loop, 2), (work.in_a_thread, 1)]))
"""

TESTS = """
import work
from interp_pool import InterpreterPoolExecutor

def test_loop():
    with InterpreterPoolExecutor(1) as ex:
        assert ex.submit(work.loop, 3).result() == -1

def test_inverse():
    with InterpreterPoolExecutor(1) as ex:
        assert ex.submit(work.inverse, 0).result() is None
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in (("work", WORK), ("serial", SERIAL), ("pooled", POOLED), ("test_work", TESTS)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def run(folder):
    """Run a module of Python in the folder; return what it prints."""

    def run(*arguments, options=(), says=""):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        if options:  # without site-packages, unless they are named
            environment["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, sys.path)])
            environment["COVERAGE_PROCESS_START"] = str(folder / ".coveragerc")
        done = subprocess.run(
            [sys.executable, *options, "-m", *arguments],
            capture_output=True, text=True, timeout=100, cwd=folder, env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert says in done.stderr if says else done.stderr == "", done.stdout
        return done.stdout

    return run


def run_program(run, folder, program):
    """Run a program under coverage; return what it prints, and what it has executed of work.py."""
    out = run("coverage", "run", f"{program}.py")
    assert len([*folder.glob(".coverage.*")]) >= (1 if program == "serial" else 4)
    run("coverage", "combine", "-q")
    return out.split(), measured(run, folder)


def measured(run, folder):
    """Return what was executed of work.py, and what was not."""
    run("coverage", "json", "-q", "-o", "found.json", "--include=work.py")
    (found,) = json.loads((folder / "found.json").read_text())["files"].values()
    return {name: value for name, value in found.items() if name.endswith(("_lines", "_branches"))}


VARIANTS = {"branches": CONFIGURATION, "lines": CONFIGURATION.replace("branch = true", "core = sysmon")}


@pytest.mark.parametrize("variant", VARIANTS)
def test_workers_cover_what_a_serial_run_covers(run, folder, variant):
    (folder / ".coveragerc").write_text(VARIANTS[variant])
    found = run_program(run, folder, "pooled")
    assert found == run_program(run, folder, "serial")
    missing = found[1]["missing_lines"]
    assert [WORK.splitlines()[line - 1].strip() for line in missing] == [
        'total = "never"', 'return "never"', 'yield "never"', 'return "never"'
    ]  # fmt: skip
    assert ("executed_branches" in found[1]) == (variant == "branches")


def test_processes_of_a_fallback_cover_the_same(run, folder):
    told = CONFIGURATION.replace("trace-changed", "trace-changed, no-data-collected")  # one may get no task
    (folder / ".coveragerc").write_text(told + "concurrency = thread, multiprocessing\n")
    program = re.sub(r"(Executor\(\d)", r"\1, fallback='process', route=['work']", POOLED)
    (folder / "in_processes.py").write_text(program)
    assert run_program(run, folder, "in_processes") == run_program(run, folder, "serial")


def test_initializer_covers_the_same_where_no_pth_file_is_read(run, folder):
    (program,) = re.findall(r"^```py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "initialized.py").write_text(program)
    (folder / "loops.py").write_text("import work\nprint(*map(work.loop, range(8)))\n")
    (folder / ".coveragerc").write_text("[run]\nparallel = true\ndisable_warnings = no-ctracer, trace-changed\n")
    found = []
    for name, files in (("initialized", 3), ("loops", 1)):
        out = run("coverage", "run", f"{name}.py", options=["-S"], says="coverage.tracer" if files > 1 else "")
        assert len([*folder.glob(".coverage.*")]) == files
        run("coverage", "combine", "-q")
        found.append((out, measured(run, folder)))
    assert found[0] == found[1]


def test_pytest_cov_has_the_data_of_workers_when_it_reports(run, folder):
    pytest.importorskip("pytest_cov")
    (folder / ".coveragerc").write_text(CONFIGURATION)
    run("pytest", "-q", "--cov=work", "--cov-report=json:found.json", "-p", "no:cacheprovider", "test_work.py")
    (found,) = json.loads((folder / "found.json").read_text())["files"].values()
    lines = [WORK.splitlines()[line - 1].strip() for line in found["executed_lines"]]
    assert "total += i" in lines
    assert "except ZeroDivisionError:" in lines
    assert "yield from range(n)" not in lines
