"""What no worker finds by its name: each kind with a call that needs it, and what it gives."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import functools
import sys
import types
import typing

SCALE = 10


def apply(function, *args):
    return function(*args)


def consume(function, *args):
    return list(function(*args))


def first(nested):
    return nested["k"][0](3)


def has_cloudpickle():
    return "cloudpickle" in sys.modules


def make_adder(number):
    def add(value):
        return value + number

    return add


def wrap(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args) + 1

    return inner


def make_class():
    class Local:
        def __init__(self, x):
            self.x = x

        def add(self, y):
            return self.x + y

        @classmethod
        def make(cls, x):
            return cls(x).x

        def __call__(self, y):
            return self.x * y

        def __eq__(self, other):
            return type(other) is Local and other.x == self.x

        __hash__ = None

        @property
        def own(self):
            return self.x

    return Local


def make_recursive():
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    return factorial


def make_cached():
    @functools.lru_cache(maxsize=50)
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci


def make_generator_function():
    count = 3

    def numbers(start):
        yield from range(start, start + count)

    return numbers


def make_one_with_other_globals():
    return types.FunctionType((lambda x: x + OFFSET).__code__, {"OFFSET": 7, "__name__": "elsewhere"}, "other")  # noqa: F821


def make_default():
    number = 4

    def call(x, function=lambda y: y + number):
        return function(x)

    return call


def make_one_with_attributes():
    def add(x):
        return x + add.more

    add.more = 5
    return add


def make_counter():
    count = 0

    def increase(by):
        nonlocal count
        count += by
        return count

    return increase


def make_coroutine_function():
    number = 1

    async def add(x):
        return x + number

    return lambda x: asyncio.run(add(x))


def make_enum():
    class Color(enum.Enum):
        RED = 1

    return Color


def make_dataclass():
    @dataclasses.dataclass
    class Record:
        x: int
        y: int = 2

    return Record


def fail_locally():
    class Odd(Exception):
        pass

    raise Odd("odd text")


def make_kinds():
    """Return functions with their arguments and results by the kind that they are of."""
    local, color, record = make_class(), make_enum(), make_dataclass()
    pair = collections.namedtuple("pair", "a b")  # noqa: PYI024
    return {
        "lambda that reads a global": (lambda x: x * SCALE, (2,), 20),
        "closure": (make_adder(1), (2,), 3),
        "recursive local function": (make_recursive(), (5,), 120),
        "cached recursive local function": (make_cached(), (30,), 832040),
        "partial": (functools.partial(make_adder(1), 2), (), 3),
        "bound method of a local class": (local(3).add, (4,), 7),
        "class method of a local class": (local.make, (4,), 4),
        "instance that can be called": (local(3), (4,), 12),
        "property of an instance": (getattr, (local(1), "own"), 1),
        "local class": (local, (4,), local(4)),
        "wrapped closure": (wrap(lambda x: x), (4,), 5),
        "generator function": (consume, (make_generator_function(), 2), [2, 3, 4]),
        "other globals": (make_one_with_other_globals(), (1,), 8),
        "closure in a default argument": (make_default(), (1,), 5),
        "attributes": (make_one_with_attributes(), (1,), 6),
        "nonlocal": (make_counter(), (2,), 2),
        "coroutine function": (make_coroutine_function(), (1,), 2),
        "local enum": (apply, (lambda c: c, color.RED), color.RED),
        "local enum's member": (getattr, (color.RED, "value"), 1),
        "local dataclass": (record, (1,), record(1)),
        "local named tuple": (pair, (1, 2), pair(1, 2)),
        "in containers": (first, ({"k": [make_adder(3)]},), 6),
        "module": (getattr, (types, "__name__"), "types"),
        "type variable": (str, (typing.TypeVar("Unknown"),), "~Unknown"),
        "view of a dict": (len, ({1: 2}.keys(),), 1),
    }


def return_local(_=None):
    return {"a": [make_adder(1)]}
