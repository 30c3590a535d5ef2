"""With cloudpickle installed, closures, and functions of a `__main__` without a file, go by value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

BESIDE = Path(sys.prefix, "share", "cloudpickle")  # where tools/cloudpickle puts it

CLOSURE = """
from interp_pool import InterpreterPoolExecutor

def adder(n):
    return lambda x: x + n

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex:
        print(list(ex.map(adder(10), range(3))))
"""
RECURSION = """
from interp_pool import InterpreterPoolExecutor

class Pair:
    def __init__(self, left, right):
        self.left, self.right = left, right

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def total(pair):
    return fib(pair.left) + fib(pair.right)

with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(total, Pair(10, 11)).result())
"""


def run(*arguments: str | Path, stdin: str = "", with_cloudpickle: bool = True) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, PYTHONPATH=str(BESIDE) if with_cloudpickle else "")
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def test_closure_in_script_works(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(CLOSURE, "utf-8")
    done = run(script)
    assert (done.stdout, done.stderr) == ("[10, 11, 12]\n", "")


@pytest.mark.parametrize("how", ["-c", "stdin"])
def test_recursion_and_instances_of_main_without_file_work(how: str):
    done = run("-c", RECURSION) if how == "-c" else run("-", stdin=RECURSION)
    assert (done.stdout, done.stderr) == ("144\n", "")


def test_recursion_without_cloudpickle_fails_and_names_it():
    done = run("-c", RECURSION, with_cloudpickle=False)
    assert done.returncode == 1
    assert "install cloudpickle" in done.stderr.splitlines()[-1]
