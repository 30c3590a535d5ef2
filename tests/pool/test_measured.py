"""What measures interpreters from their start, as coverage does from a `.pth` file, sees all that a worker runs."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

# Runs in each interpreter, before anything else does.
MONITORING = """
import atexit, sys
sys.monitoring.use_tool_id(3, "measuring")
"""
TRACING = """
import sys, threading
def trace(frame, event, arg):
    sys.seen = {*getattr(sys, "seen", ()), frame.f_code.co_name}
    return None
threading.settrace(trace)
threading.setprofile(lambda *args: None)
"""

PROGRAM = """
import sys
from interp_pool import InterpreterPoolExecutor

def prepare():
    pass

def look():
    from interp_api import get_current
    return get_current().id, sys.monitoring.get_tool(3), getattr(sys, "seen", ()), sys.getprofile() is not None

if __name__ == "__main__":
    found = []
    for _ in range(3):
        with InterpreterPoolExecutor(1, initializer=prepare) as executor:
            found.append(executor.submit(look).result())
    print(len({id for id, *_ in found}), {tool for _, tool, *_ in found})
    print(all({"prepare", "look"} <= {*seen} and profiled for *_, seen, profiled in found))
"""


def run(tmp_path, site):
    (tmp_path / "sitecustomize.py").write_text(site)
    (tmp_path / "program.py").write_text(PROGRAM)
    status, out, errors = scripts.run(tmp_path / "program.py", options=(), path=[tmp_path])
    assert (status, errors) == (0, "")
    return out.splitlines()


def test_measured_interpreter_serves_one_executor(tmp_path):
    assert run(tmp_path, MONITORING) == ["3 {'measuring'}", "False"]


def test_thread_of_a_worker_is_traced_like_one_of_threading_from_the_initializer_on(tmp_path):
    assert run(tmp_path, TRACING) == ["3 {None}", "True"]


def test_interpreter_that_nothing_measures_serves_the_next_executor(tmp_path):
    assert run(tmp_path, "") == ["1 {None}", "False"]
