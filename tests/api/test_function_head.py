"""The pickle of a function by reference, put in front of its arguments."""

from __future__ import annotations

import functools
import os.path

import pytest
import tasks

from interp_api import decode
from interp_api._pickling.codec import encode_call
from interp_api._pickling.function_head import function_head


class Place:
    def method(self):
        return 1


@pytest.mark.parametrize("function", [abs, len, os.path.join, tasks.identity])
@pytest.mark.parametrize("args", [(), (1,), ("a", "a", ["a"]), ([1, 2], {"k": (None,)}), tuple(range(300))])
def test_call_is_one_pickle_that_names_its_function(function, args):
    assert function_head(function) is not None
    payload = encode_call(function, args, {})
    assert type(payload) is bytes
    assert decode(payload) == (function, args, {})


def test_arguments_keep_what_they_have_in_common():
    shared = ["shared"]
    _, (first, second), _ = decode(encode_call(tasks.identity, (shared, [shared]), {}))
    assert second[0] is first


def test_keyword_arguments_arrive():
    assert decode(encode_call(sorted, ([2, 1],), {"reverse": True})) == (sorted, ([2, 1],), {"reverse": True})


def local(x):
    return x


@pytest.mark.parametrize(
    "callable_",
    [lambda: 1, [].append, Place().method, functools.partial(abs, -1), int, Place],
    ids=["lambda", "bound builtin", "bound method", "partial", "type", "class"],
)
def test_other_callables_have_no_head(callable_):
    assert function_head(callable_) is None


def test_function_that_its_module_has_under_its_name_no_more_has_no_head(monkeypatch):
    identity = tasks.identity
    monkeypatch.setattr(tasks, "identity", local)
    assert function_head(identity) is None


def test_function_of_main_has_no_head(monkeypatch):
    monkeypatch.setattr(local, "__module__", "__main__")
    assert function_head(local) is None


def test_name_that_is_too_long_has_no_head(monkeypatch):
    monkeypatch.setattr(local, "__qualname__", "x" * 300)
    assert function_head(local) is None


def test_large_arguments_get_the_head_as_well():
    data = b"x" * 100_000
    assert decode(encode_call(len, (data, bytearray(data), [memoryview(data)]), {}))[1][:2] == (data, bytearray(data))
