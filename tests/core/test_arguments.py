"""Wrong arguments are refused at once, with the value."""

from __future__ import annotations

import pytest
import tasks

from interp_pool import (
    InterpreterPool,
    InterpreterPoolExecutor,
    TaskPicklingError,
    warm_up,
)


def test_default_max_workers_is_the_number_of_processors(monkeypatch):
    monkeypatch.setattr("os.process_cpu_count", lambda: 7)
    assert InterpreterPoolExecutor()._max_workers == 7


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"max_workers": 0}, ValueError, "max_workers must be greater than 0, got 0"),
        ({"max_workers": -3}, ValueError, "max_workers must be greater than 0, got -3"),
        ({"max_workers": 1.5}, TypeError, "max_workers must be an int, got 1.5"),
        ({"max_workers": True}, TypeError, "max_workers must be an int, got True"),
        ({"initializer": "spam"}, TypeError, "initializer must be a callable, got 'spam'"),
        ({"initializer": tasks.initialize, "initargs": 5}, TypeError, "initargs must be a tuple, got 5"),
        ({"thread_name_prefix": 5}, TypeError, "thread_name_prefix must be a str, got 5"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child must be greater than 0, got 0"),
        ({"max_tasks_per_child": "x"}, TypeError, "max_tasks_per_child must be an int, got 'x'"),
        ({"max_leftover_threads": -1}, ValueError, "max_leftover_threads must be at least 0, got -1"),
        ({"max_leftover_threads": 1.5}, TypeError, "max_leftover_threads must be an int, got 1.5"),
        ({"exit_timeout": -1}, ValueError, "exit_timeout must be a non-negative number of seconds or None, got -1"),
        ({"idle_timeout": -1}, ValueError, "idle_timeout must be a non-negative number of seconds or None, got -1"),
        ({"idle_timeout": float("nan")}, ValueError, "idle_timeout must be a number of seconds or None, got nan"),
        ({"idle_timeout": "x"}, TypeError, "idle_timeout must be a number of seconds or None, got 'x'"),
        ({"pool": "x"}, TypeError, "pool must be an InterpreterPool, got 'x'"),
    ],
)
def test_executor_with_bad_argument_raises_at_once_with_the_value(arguments, error, text):
    with pytest.raises(error) as info:
        InterpreterPoolExecutor(**arguments)
    assert str(info.value) == text


def test_initializer_that_cannot_be_pickled_raises_at_once():
    with pytest.raises(TaskPicklingError, match=r"cannot send initializer .*cannot be pickled"):
        InterpreterPoolExecutor(initializer=tasks.initialize, initargs=(tasks.NoPickle(),))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"chunksize": 0}, ValueError, "chunksize must be None or > 0, got 0"),
        ({"chunksize": 1.5}, TypeError, "chunksize must be an integer or None, got 1.5"),
        ({"buffersize": 0}, ValueError, "buffersize must be None or > 0, got 0"),
        ({"buffersize": "x"}, TypeError, "buffersize must be an integer or None, got 'x'"),
        ({"timeout": "x"}, TypeError, "timeout must be a number of seconds or None, got 'x'"),
        ({"timeout": float("nan")}, ValueError, "timeout must be a number of seconds or None, got nan"),
    ],
)
def test_map_with_bad_argument_raises_at_once_with_the_value(arguments, error, text):
    with pytest.raises(error) as info:
        InterpreterPoolExecutor(1).map(tasks.identity, [1], **arguments)
    assert str(info.value) == text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"time": 1}, TypeError, "there is no option 'time'; there are timeout, deadline, priority, name, "),
        ({"timeout": -1}, ValueError, "timeout must be a non-negative number of seconds"),
        ({"timeout": float("nan")}, ValueError, "timeout must be"),
        ({"timeout": "1"}, TypeError, "timeout must be a number"),
        ({"deadline": float("nan")}, ValueError, "deadline must be"),
        ({"deadline": "soon"}, TypeError, "deadline must be a number"),
        ({"priority": 1.5}, TypeError, "priority must be an int"),
        ({"priority": True}, TypeError, "priority must be an int"),
        ({"name": 1}, TypeError, "name must be a str"),
        ({"interrupt_on_cancel": "yes"}, TypeError, "interrupt_on_cancel must be a bool"),
    ],
)
def test_wrong_options_are_refused_at_once(options, error, text):
    with pytest.raises(error, match=text):
        InterpreterPoolExecutor(1).options(**options)
    with pytest.raises(error, match=text):
        InterpreterPoolExecutor(1).options(name="x").options(**options)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0,), ValueError, "max_workers must be greater than 0"),
        (("2",), TypeError, "max_workers must be an int"),
        ((2, 3), ValueError, "min_workers must be from 0 to max_workers, which is 2, got 3"),
        ((2, -1), ValueError, "min_workers must be from 0"),
        ((2, 1.0), TypeError, "min_workers must be an int"),
    ],
)
def test_wrong_sizes_are_refused_at_once(arguments, error, text):
    most, *least = arguments
    with pytest.raises(error, match=text):
        InterpreterPool(most, min_workers=least[0] if least else 0)
    with InterpreterPool(4) as pool, pytest.raises(error, match=text):
        pool.resize(most, min_workers=least[0] if least else None)


def test_resize_after_the_shutdown_is_refused():
    pool = InterpreterPool(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.resize(2)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"max_backlog": 0}, ValueError, "max_backlog must be greater than 0"),
        ({"max_backlog": 1.5}, TypeError, "max_backlog must be an int"),
        ({"when_full": "wait"}, ValueError, "when_full must be 'block' or 'raise', got 'wait'"),
    ],
)
def test_wrong_limits_are_refused_at_once(options, error, text):
    with pytest.raises(error, match=text):
        InterpreterPoolExecutor(1, **options)


@pytest.mark.parametrize(("value", "error"), [("module", ValueError), (1, TypeError), (None, TypeError)])
def test_reuse_that_is_none_of_the_three_raises_at_once(value, error):
    with pytest.raises(error, match="reuse must be a bool or 'modules'"):
        InterpreterPoolExecutor(1, reuse=value)


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_warm_up_with_bad_count_raises_at_once(count, error):
    with pytest.raises(error, match="count must be"):
        warm_up(count)
