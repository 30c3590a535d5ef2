"""initializer and initargs, and how workers are set up."""

from __future__ import annotations

import logging
import sys
import warnings

import environment_tasks
import pytest
import tasks

import interp_api
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor


def test_initializer_runs_once_in_each_worker_before_its_tasks(gate):
    with InterpreterPoolExecutor(2, initializer=tasks.initialize, initargs=("a", 5)) as executor:
        gate.hold(executor, 2)
        gate.open(2)
        assert set(executor.map(tasks.look_up, ["a"] * 8)) == {5}
        assert set(executor.map(tasks.look_up, ["runs"] * 8)) == {1}


@pytest.mark.parametrize(
    ("initializer", "initargs", "kind", "text"),
    [
        (tasks.fail_to_initialize, ("in the initializer",), ZeroDivisionError, "in the initializer"),
        (environment_tasks.exit_in_initializer, (), SystemExit, "3"),
        (tasks.identity, (tasks.NoUnpickle(),), ValueError, "this one cannot be unpickled"),
    ],
)
def test_initializer_failure_breaks_the_pool_with_the_real_cause(logged, initializer, initargs, kind, text):
    with InterpreterPoolExecutor(2, initializer=initializer, initargs=initargs) as executor:
        futures = [executor.submit(tasks.identity, i) for i in range(20)]
        exceptions = [future.exception(60) for future in futures]
        for exc in exceptions:
            assert isinstance(exc, BrokenInterpreterPool)
            assert type(exc.__cause__) is kind
            assert str(exc.__cause__) == text
            assert type(exc.__cause__.__cause__) is interp_api.ExecutionFailed
        assert len({id(exc) for exc in exceptions}) == len(exceptions)
        with pytest.raises(BrokenInterpreterPool) as info:
            executor.submit(tasks.identity, 1)
        assert type(info.value.__cause__) is kind
        with pytest.raises(BrokenInterpreterPool):
            executor.submit(tasks.identity, tasks.NoPickle())
        assert executor._broken
    # The second worker's is told as it was described there, if something is being imported just then.
    told = {(logging.CRITICAL, "Exception in initializer:", each) for each in (kind, interp_api.ExecutionFailed)}
    assert (logging.CRITICAL, "Exception in initializer:", kind) in logged
    assert set(logged) <= told


def test_initializer_failure_runs_no_task(logged):
    ran = interp_api.create_queue()
    with InterpreterPoolExecutor(2, initializer=tasks.fail_to_initialize, initargs=("x",)) as executor:
        futures = [executor.submit(tasks.put_and_return, ran, 1) for _ in range(9)]
        assert all(isinstance(future.exception(60), BrokenInterpreterPool) for future in futures)
    assert ran.empty()


def test_thread_name_prefix_is_visible_in_the_worker():
    with InterpreterPoolExecutor(1, thread_name_prefix="spam") as executor:
        (outside,) = (thread.name for thread in executor._threads or {_started(executor)})
        inside, os_name = executor.submit(environment_tasks.thread_names).result(60)
    assert inside == outside == "spam_0"
    assert os_name in (None, "spam_0")


def _started(executor):
    executor.submit(tasks.identity, 1).result(60)
    (thread,) = executor._threads
    return thread


def test_thread_name_in_warm_worker_is_the_new_one():
    for prefix in ("first", "second"):
        with InterpreterPoolExecutor(1, prefix) as executor:
            assert executor.submit(environment_tasks.thread_names).result(60)[0] == f"{prefix}_0"


def test_worker_inherits_current_search_path(tmp_path, monkeypatch):
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(environment_tasks.search_path).result(60) == sys.path
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), tmp_path, "with 'quotes\\"])
    with InterpreterPoolExecutor(1) as executor:
        expected = [entry for entry in sys.path if isinstance(entry, str)]
        assert executor.submit(environment_tasks.search_path).result(60) == expected


def test_worker_finds_the_package_when_the_search_path_was_emptied(monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(pow, 2, 3).result(60) == 8


def test_worker_starts_although_the_category_of_a_warning_filter_cannot_be_imported_there(tmp_path, monkeypatch):
    """As with NumPy, whose filters are there once the parent has imported it."""
    module = tmp_path / "parents_only.py"
    module.write_text(
        "import interp_api\n"
        "if interp_api.get_current() is not interp_api.get_main():\n"
        "    raise ImportError('does not support loading in subinterpreters')\n"
        "class OwnWarning(UserWarning): pass\n"
        "class OtherWarning(UserWarning): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import parents_only

    with warnings.catch_warnings():
        warnings.simplefilter("error", parents_only.OwnWarning)
        warnings.simplefilter("ignore", parents_only.OtherWarning)
        warnings.simplefilter("ignore", environment_tasks.OwnWarning)
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(environment_tasks.warn, environment_tasks.OwnWarning).result(60) == "warned"
    sys.modules.pop("parents_only")


def test_worker_inherits_warning_filters():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(environment_tasks.warn).result(60) == "warned"
    with InterpreterPoolExecutor(1) as executor, pytest.raises(UserWarning, match="from a task"):
        executor.submit(environment_tasks.warn).result(60)  # pytest's filters: warnings are errors


def test_worker_inherits_those_warning_filters_that_can_be_sent():
    class LocalWarning(UserWarning):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LocalWarning)
        with InterpreterPoolExecutor(1) as executor, pytest.raises(UserWarning, match="from a task"):
            executor.submit(environment_tasks.warn).result(60)


def test_lease_failing_initializer_tells_the_cause_and_keeps_nothing():
    with InterpreterPool(1, initializer=tasks.fail_to_initialize, initargs=("x",)) as pool:
        for _ in range(2):
            with pytest.raises(BrokenInterpreterPool) as info, pool.lease():
                raise AssertionError("not reached")
            assert type(info.value.__cause__) is ZeroDivisionError
