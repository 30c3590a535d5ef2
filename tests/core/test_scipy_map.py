"""scipy_map without SciPy: its objects are told by their module, and called here around what a worker returns."""

from __future__ import annotations

import pytest

from interp_pool import scipy_map


class Serial:
    """An executor of the calling thread, which notes what it is given."""

    def __init__(self):
        self.calls = []

    def map(self, fn, *iterables):
        self.calls += [(fn, args) for args in zip(*iterables, strict=True)]
        return map(fn, *iterables)


class Array:
    """Is NumPy's, as far as can be seen."""

    __module__ = "numpy"

    def __init__(self, *numbers):
        self.numbers = numbers

    def tolist(self):
        return [*self.numbers]


class Wrapper:
    __module__ = "scipy.optimize"

    def __init__(self, f, args=(), keywords=None):
        self.f, self.args, self.keywords = f, args, keywords or {}

    def __call__(self, x):
        return ("looked at", self.f(Array(*x), *self.args, **self.keywords))


class Field:
    __module__ = "scipy.optimize"

    def __init__(self, field):
        self.field = field

    def func(self, x):
        try:
            return self.field(x)
        except Exception:
            return float("inf")


class Other:
    __module__ = "scipy.integrate"

    def __call__(self, x):
        return x


def own(x):
    return x


own.__module__ = "scipy.integrate"


def total(x, *args, scale=1):
    return (sum(x) + sum(sum(arg) if isinstance(arg, list) else arg for arg in args)) * scale


def test_function_alone_is_mapped():
    assert scipy_map(Serial())(total, [[1, 2], [3]]) == [3, 3]


def test_nothing_is_mapped_to_nothing_and_the_executor_is_not_asked():
    serial = Serial()
    assert (scipy_map(serial)(Wrapper(total), []), serial.calls) == ([], [])


def test_wrapper_runs_here_and_the_users_function_gets_plain_arguments():
    serial = Serial()
    results = scipy_map(serial)(Wrapper(total, (Array(10), 5)), iter([[1, 2], [3]]))
    assert results == [("looked at", 18), ("looked at", 18)]
    assert serial.calls == [(total, ([1, 2], [10], 5)), (total, ([3], [10], 5))]


def test_keywords_go_with_the_function():
    assert scipy_map(Serial())(Wrapper(total, keywords={"scale": 2}), [[1], [2]]) == [
        ("looked at", 2),
        ("looked at", 4),
    ]


def test_wrapper_in_a_wrapper_and_a_method_of_one_are_looked_through():
    wrapper = Field(Wrapper(total))
    assert scipy_map(Serial())(wrapper.func, [[1], [2]]) == [("looked at", 1), ("looked at", 2)]
    assert wrapper.field.f is total


def test_error_in_a_worker_is_raised_and_not_caught_by_the_wrapper():
    with pytest.raises(TypeError):
        scipy_map(Serial())(Field(Wrapper(total)).func, [["text"]])


def test_item_for_which_the_function_is_not_called_keeps_its_result():
    serial = Serial()

    class Picky(Wrapper):
        def __call__(self, x):
            return self.f(x) if x else "nothing"

    Picky.__module__ = "scipy.optimize"
    assert scipy_map(serial)(Picky(total), [[], [1], [], [2]]) == ["nothing", 1, "nothing", 2]
    assert len(serial.calls) == 2


@pytest.mark.parametrize(
    ("func", "text"), [(Other(), "cannot find your function in scipy.integrate.Other"), (own, "own")]
)
def test_what_is_not_the_users_function_is_refused(func, text):
    with pytest.raises(NotImplementedError, match=text):
        scipy_map(Serial())(func, [1])


def test_executor_without_map_is_refused():
    with pytest.raises(TypeError, match="executor must have a map method, got 3"):
        scipy_map(3)
