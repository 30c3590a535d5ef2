"""With cloudpickle installed, closures, and functions of a `__main__` without a file, go by value."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

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


def run(*arguments, stdin: str = "", with_cloudpickle: bool = True):
    return scripts.run(*arguments, stdin=stdin, options=(), path=[scripts.CLOUDPICKLE] if with_cloudpickle else ["."])


def test_closure_in_script_works(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CLOSURE, "utf-8")
    assert run(script) == (0, "[10, 11, 12]\n", "")


@pytest.mark.parametrize("how", ["-c", "stdin"])
def test_recursion_and_instances_of_main_without_file_work(how):
    assert (run("-c", RECURSION) if how == "-c" else run("-", stdin=RECURSION)) == (0, "144\n", "")


def test_recursion_without_cloudpickle_fails_and_names_it():
    status, _, errors = run("-c", RECURSION, with_cloudpickle=False)
    assert status == 1
    assert "install cloudpickle" in errors.splitlines()[-1]


# What a main module defines before its guard, in its place or behind it. `show` tells errors apart from results.
DEFINITIONS = """
import collections, dataclasses, enum, functools, sys, typing
from interp_pool import InterpreterPoolExecutor

SCALE = 10
STATE = None
COUNT = 0
T = typing.TypeVar("T")
type Alias = list[int]

class Color(enum.Enum):
    RED = 1

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(other) is Point and other.x == self.x
    def move(self, by):
        return Point(self.x + by * SCALE)

@dataclasses.dataclass
class Record(typing.Generic[T]):
    x: T

Pair = collections.namedtuple("Pair", "a b")

class Odd(Exception):
    def __init__(self, number, why):
        super().__init__(number)
        self.why = why

def helper(x): return x + SCALE
def plus(x): return helper(x)
def is_same(color): return color is Color.RED and isinstance(Point(1), Point)
def fail(): raise Odd(1, "why")
def read(): return STATE

def prepare(value):
    global STATE
    STATE = value

def count():
    global COUNT
    COUNT += 1
    return COUNT

@functools.cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)

def wrap(function):
    @functools.wraps(function)
    def inner(*args): return function(*args) + 1
    return inner

@wrap
def wrapped(x): return helper(x)

def show(function, *args):
    try:
        print(ex.submit(function, *args).result())
    except Exception as exc:
        print(repr(exc))
"""
USES = """
    class Late:
        def __init__(self, x): self.x = x + SCALE
    def late(x): return plus(x) + 1
    late_pair = collections.namedtuple("late_pair", "a b")
    with InterpreterPoolExecutor(1, initializer=prepare, initargs=(5,)) as ex:
        show(plus, 1)
        show(lambda x: plus(x), 2)
        print(*ex.map(lambda x: plus(x), range(3)))
        print(ex.submit(Point(1).move, 2).result() == Point(21))
        show(lambda point: point.move(2) == Point(21), Point(1))
        show(is_same, Color.RED)
        show(lambda color: is_same(color), Color.RED)
        print(ex.submit(lambda: Color.RED).result() is Color.RED)
        print(ex.submit(Record, 3).result() == Record(3), ex.submit(Pair, 3, 4).result() == Pair(3, 4))
        show(isinstance, 1, T.__bound__ or int)
        odd = ex.submit(fail).exception()
        print(type(odd) is Odd, odd.args, odd.why)
        show(fib, 30)
        show(wrapped, 1)
        show(functools.partial(plus, 3))
        print(ex.submit(lambda: (lambda: plus(3))).result()())
        show(late, 1)
        show(lambda x: late(x), 1)
        print(ex.submit(Late, 1).result().x, ex.submit(late_pair, 1, 2).result().b)
        show(read)
        show(lambda: read())
        show(count)
        show(count)
    print(STATE, COUNT)
    with InterpreterPoolExecutor(1) as ex:
        show(read)
        show(count)
"""
SHOWN = """
11 12 10 11 12 True True True True True True True True True (1,) why 832040 12 13 13 12 12 11 2 5 5 1 2 None 0 None 1
"""


@pytest.mark.parametrize("how", ["guarded", "unguarded", "-c", "stdin"])
def test_what_main_defines_works_wherever_it_is(tmp_path, how):
    """With a guard it is the worker's own main module that tasks use, otherwise one namespace of what was sent."""
    text = DEFINITIONS + ('if __name__ == "__main__":' if how == "guarded" else "if True:") + USES
    if how in ("guarded", "unguarded"):
        script = tmp_path / "script.py"
        script.write_text(text, "utf-8")
        outcome = run(script)
    else:
        outcome = run("-c", text) if how == "-c" else run("-", stdin=text)
    assert (outcome[0], outcome[1].split(), outcome[2]) == (0, SHOWN.split(), "")


def test_value_that_the_program_has_assigned_since_is_seen(tmp_path):
    status, output, errors = run(
        "-c",
        "from interp_pool import InterpreterPoolExecutor\n"
        "def scale(x): return x * SCALE\n"
        "with InterpreterPoolExecutor(1) as ex:\n"
        "    for SCALE in (2, 3): print(ex.submit(scale, 5).result())\n",
    )
    assert (status, output, errors) == (0, "10\n15\n", "")
