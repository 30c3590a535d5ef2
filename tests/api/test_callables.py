"""Which functions go by value, and what they are at the other end."""

from __future__ import annotations

import sys
import types

import pytest
import tasks

from interp_api import NotShareableError, decode, encode
from interp_api._pickling.functions import by_value, find_reference, reduce_stateless

LIMIT = 3


def uses_global(x):
    return x + LIMIT


def shadowed(items):
    return sum(items)


def with_nested(x):
    def inner(y):
        return x + y

    return inner(1)


def nested_uses_global():
    return lambda: LIMIT


def with_defaults(x, y=2, *, z=("a",)):
    return x, y, z


def plain_defaults(x, y=2, *, z="a"):
    return x, y, z


def reads_name():
    return __name__


def closure():
    x = 1
    return lambda: x


def is_stateless(function):
    return reduce_stateless(function) is not None


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: None, True),
        (lambda items: max(len(item) for item in items), True),
        (with_nested, True),
        (plain_defaults, True),
        (uses_global, False),
        (nested_uses_global, False),
        (with_defaults, False),
        (reads_name, False),
        (closure(), False),
    ],
)
def test_stateless_functions_are_those_that_need_only_builtins(function, expected):
    assert is_stateless(function) is expected


def test_global_that_hides_a_builtin_makes_a_function_stateful(monkeypatch):
    assert is_stateless(shadowed)
    monkeypatch.setitem(globals(), "sum", lambda items: "ours")
    assert not is_stateless(shadowed)


def test_function_that_was_given_another_body_is_looked_at_anew():
    def function():
        return 1

    assert is_stateless(function)
    function.__code__ = uses_global.__code__
    assert not is_stateless(function)


def test_function_with_attributes_is_stateful():
    function = types.FunctionType((lambda: 1).__code__, {})
    assert is_stateless(function)
    function.cache = {}
    assert not is_stateless(function)


def test_lambda_and_local_function_go_by_value(interpreter):
    def local(x, y=2, *, z=3):
        return [x, y, z]

    assert interpreter.call(lambda x: x + 1, 2) == 3
    assert interpreter.call(local, 1, z=5) == [1, 2, 5]
    assert interpreter.call(tasks.apply, [local], 1) == [1, 2, 3]


def test_function_keeps_name_defaults_and_runs_in_main(interpreter):
    def local(a, b=1, *, c="c"):
        return sorted(globals())

    [got] = decode(encode([local], share=True))
    assert (got.__name__, got.__qualname__) == (local.__name__, local.__qualname__)
    assert (got.__defaults__, got.__kwdefaults__) == ((1,), {"c": "c"})
    interpreter.exec("marker = 1")
    assert "marker" in interpreter.call(local, 0)


def test_closure_is_refused_with_the_reason(interpreter, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(NotShareableError, match=r"cannot send <function closure.<locals>.<lambda> at .* arguments: "):
        interpreter.call(closure())


def test_cloudpickle_helps_where_it_is_installed(interpreter):
    pytest.importorskip("cloudpickle")
    assert interpreter.call(closure()) == 1


def test_reference_is_found_by_name_only():
    assert find_reference(tasks.add) == "tasks"
    assert find_reference(lambda: None) is None


def test_one_that_looks_into_its_namespace_goes_by_reference_if_its_main_can_be_loaded(monkeypatch):
    def function():
        return globals()

    from interp_api._pickling import functions

    monkeypatch.setattr(functions, "main_spec", lambda: ("path", "script.py"))
    assert by_value(function) is function
    monkeypatch.setattr(functions, "main_spec", lambda: None)
    assert by_value(function) is not function
    assert by_value(len) is len
