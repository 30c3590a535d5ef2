"""Which context variables can go along with tasks, and what is taken of them: without a worker."""

from __future__ import annotations

import decimal
import functools
import sys
import types
import warnings
from contextvars import Context, ContextVar

import context_tasks
import pytest

from interp_api import decode, encode_call
from interp_pool import InterpreterPoolExecutor, TaskPicklingError
from interp_pool._core.task import name_task
from interp_pool._options import variables
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._options.variables import check_context, place_of
from interp_pool._seeing.carrying import Carried
from interp_pool._wire.names import names_of
from interp_pool._worker.carried import declared


@pytest.fixture
def said(caplog):
    """Give a function that returns what was logged, and have nothing be said before."""
    variables._told.clear()
    yield lambda: [record.getMessage() for record in caplog.records]
    variables._told.clear()


@pytest.fixture
def module():
    """Give a module that is there for a test."""
    made = sys.modules["made_module"] = types.ModuleType("made_module")
    yield made
    del sys.modules["made_module"]


def received(carried, function, *args):
    """Call a function as it arrives."""
    sent, args, kwargs = decode(encode_call(carried.around(function), args, {}))
    return sent(*args, **kwargs)


@pytest.mark.parametrize("value", ["user", "ALL", context_tasks.user, 5, None, [1], [context_tasks.user, "x"]])
def test_what_is_no_list_of_variables_is_refused_at_once(value):
    with pytest.raises(TypeError, match=r"^context must be 'all' or a list of contextvars.ContextVar, got "):
        check_context("context", value)


def test_option_of_a_task_and_of_an_executor_is_checked_at_once():
    with pytest.raises(TypeError, match="context must be"):
        NO_OPTIONS.replace({"context": "user"})
    with pytest.raises(TypeError, match="context must be"):
        InterpreterPoolExecutor(context=[1])


def test_variable_that_no_module_names_is_refused_at_once():
    with pytest.raises(ValueError, match=r"context variable 'nameless': .* bind it at the top level of a module"):
        check_context("context", [ContextVar("nameless")])


def test_each_variable_is_declared_once():
    assert check_context("context", iter([context_tasks.user] * 2)) == (context_tasks.user,)
    assert check_context("context", []) == ()
    assert check_context("context", "all") == "all"


def test_variable_is_found_in_a_module_a_class_and_a_dict():
    assert place_of(context_tasks.user) == ("context_tasks", "user", None)
    assert place_of(context_tasks.Held.number) == ("context_tasks", "Held.number", None)
    context_tasks.made_as_we_go["key"] = own = ContextVar("own")
    assert place_of(own) == ("context_tasks", "made_as_we_go", "key")
    del context_tasks.made_as_we_go["key"]
    assert place_of(own) is None


def test_variable_is_found_once_a_module_names_it(module):
    own = ContextVar("own")
    assert place_of(own) is None
    sys.modules["another_module"] = another = types.ModuleType("another_module")
    another.own = own
    assert place_of(own) == ("another_module", "own", None)
    del sys.modules["another_module"]
    assert place_of(own) is None


@pytest.mark.parametrize("order", [("made_module", "context_tasks"), ("context_tasks", "made_module")])
def test_module_that_makes_a_variable_goes_before_those_that_import_it(module, order):
    module.user = context_tasks.user
    assert variables._nearest([(name, "user", None) for name in order]) == ("context_tasks", "user", None)


def test_what_is_sent_is_what_was_set_when_it_was_taken():
    def take():
        context_tasks.user.set("then")
        carried = Carried((context_tasks.user, context_tasks.trace))
        context_tasks.user.set("later")
        return carried

    carried = Context().run(take)
    assert Context().run(received, carried, context_tasks.seen) == ("then", None, 0)


def test_call_leaves_nothing_behind_and_no_other_call_sees_it():
    def calls():
        context_tasks.trace.set("own")
        sent, args, _ = decode(encode_call(Carried((context_tasks.user,)).around(context_tasks.seen), (), {}))
        found = [sent(*args), sent(*args)]
        return found, context_tasks.user.get(), context_tasks.trace.get(), declared()

    assert Context().run(calls) == ([("nobody", "own", 0)] * 2, "nobody", "own", None)


