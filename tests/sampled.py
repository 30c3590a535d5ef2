"""A program that profilers look into from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Its tasks tell when they run, and are stopped when the standard input ends.
PROGRAM = """
import os, sys
from interp_pool import InterpreterPoolExecutor

def inner_step(n):
    return n + 1

def outer_task(told):
    os.write(told, b"x")
    while True:
        inner_step(1)

if __name__ == "__main__":
    workers = int(sys.argv[1])
    with InterpreterPoolExecutor(workers, thread_name_prefix="sampled") as ex:
        view = ex.options(name="primes", show_name=True) if sys.argv[2:] else ex
        futures = [view.submit(outer_task, 1) for _ in range(workers)]
        sys.stdin.read()
        for future in futures:
            future.interrupt()
"""


class Program:
    """The program, while each of its workers is in `outer_task`, which may be shown as "primes"."""

    def __init__(self, folder, workers, *shown):
        script = folder / "program.py"
        script.write_text(PROGRAM)
        self._workers = workers
        self._process = subprocess.Popen(
            [sys.executable, script, str(workers), *shown], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pid = self._process.pid

    def __enter__(self):
        assert len(self._process.stdout.read(self._workers)) == self._workers
        return self

    def __exit__(self, *exc_info):
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def run(*arguments):
    """Run what looks into another process; return what it prints."""
    for _ in range(20):
        done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
        if "Failed to parse initial frame" not in done.stderr:  # the program goes on while its memory is read
            break
    if done.returncode and "ermission" in done.stderr:
        pytest.skip(f"no right to look into another process: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout
