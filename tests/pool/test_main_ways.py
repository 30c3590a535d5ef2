"""However a program is run, workers find its main module as a spawned child does, or where that fails a forked one."""

from __future__ import annotations

import zipapp

import pytest
import scripts

pytestmark = pytest.mark.programs

LOOKUPS = """
import importlib, pickle, sys

def by_importlib(name): return getattr(importlib.import_module("__main__"), name)
def by_sys(name): return getattr(sys.modules["__main__"], name)
def by_pkgutil(name):
    import pkgutil
    return pkgutil.resolve_name("__main__:" + name)
def by_pydoc(name):
    import pydoc
    return pydoc.locate("__main__." + name)
def by_import(name):
    import __main__
    return getattr(__main__, name)
def by_import_from(name):
    from __main__ import plus
    return plus
def after_multiprocessing(name):
    import multiprocessing.pool
    return getattr(sys.modules["__main__"], name)
def by_other_name(name): return getattr(sys.modules["__mp_main__"], name)
def unpickled(data): return pickle.loads(data)
def pickled(name): return pickle.dumps(getattr(sys.modules["__main__"], name))
def same(obj): return obj
def is_main_loaded():
    return "plus" in vars(sys.modules["__main__"])

class Nested:
    def __init__(self, obj): self.obj = obj
    def __getstate__(self): return pickle.dumps(self.obj)
    def __setstate__(self, state): self.obj = pickle.loads(state)
    def __call__(self, *args): return self.obj(*args)

class ByText:
    def __init__(self, text): self.text = text
    def __setstate__(self, state):
        module, name = state["text"].split(":")
        self.function = getattr(importlib.import_module(module), name)
    def __call__(self, *args): return self.function(*args)
"""

