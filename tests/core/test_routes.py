"""Which tasks go to the fallback: a decision about names and pickles."""

from __future__ import annotations

import collections
import json.decoder
import operator
from functools import partial

import pytest

from interp_api import encode_call
from interp_pool._core.routes import Routes
from interp_pool._options.pool_options import PoolOptions
from interp_pool._wire.names import names_of


def leads(routes, function, *args):
    return routes.leads_elsewhere(function, encode_call(function, args, {}))


@pytest.mark.parametrize("pattern", ["json.decoder:py_scanstring", "json.decoder", "json.*", "json.decoder.*"])
def test_pattern_leads_its_functions_elsewhere_and_no_others(pattern):
    routes = Routes(names_of, [pattern])
    assert leads(routes, json.decoder.py_scanstring, "", 1)
    assert not leads(routes, operator.add, 1, 2)


@pytest.mark.parametrize("pattern", ["json", "json.dec", "json.decoder:py", "json:dumps.*", "jso.*"])
def test_pattern_leads_nothing_elsewhere_that_it_does_not_name(pattern):
    assert not leads(Routes(names_of, [pattern]), json.decoder.py_scanstring, "", 1)


def test_module_that_was_learned_leads_functions_and_arguments_of_it_elsewhere():
    routes = Routes(names_of)
    payload = encode_call(json.decoder.JSONDecoder, (), {})
    routes.learn(("json", "json.decoder"), json.decoder.JSONDecoder, payload)
    assert leads(routes, json.decoder.py_scanstring, "", 1)
    assert leads(routes, len, [json.decoder.JSONDecoder])
    assert leads(routes, partial(json.decoder.py_scanstring, ""), 1)
    assert not leads(routes, json.dumps, 1)
    assert not leads(routes, len, [1])


def test_function_is_learned_when_no_name_in_its_pickle_is_to_blame():
    routes = Routes(names_of)
    routes.learn(("somewhere.rebuild()", "refuses"), len, encode_call(len, ([],), {}))
    assert leads(routes, len, "abc")
    assert leads(routes, partial(map, len), [])
    assert not leads(routes, abs, -1)


def test_everything_is_led_elsewhere_once_that_is_said():
    routes = Routes(names_of)
    assert not leads(routes, len, "")
    routes.leads_all = True
    assert leads(routes, len, "")


def test_large_pickles_are_looked_into_as_well():
    routes = Routes(names_of)
    routes.learn(("json.decoder",), json.decoder.JSONDecoder, encode_call(json.decoder.JSONDecoder, (), {}))
    assert leads(routes, len, [[*range(100_000)], json.decoder.JSONDecoder])


class Callable:
    def __call__(self):
        pass

    def method(self):
        pass


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (len, ["builtins:len"]),
        (partial(partial(map, len), [1]), ["builtins:len", "builtins:map"]),
        (collections.OrderedDict, ["collections:OrderedDict"]),
        (Callable(), [f"{__name__}:Callable"]),
        (Callable().method, [f"{__name__}:Callable.method"]),
        ([].append, ["builtins:list.append"]),
    ],
)
def test_names_are_those_of_what_would_be_called(function, names):
    assert [*names_of(function)] == names


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"fallback": "fork"}, ValueError, "fallback must be 'process' or 'thread', got 'fork'"),
        ({"fallback": True}, ValueError, "fallback must be 'process' or 'thread', got True"),
        ({"route": ["a:b"]}, ValueError, "route says what goes to the fallback: give that as well"),
        ({"fallback": "thread", "route": "a:b"}, TypeError, "route must be a list of str, got 'a:b'"),
        ({"fallback": "thread", "route": 3}, TypeError, "route must be a list of str, got 3"),
        ({"fallback": "thread", "route": [len]}, TypeError, "each of route must be a str, got <built-in function len>"),
        ({"fallback": "thread", "route": ["a b"]}, ValueError, r"route must have 'module:function', .*, got 'a b'"),
        ({"fallback": "thread", "route": ["a:"]}, ValueError, r"got 'a:'"),
        ({"fallback": "thread", "route": ["*"]}, ValueError, r"got '\*'"),
        ({"fallback": "thread", "route": ["a:b.*"]}, ValueError, r"got 'a:b\.\*'"),
    ],
)
def test_options_that_name_nothing_are_errors(options, error, text):
    with pytest.raises(error, match=text):
        PoolOptions(**options)


@pytest.mark.parametrize("route", ["a", "a.b", "a.*", "a:b", "a.b:C.d", "a:f.<locals>.g"])
def test_route_may_name_a_function_a_module_or_a_package(route):
    assert PoolOptions(fallback="thread", route=iter([route])).route == (route,)
