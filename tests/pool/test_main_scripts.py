"""Functions and classes of `__main__`: guarded, unguarded, -c, stdin, -m."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

GUARDED = """
from interp_pool import InterpreterPoolExecutor

class Point:
    def __init__(self, x):
        self.x = x

class Odd(Exception):
    def __init__(self, number, why):
        super().__init__(number)
        self.why = why

SCALE = 10

def scale(point):
    return Point(point.x * SCALE)

def complain(number):
    raise Odd(number, "because")

def count_loads():
    import sys
    return sum(1 for m in sys.modules.values() if getattr(m, "SCALE", None) == 10)

if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as ex:
        result = ex.submit(scale, Point(4)).result()
        print(type(result) is Point, result.x)
        exc = ex.submit(complain, 3).exception()
        print(type(exc) is Odd, exc.args, exc.why)
        print([p.x for p in ex.map(scale, map(Point, range(4)), chunksize=2)])
    with InterpreterPoolExecutor(1, initializer=scale, initargs=(Point(1),)) as ex:
        print(ex.submit(scale, Point(2)).result().x)
"""
EXPECTED = "True 40\nTrue (3,) because\n[0, 10, 20, 30]\n20\n"


def test_guarded_script_instances_and_exceptions_go_there_and_come_back(tmp_path):
    assert scripts.run_text(tmp_path, GUARDED) == (0, EXPECTED, "")


def test_guarded_module_run_with_m_works_the_same(tmp_path):
    (tmp_path / "guarded_module.py").write_text(GUARDED)
    launcher = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r})\n"
    (tmp_path / "sitecustomize.py").write_text("")
    bootstrap = tmp_path / "boot.py"
    bootstrap.write_text(launcher + "runpy.run_module('guarded_module', run_name='__main__', alter_sys=True)\n")
    assert scripts.run(bootstrap) == (0, EXPECTED, "")


def test_initializer_of_main_runs_again_for_the_next_executor(tmp_path):
    script = """
from interp_pool import InterpreterPoolExecutor
STATE = None
def prepare(value):
    global STATE
    STATE = value
def look():
    return STATE
if __name__ == "__main__":
    for _ in range(2):
        with InterpreterPoolExecutor(1, initializer=prepare, initargs=(5,)) as ex:
            print(ex.submit(look).result())
"""
    assert scripts.run_text(tmp_path, script) == (0, "5\n5\n", "")


def test_unguarded_script_with_stateless_function_works(tmp_path):
    script = """
from interp_pool import InterpreterPoolExecutor
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(lambda x: x + 1, 1).result())
"""
    assert scripts.run_text(tmp_path, script) == (0, "2\n", "")


def test_unguarded_script_with_function_that_needs_main_says_what_to_do(tmp_path):
    script = """
from interp_pool import InterpreterPoolExecutor
SCALE = 10
def scale(x):
    return x * SCALE
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(scale, 1).exception())
"""
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, errors) == (0, "")
    assert 'put the code that starts workers under `if __name__ == "__main__":`' in output


COMMAND = """
from interp_pool import InterpreterPoolExecutor
SCALE = 10
def scale(x): return x * SCALE
def double(x): return x * 2
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(double, 4).result())
    print(ex.submit(scale, 1).exception())
"""
ADVICE = "has no file that a worker could load; define it in a module, or install cloudpickle to send it by value"


def check_command(outcome):
    status, output, errors = outcome
    assert (status, errors) == (0, "")
    first, second = output.splitlines()[:2]
    assert first == "8"
    try:
        import cloudpickle  # noqa: F401
    except ImportError:
        assert ADVICE in second
    else:
        assert second == "None"


def test_command_line_sends_what_needs_nothing_and_advises_otherwise():
    check_command(scripts.run("-c", COMMAND))


def test_standard_input_sends_what_needs_nothing_and_advises_otherwise():
    check_command(scripts.run("-", stdin=COMMAND))
