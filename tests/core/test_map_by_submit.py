"""map where `submit` is not the executor's own: what it submits, when, and what becomes of that."""

from __future__ import annotations

import itertools
from concurrent.futures import Future

import pytest
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor


def submit_here(fn, /, *args, **kwargs):
    """Run a function at once; return its future."""
    future = Future()
    try:
        future.set_result(fn(*args, **kwargs))
    except Exception as exc:
        future.set_exception(exc)
    return future


class Counting(InterpreterPoolExecutor):
    """Counts the calls of submit."""

    calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        return submit_here(fn, *args, **kwargs)


class Wrapped:
    """What somebody returns in a future's place."""

    def __init__(self, future):
        self.future = future

    def result(self, timeout=None):
        return ("wrapped", self.future.result(timeout))

    def cancel(self):
        return self.future.cancel()


@pytest.fixture
def counting(request):
    with Counting(2) as made:
        yield made
    del request.node.funcargs["counting"]  # its pool ends before the leak check looks


def patch(executor):
    """Replace the submit of an executor or a view; return the list of its calls."""
    calls = []

    def patched(*args, **kwargs):
        calls.append(args)
        return submit_here(*args, **kwargs)

    executor.submit = patched
    return calls


@pytest.fixture
def executor(request):
    yield InterpreterPoolExecutor(1)
    del request.node.funcargs["executor"]  # it ends before the leak check looks


@pytest.mark.parametrize(("options", "count"), [({}, 10), ({"chunksize": 4}, 3), ({"buffersize": 2}, 10)])
def test_map_goes_through_an_overridden_submit(counting, options, count):
    assert list(counting.map(tasks.add, range(10), itertools.count(), **options)) == [2 * n for n in range(10)]
    assert counting.calls == count


def test_map_goes_through_an_overridden_submit_on_a_shared_pool():
    with InterpreterPool(1) as pool, Counting(pool=pool) as executor:
        assert list(executor.map(abs, range(10))) == [*range(10)]
        assert executor.calls == 10


def test_map_of_a_view_goes_through_its_patched_submit(executor):
    view = executor.options(priority=1)
    calls = patch(view)
    assert list(view.map(abs, range(10))) == [*range(10)]
    assert len(calls) == 10


def test_map_of_a_view_goes_through_the_patched_submit_of_its_executor(executor):
    calls = patch(executor)
    assert list(executor.options(priority=1).map(abs, range(10))) == [*range(10)]
    assert len(calls) == 10


def test_map_takes_whatever_submit_returns(executor):
    executor.submit = lambda *args: Wrapped(submit_here(*args))
    assert list(executor.map(abs, range(3))) == [("wrapped", 0), ("wrapped", 1), ("wrapped", 2)]


def test_map_through_submit_fails_in_its_place_and_cancels_the_rest(executor):
    made = []

    def submit(function, number):
        made.append(submit_here(function, number) if number < 4 else Future())
        return made[-1]

    executor.submit = submit
    results = executor.map(tasks.fail_on_three, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="bad item 3"):
        next(results)
    assert [future.cancelled() for future in made] == [False] * 4 + [True] * 2


def test_map_through_submit_closed_early_cancels_the_rest(executor):
    made = []
    executor.submit = lambda *args: made.append(Future()) or made[-1]
    results = executor.map(abs, range(6))
    made[0].set_result(5)
    assert next(results) == 5
    results.close()
    assert [future.cancelled() for future in made] == [False] + [True] * 5


def test_map_through_submit_that_times_out_cancels_the_rest(executor):
    made = []
    executor.submit = lambda *args: made.append(Future()) or made[-1]
    with pytest.raises(TimeoutError):
        list(executor.map(abs, range(6), timeout=0.01))
    assert all(future.cancelled() for future in made)


def test_map_through_submit_takes_no_more_than_the_buffer(executor):
    taken = itertools.count()
    patch(executor)
    results = executor.map(abs, taken, buffersize=4)
    assert next(taken) == 4
    assert next(results) == 0
    assert next(taken) == 6


def test_map_through_submit_of_an_iterable_that_raises_passes_it_on(counting):
    def items():
        yield 1
        raise KeyError("from the iterable")

    with pytest.raises(KeyError, match="from the iterable"):
        counting.map(abs, items())
    assert counting.calls == 1


def test_map_through_submit_of_an_executor_that_is_shut_down_raises():
    with InterpreterPoolExecutor(1) as executor:
        executor.submit = executor.submit  # its own, which a program has set
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(abs, [1])


def test_map_through_submit_with_bad_argument_raises(counting):
    with pytest.raises(ValueError, match="chunksize must be None or > 0, got 0"):
        counting.map(abs, [1], chunksize=0)