def test_value_that_cannot_be_pickled_is_an_error_that_names_the_variable():
    def take():
        context_tasks.trace.set(context_tasks.Unpicklable())
        with pytest.raises(TaskPicklingError, match=r"value of context variable 'trace': .*not this one"):
            Carried((context_tasks.user, context_tasks.trace))

    Context().run(take)


def test_all_leaves_out_what_cannot_be_sent_and_tells_that_once(said):
    def take():
        context_tasks.user.set("all")
        context_tasks.trace.set(context_tasks.Unpicklable())
        nameless.set(1)
        return [Carried("all") for _ in range(3)]

    nameless = ContextVar("nameless")
    for carried in Context().run(take):
        assert Context().run(received, carried, context_tasks.seen) == ("all", None, 0)
    assert len(said()) == 2
    assert any("'trace' does not go along with tasks" in text and "not this one" in text for text in said())
    assert any("'nameless' does not go along with tasks" in text for text in said())


def test_all_leaves_out_what_the_receiver_cannot_have():
    def take():
        context_tasks.user.set("all")
        context_tasks.trace.set(context_tasks.OnlyHere())
        return Carried("all")

    assert Context().run(received, Context().run(take), context_tasks.seen) == ("all", None, 0)


def test_variable_that_a_library_makes_as_it_goes_is_made_where_it_arrives():
    context_tasks.made_as_we_go["key"] = own = ContextVar("own", default=...)

    def take():
        own.set("sent")
        return encode_call(Carried("all").around(context_tasks.made), ("key",), {})

    payload = Context().run(take)
    context_tasks.made_as_we_go.clear()
    sent, args, _ = decode(payload)
    assert sent(*args) == "sent"
    assert context_tasks.made_as_we_go["key"].get() is ...
    context_tasks.made_as_we_go.clear()


def test_context_of_decimal_goes_along_once_it_is_not_as_at_the_start():
    def take(change):
        decimal.setcontext(decimal.DefaultContext)
        decimal.getcontext().flags[decimal.Inexact] = True  # arithmetic does that
        change(decimal.getcontext())
        return Carried((context_tasks.user,))

    def precise(context):
        context.prec = 7

    def careless(context):
        context.traps[decimal.DivisionByZero] = False

    plain, changed, other = (Context().run(take, each) for each in (lambda _: None, precise, careless))
    assert plain._parts[2] is None
    assert other._parts[2] is not None

    def call():
        sent, _, _ = decode(encode_call(changed.around(context_tasks.precision), (), {}))
        before = decimal.getcontext().prec
        return sent(), sent(), decimal.getcontext().prec == before

    assert Context().run(call) == (7, 7, True)


def test_warning_filters_are_encoded_once_as_long_as_they_are_the_same():
    first, again = Carried((context_tasks.user,)), Carried((context_tasks.user,))
    assert first._parts[3] is again._parts[3]
    assert b"__main__" not in first._parts[3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Carried((context_tasks.user,))._parts[3] != first._parts[3]


@pytest.mark.parametrize("function", [context_tasks.fail, functools.partial(context_tasks.fail, 1)])
def test_function_that_arrives_is_called_by_its_own_name_and_its_errors_begin_in_it(function):
    sent, args, _ = decode(encode_call(Carried((context_tasks.user,)).around(function), (), {}))
    assert [*names_of(sent)][-1] == "context_tasks:fail"
    with pytest.raises(ValueError, match="nobody") as caught:
        sent(*args)
    assert [entry.name for entry in caught.traceback][1:] == ["fail"]


def test_error_of_a_function_in_c_is_what_it_is():
    sent, _, _ = decode(encode_call(Carried((context_tasks.user,)).around(int), (), {}))
    with pytest.raises(ValueError, match="invalid literal"):
        sent("x")


def test_large_values_are_copied():
    large = bytearray(range(256)) * 1024

    def take():
        context_tasks.trace.set({"bytes": bytes(large), "bytearray": large, "view": memoryview(large)})
        return Carried((context_tasks.trace,))

    value = Context().run(received, Context().run(take), context_tasks.seen)[1]
    assert value == {"bytes": large, "bytearray": large, "view": large}
    value["view"][0] = 1
    assert large[0] == 0


def test_name_of_the_task_is_that_of_its_function():
    options = NO_OPTIONS.replace({"context": [context_tasks.user]})
    assert name_task(context_tasks.seen, options, is_map=False) == "task seen()"
    assert "user" in repr(options)
