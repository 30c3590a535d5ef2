"""Functions of doctests, of modules that pytest imported, and of an interactive session."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import scripts

pytestmark = pytest.mark.programs

DOCTEST = '''
"""A module with examples.

>>> from interp_pool import InterpreterPoolExecutor
>>> ex = InterpreterPoolExecutor(1)
>>> list(ex.map(plus, [1, 2]))
[11, 12]
>>> ex.submit(Point, 3).result() == Point(3)
True
>>> def double(x): return 2 * x
>>> ex.submit(double, 4).result()
8
>>> K = 5
>>> def needs(x): return plus(x) + K
>>> ex.submit(needs, 1).result()
16
>>> class Late:
...     def __init__(self, x): self.x = x
>>> ex.submit(Late, 3).result().x
3
>>> ex.submit(lambda x: x * SCALE, 2).result()
20
>>> ex.shutdown()
"""
SCALE = 10
def plus(x): return x + SCALE
class Point:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(other) is Point and other.x == self.x
'''
RUN_DOCTEST = """
if __name__ == "__main__":
    import doctest
    print(doctest.testmod())
"""
WITH_CLOUDPICKLE = [scripts.CLOUDPICKLE]


def write(tmp_path, files):
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")


def test_doctests_send_functions_of_the_module_and_with_cloudpickle_their_own(tmp_path):
    write(tmp_path, {"checked.py": DOCTEST + RUN_DOCTEST})
    checked = tmp_path / "checked.py"
    for arguments, told in ((["-m", "doctest", checked], ""), ([checked], "TestResults(failed=0, attempted=13)\n")):
        assert scripts.run(*arguments, options=(), path=WITH_CLOUDPICKLE) == (0, told, "")
    _, output, errors = scripts.run(checked, options=())
    assert errors == ""
    assert "TestResults(failed=3, attempted=13)" in output
    told = [line for line in output.splitlines() if "TaskPicklingError: " in line]
    assert len(told) == 3
    assert all(line.endswith("or install cloudpickle to send it by value") for line in told)


TESTED = """
import sys
import pytest
from . import near

SCALE = 10
def plus(x): return x + SCALE + near.ONE
def whole(): return len(sys.modules["__main__"].__name__)

class Point:
    def __init__(self, x): self.x = x
    def move(self, by): return Point(self.x + by)
    def __eq__(self, other): return type(other) is Point and other.x == self.x

class Odd(Exception): pass
def fail(): raise Odd(3)

class TestSending:
    @staticmethod
    def own(x): return plus(x)

    def test_all(self, pool, request):
        assert list(pool.map(plus, [1, 2])) == [12, 13]
        assert pool.submit(Point(1).move, 2).result() == Point(3)
        assert pool.submit(self.own, 1).result() == 12
        assert pool.submit(lambda x: x + 1, 1).result() == 2
        with pytest.raises(Odd):
            pool.submit(fail).result()
        (conftest,) = [m for m in sys.modules.values() if hasattr(m, "of_conftest")]
        assert pool.submit(conftest.of_conftest, 1).result() == 3
"""
CONFTEST = """
import pytest
from interp_pool import InterpreterPoolExecutor

def of_conftest(x): return x + TWO
TWO = 2

@pytest.fixture
def pool():
    with InterpreterPoolExecutor(1) as ex: yield ex
"""


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_functions_of_test_modules_are_found_however_pytest_imports_them(tmp_path, mode):
    """Under importlib the modules are on no path: a forked child has them, and a spawned one does not."""
    files = {"__init__.py": "", "conftest.py": CONFTEST, "near.py": "ONE = 1\n", "test_it.py": TESTED}
    write(tmp_path, {f"checks/{name}": text for name, text in files.items()})
    arguments = (
        "-m",
        "pytest",
        "-qp",
        "no:cacheprovider",
        "--disable-plugin-autoload",
        f"--import-mode={mode}",
        tmp_path / "checks",
    )
    status, output, _ = scripts.run(*arguments, cwd="/" if os.name == "posix" else tmp_path, options=())
    assert status == 0, output
    assert "1 passed" in output


SESSION = """
H = 7
def h(x): return g(x) + H

