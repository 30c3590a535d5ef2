"""Options are declared once: what a call, a reader and a type checker see of them follows from that."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._executor.arguments import ExecutorArguments
from interp_pool._executor.view import ExecutorView
from interp_pool._options.checks import check_count, check_flag
from interp_pool._options.declared import Declared, option, takes, unless_none
from interp_pool._options.pool_options import PoolArguments, PoolOptions
from interp_pool._options.task_options import NO_OPTIONS, TaskOptions


class Limits(Declared):
    most: int | None = option(default=None, check=unless_none(check_count), doc="most things.", kw_only=False)
    is_hard: bool = option(default=False, check=check_flag, doc="whether " + "more are refused, " * 20)


class MoreLimits(Limits):
    least: int = option(default=0, doc="fewest things.")


class Store:
    @takes(MoreLimits)
    def __init__(self, limits: MoreLimits) -> None:
        """Make a store.

        {options}

        Raises:
            TypeError: never.
        """
        self.limits = limits


def test_option_that_is_declared_is_a_parameter():
    assert str(inspect.signature(Store)) == (
        "(most: 'int | None' = None, *, is_hard: 'bool' = False, least: 'int' = 0) -> None"
    )


def test_option_that_is_declared_is_an_attribute():
    limits = Store(3, least=2).limits
    assert (limits.most, limits.is_hard, limits.least) == (3, False, 2)
    assert limits.given() == {"most": 3, "least": 2}
    assert Store(least=False).limits.given() == {"least": False}  # which equals its default


def test_option_that_is_declared_is_documented():
    lines = inspect.getdoc(Store.__init__).splitlines()
    assert lines[:4] == ["Make a store.", "", "Args:", "    most: most things."]
    assert "    least: fewest things." in lines
    assert max(map(len, lines)) <= 110
    assert lines[-2:] == ["Raises:", "    TypeError: never."]


def test_option_that_is_declared_is_checked():
    with pytest.raises(ValueError, match="most must be greater than 0, got 0"):
        Store(0)
    with pytest.raises(TypeError, match="is_hard must be a bool, got 1"):
        Store(is_hard=1)


@pytest.mark.parametrize("made", [InterpreterPool, InterpreterPoolExecutor])
def test_argument_that_does_not_exist_is_refused_in_python_s_words(made):
    def plain(max_workers=None):
        pass

    with pytest.raises(TypeError) as own:
        made(max_worker=1)
    with pytest.raises(TypeError) as python_s:
        plain(max_worker=1)
    words = str(python_s.value).partition("plain()")[2]
    assert str(own.value) == f"{made.__name__}.__init__(){words}"


def test_first_arguments_are_in_the_order_of_the_standard_library():
    plain = [name for name, each in inspect.signature(InterpreterPoolExecutor).parameters.items() if each.kind == 1]
    assert plain == ["max_workers", "thread_name_prefix", "initializer", "initargs"]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (InterpreterPool.__init__, PoolArguments),
        (InterpreterPoolExecutor.__init__, ExecutorArguments),
        (InterpreterPoolExecutor.options, TaskOptions),
        (ExecutorView.options, TaskOptions),
    ],
)
def test_every_option_is_documented_where_it_is_taken(method, options):
    documented = [line.partition(":")[0].strip() for line in textwrap.dedent(method.__doc__).splitlines()]
    assert [name for name in documented if name in options.declared] == list(options.declared)


@pytest.mark.parametrize("made", [InterpreterPool, InterpreterPoolExecutor])
def test_every_option_of_a_pool_is_taken_by_name(made):
    parameters = inspect.signature(made).parameters
    assert {name: parameters[name].default for name in PoolArguments.declared} == {
        name: each.default for name, each in PoolArguments.declared.items()
    }


def test_options_that_are_replaced_are_new_ones():
    some = NO_OPTIONS.replace({"priority": 3})
    other = some.replace({"name": "mine", "priority": 0})
    assert (repr(some), repr(other), repr(NO_OPTIONS)) == ("priority=3", "name='mine'", "")


def test_pool_options_without_arguments_are_the_defaults():
    options = PoolOptions()
    assert options.most_workers >= 1
    assert {*options.given()} == {"thread_name_prefix"}  # which has a number