MAIN = """
import abc, collections, dataclasses, enum, functools, multiprocessing, pickle, sys, typing
import lookups
from concurrent.futures import ProcessPoolExecutor
from interp_pool import InterpreterPoolExecutor

SCALE = 10
SEEN = []
T = typing.TypeVar("T")
Pair = collections.namedtuple("Pair", "a b")

def helper(x): return x + SCALE
def plus(x): return helper(x)
def look(): return len(SEEN), SCALE
def rebuild(number): return Single(number)

class Color(enum.Enum):
    RED = 1

class Flags(enum.Flag):
    A = 1
    B = 2

@dataclasses.dataclass(frozen=True, order=True, slots=True)
class Record:
    x: int

class Row(typing.NamedTuple):
    a: int
    b: str = "x"

class Box(typing.Generic[T]):
    def __init__(self, value: T): self.value = value
    def __eq__(self, other): return type(other) is Box and other.value == self.value

type Alias[X] = list[X]
BoxOfInt = Box[int]

class Single:
    def __init__(self, number=0): self.number = number
    def __eq__(self, other): return type(other) is Single and other.number == self.number
    def __reduce__(self): return "SINGLE" if self is SINGLE else (rebuild, (self.number,))

SINGLE = Single()

class Meta(abc.ABCMeta): pass
class Made(metaclass=Meta):
    def __eq__(self, other): return type(other) is Made

class Outer:
    class Inner:
        def move(self, x): return x + SCALE
    @classmethod
    def name(cls, x): return cls.__name__, x
    @staticmethod
    def same(x): return x

@functools.cache
def factorial(n): return 1 if n < 2 else n * factorial(n - 1)

@functools.singledispatch
def kind(x): return "any"
@kind.register
def _(x: int): return "int"

class Odd(Exception):
    def __init__(self, number): super().__init__(f"odd {number}", number)
    def __reduce__(self): return Odd, self.args[1:]

def fail(): raise Odd(3)

def __getattr__(name):
    if name == "lazy": return plus
    raise AttributeError(name)

def show(function, *args):
    result = ex.submit(function, *args).result(60)
    print(getattr(result, "__qualname__", result))

def is_same(obj):
    found = ex.submit(lookups.same, obj).result(60)
    return found == obj and type(found) is type(obj)

def main():
    global ex, SCALE
    SEEN.append(1)
    SCALE = 20
    if "processes" in sys.argv:
        ex = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    else:
        ex = InterpreterPoolExecutor(1)
    with ex:
        for name in "importlib sys pkgutil pydoc import import_from".split():
            show(getattr(lookups, "by_" + name), "plus")
        show(lookups.after_multiprocessing, "plus")
        show(lookups.by_other_name, "plus")
        show(plus, 1)
        show(lookups.ByText("__main__:plus"), 1)
        show(lookups.unpickled, pickle.dumps(plus))
        show(lookups.Nested(plus), 1)
        show(lookups.Nested(lookups.Nested(plus)), 2)
        show(lookups.by_sys, "lazy")
        print(pickle.loads(ex.submit(lookups.pickled, "plus").result()) is plus)
        show(look)
        print([*map(is_same, [Color.RED, Flags.A | Flags.B, Record(1), Pair(1, 2), Row(3), Box(4), BoxOfInt, Box])])
        print([*map(is_same, [Alias, T, SINGLE, Single(3), Made(), list[Record], Alias[int]])])
        show(Outer.Inner().move, 1)
        show(Outer.name, 2)
        show(Outer.same, 3)
        show(factorial, 5)
        show(kind, 3)
        print(repr(ex.submit(fail).exception(60)))
"""
GUARD = '\nif __name__ == "__main__":\n    main()\n'
EXPECTED = """
plus plus plus plus plus plus plus plus 11 11 plus 11 12 plus True (0, 10)
[True, True, True, True, True, True, True, True] [True, True, True, True, True, True, True]
11 ('Outer', 2) 3 120 int Odd('odd 3', 3)
"""
RUN = 'import runpy\nif __name__ == "__main__":\n    runpy.{}\n'


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Write the program as a script, a module of a package and the package itself, an archive and a directory."""
    place = tmp_path_factory.mktemp("programs")
    files = {
        "lookups.py": LOOKUPS,
        "script.py": MAIN + GUARD,
        "by_path.py": RUN.format("run_path('script.py', run_name='__main__')"),
        "by_module.py": RUN.format("run_module('package.tool', run_name='__main__', alter_sys=True)"),
        "package/__init__.py": "",
        "package/near.py": "",
        "package/tool.py": "from . import near\n" + MAIN + GUARD,
        "package/__main__.py": "from .near import __name__ as near\n" + MAIN + GUARD,
        "app/__main__.py": MAIN + GUARD,
        "app/lookups.py": LOOKUPS,
        "served/lookups.py": LOOKUPS,
        "served/package/__init__.py": "",
        "served/package/cli.py": "from . import near\nfrom .near import plus\n"
        "from interp_pool import InterpreterPoolExecutor\n"
        "def main():\n    with InterpreterPoolExecutor(1) as ex: print(*ex.map(plus, [1, 2]))\n",
        "served/package/near.py": "SCALE = 10\ndef plus(x): return x + SCALE\n",
    }
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    zipapp.create_archive(place / "app", place / "app.pyz")
    zipapp.create_archive(place / "served", place / "served.pyz", main="package.cli:main")
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        "script.py",
        "script.py processes",
        "-m script",
        "-m package.tool",
        "-m package",
        "by_path.py",
        "by_module.py",
        "app",
        "app.pyz",
        "-i script.py",
    ],
)
def test_everything_of_main_is_found(programs, arguments):
    """The second line is what multiprocessing does itself; it fails for the package, the directory and the archive."""
    status, output, errors = scripts.run(*arguments.split(), cwd=programs, options=(), stdin="")
    assert (status, output.split()) == (0, EXPECTED.split()), errors
    if "-i" not in arguments:
        assert errors == ""


def test_archive_with_an_entry_point_sends_functions_of_its_package(programs):
    assert scripts.run("served.pyz", cwd=programs, options=()) == (0, "11 12\n", "")