class A:
    def __init__(self, x): self.x = x

ex = InterpreterPoolExecutor(1)
print(ex.submit(h, 1).exception() or ex.submit(h, 1).result())
print(ex.submit(lambda x: x + H, 1).exception() or ex.submit(lambda x: x + H, 1).result())
print(ex.submit(A, 3).exception() or ex.submit(A, 3).result().x)
print(ex.submit(g, 2).result())
ex.shutdown()
"""
SCRIPT = """
from interp_pool import InterpreterPoolExecutor
G = 5
def g(x): return x + G
if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex: print(ex.submit(g, 1).result())
"""


def test_session_after_a_script_sends_what_was_typed(tmp_path):
    write(tmp_path, {"script.py": SCRIPT})
    arguments = ("-i", tmp_path / "script.py")
    status, output, _ = scripts.run(*arguments, stdin=SESSION, options=(), path=WITH_CLOUDPICKLE)
    assert (status, output.split()) == (0, ["6", "13", "8", "3", "7"])
    status, output, _ = scripts.run(*arguments, stdin=SESSION, options=())
    first, *errors, last = output.splitlines()
    assert (status, first, last) == (0, "6", "7")
    assert [text.rpartition(" or ")[2] for text in errors] == ["install cloudpickle to send it by value"] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
@pytest.mark.parametrize("basic", ["", "1"], ids=["new prompt", "basic prompt"])
def test_prompt_sends_what_was_typed(tmp_path, basic):
    import pty

    own, its = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(scripts.CLOUDPICKLE), "PYTHON_BASIC_REPL": basic, "TERM": "xterm"}
    environment["PYTHON_HISTORY"] = str(tmp_path / "history")
    process = subprocess.Popen([sys.executable, "-q"], stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    told = b""
    try:
        lines = "from interp_pool import *", "H = 7", "ex = InterpreterPoolExecutor(1)", "f = lambda x: x + H"
        for line in (*lines, "print('THE' + 'SUM', ex.submit(f, 1).result())", "ex.shutdown(); raise SystemExit"):
            while b">>> " not in told:
                told += os.read(own, 4096)
            told = told.replace(b">>> ", b"") if line is lines[0] else told
            os.write(own, line.encode() + b"\r")
        while chunk := _read(own):
            told += chunk
        assert process.wait(60) == 0
        assert b"THESUM 8" in told
    finally:
        process.kill()
        process.wait()
        os.close(own)


def _read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed (Linux)
        return b""


LOADED = """
import lookups
from interp_pool import InterpreterPoolExecutor

SCALE = 10
def plus(x): return x + SCALE

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex:
        print(ex.submit(pow, 2, 3).result(), ex.submit(lambda x: x, 4).result(), flush=True)
        print(ex.submit(lookups.is_here).result(), flush=True)
        print(ex.submit(lookups.find, "plus").result()(1), ex.submit(lookups.is_here).result())
        print(ex.submit(lookups.find, "missing").exception())
else:
    print("loaded", flush=True)
"""
LOOKUPS = """
import sys
def find(name): return getattr(sys.modules["__main__"], name)
def is_here(): return "plus" in vars(sys.modules["__main__"])
"""


def test_main_is_loaded_by_who_needs_it_and_nobody_else(tmp_path):
    """A package's main module is not loaded ahead, but by who looks into `__main__` for a name that is not there."""
    write(tmp_path, {"lookups.py": LOOKUPS, "package/__init__.py": "", "package/__main__.py": LOADED})
    write(tmp_path, {"script.py": LOADED})
    last = ["11 True", "module '__mp_main__' has no attribute 'missing'"]
    status, output, errors = scripts.run("-m", "package", cwd=tmp_path, options=())
    assert (status, errors, output.splitlines()) == (0, "", ["8 4", "False", "loaded", *last])
    status, output, errors = scripts.run("script.py", cwd=tmp_path, options=())
    assert (status, errors, output.splitlines()) == (0, "", ["8 4", "loaded", "True", *last])
