"""Everything that can go wrong with one task: it ends as that task's exception, and the pool goes on."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import tasks

import interp_api
from interp_api import ExecutionFailed, NotShareableError
from interp_pool import InterpreterPoolExecutor, ResultPicklingError, TaskPicklingError, WorkerLostError

THIS = interp_api.get_current().id
PICKLED, UNPICKLED, RUN, RESULT_PICKLED, RESULT_UNPICKLED = (
    "task pickled",
    "task unpickled",
    "run",
    "result pickled",
    "result unpickled",
)

# (what happens, where, how to make it happen, the exception expected, its text)
FAULTS = [
    ("error", PICKLED, (tasks.identity, tasks.NoPickle()), TaskPicklingError,
     "cannot send argument 1 of identity(): this one cannot be pickled"),
    ("local function", PICKLED, (lambda: THIS,), TaskPicklingError, "cannot send <lambda>: Can't pickle"),
    ("error", UNPICKLED, (tasks.identity, tasks.NoUnpickle()), TaskPicklingError,
     "args not shareable: the worker could not unpickle them: this one cannot be unpickled"),
    ("error", RUN, (tasks.fail, ValueError("in the task")), ValueError, "in the task"),
    ("error", RESULT_PICKLED, (tasks.make_unpicklable,), ResultPicklingError,
     "result not shareable: this one cannot be pickled"),
    ("error", RESULT_UNPICKLED, (tasks.make_one_that_cannot_be_unpickled,), ResultPicklingError,
     "result could not be unpickled: this one cannot be unpickled"),
    ("exit", UNPICKLED, (tasks.identity, tasks.ExitsWhenUnpickled(SystemExit)), TaskPicklingError,
     "args not shareable: the worker could not unpickle them: while unpickling"),
    ("exit", RUN, (tasks.fail_with, SystemExit, 3), SystemExit, "3"),
    ("exit", RESULT_PICKLED, (tasks.make_exits_when_pickled, SystemExit), ResultPicklingError,
     "result not shareable: while pickling"),
    ("exit", RESULT_UNPICKLED, (tasks.make_exits_when_unpickled, SystemExit), ResultPicklingError,
     "result could not be unpickled: while unpickling"),
    ("interrupt", UNPICKLED, (tasks.identity, tasks.ExitsWhenUnpickled(KeyboardInterrupt)), TaskPicklingError,
     "args not shareable: the worker could not unpickle them: while unpickling"),
    ("interrupt", RUN, (tasks.fail_with, KeyboardInterrupt), KeyboardInterrupt, ""),
    ("interrupt", RESULT_PICKLED, (tasks.make_exits_when_pickled, KeyboardInterrupt), ResultPicklingError,
     "result not shareable: while pickling"),
    ("interrupt", RESULT_UNPICKLED, (tasks.make_exits_when_unpickled, KeyboardInterrupt), ResultPicklingError,
     "result could not be unpickled: while unpickling"),
    ("recursion", RUN, (tasks.recurse,), RecursionError, "maximum recursion depth exceeded"),
    ("memory", RUN, (tasks.make_x_bytes, 1 << 62), MemoryError, ""),
    ("two arguments", RUN, (tasks.fail_with, tasks.TwoArguments, 1, 2), tasks.TwoArguments, "1 and 2"),
    ("renamed", RUN, (tasks.fail_with, tasks.Renames, "luck"), tasks.Renames, "no luck"),
    ("attribute", RUN, (tasks.fail_with_unpicklable_attribute,), tasks.WithAttribute, "has a lock"),
    ("argument", RUN, (tasks.fail_with_unpicklable_argument,), tasks.WithAttribute, "(<function"),
    ("local class", RUN, (tasks.fail_with_local_class,), ExecutionFailed,
     "tasks.fail_with_local_class.<locals>.LocalError: of a local class"),
    ("no text", RUN, (tasks.fail_with, tasks.BadText), tasks.BadText, None),
    ("no function", RUN, ("spam",), TypeError, "'str' object is not callable"),
    ("chained", RUN, (tasks.fail_from,), ValueError, "outer"),
]  # fmt: skip


def fault_id(fault):
    return f"{fault[0]} - {fault[1]}"


@pytest.mark.parametrize(("what", "where", "call", "kind", "text"), FAULTS, ids=map(fault_id, FAULTS))
def test_fault_ends_its_own_future_and_the_pool_goes_on(executor, what, where, call, kind, text):
    future = executor.submit(*call)
    exc = future.exception(60)
    assert type(exc) is kind
    if text is not None:
        assert str(exc).startswith(text)
    if where in (RUN, UNPICKLED, RESULT_PICKLED) and kind is not ExecutionFailed:
        assert type(exc.__cause__) is ExecutionFailed
        assert "Traceback (most recent call last)" in str(exc.__cause__) or where == RESULT_PICKLED
    elif where in (PICKLED, RESULT_UNPICKLED):
        assert exc.__cause__ is not None
    assert executor.submit(tasks.identity, 5).result(60) == 5


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exit_while_task_is_pickled_is_the_submitters(executor, kind):
    """It strikes in the submitter's own thread, and is not the task's."""
    with pytest.raises(kind, match="while pickling"):
        executor.submit(tasks.identity, tasks.ExitsWhenPickled(kind))
    assert executor.submit(tasks.identity, 5).result(60) == 5


CANCELS = [
    (PICKLED, True),
    (UNPICKLED, True),
    (RUN, False),
    (RESULT_UNPICKLED, False),
]


@pytest.mark.parametrize(("where", "possible"), CANCELS)
def test_cancel_is_possible_until_the_task_is_sent(gate, where, possible):
    with InterpreterPoolExecutor(1) as executor:
        held = [*gate.hold(executor), gate.submit(executor)]
        future = executor.submit(tasks.identity, 1)  # in the backlog
        if where == RUN:
            future = held[0]
        gate_count = 2
        if where == RESULT_UNPICKLED:
            gate.open(gate_count)
            assert future.result(60) == 1
        assert future.cancel() is possible
        assert future.cancelled() is possible
        if where != RESULT_UNPICKLED:
            gate.open(gate_count)
        assert executor.submit(tasks.identity, 5).result(60) == 5


def test_pickling_errors_are_what_users_of_both_worlds_catch():
    for kind in (TaskPicklingError, ResultPicklingError):
        assert issubclass(kind, NotShareableError)
        assert issubclass(kind, pickle.PicklingError)


def test_task_that_cannot_be_pickled_names_the_keyword(executor):
    exc = executor.submit(tasks.add, 1, right=tasks.NoPickle()).exception(60)
    assert str(exc) == "cannot send argument 'right' of add(): this one cannot be pickled"


def test_same_failure_twice_gives_each_future_its_own_exception(executor):
    first, second = (executor.submit(tasks.fail, ValueError("x")).exception(60) for _ in range(2))
    assert first is not second


def test_notes_are_kept(executor):
    exc = executor.submit(tasks.fail_with_note).exception(60)
    assert exc.__notes__ == ["but this is kept"]
    assert "but this is kept" in str(exc.__cause__)


def test_traceback_text_begins_in_the_task(executor):
    text = str(executor.submit(tasks.fail, ValueError("x")).exception(60).__cause__)
    assert "in fail\n    raise exc" in text
    assert "_worker_main" not in text


@pytest.mark.parametrize("module", ["readline", "_curses", "faulthandler"])
def test_extension_module_that_refuses_is_named_with_the_remedy(executor, module):
    probe = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"this Python has no {module}")
    exc = executor.submit(tasks.import_module, module).exception(60)
    assert type(exc) is ImportError
    note = f"module '{module}' does not support subinterpreters: "
    assert exc.__notes__ == [note + "run this task in a ThreadPoolExecutor or ProcessPoolExecutor"]
    assert note in str(exc.__cause__)


def test_extension_module_that_refuses_is_named_behind_another_error(executor):
    exc = executor.submit(tasks.import_behind_another_error, "faulthandler").exception(60)
    assert type(exc) is RuntimeError
    assert "module 'faulthandler' does not support subinterpreters" in exc.__notes__[0]


def test_extension_module_that_refuses_while_unpickling_is_named(executor, tmp_path, monkeypatch):
    (tmp_path / "needs_faulthandler.py").write_text("import faulthandler\ndef function(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import needs_faulthandler

    with InterpreterPoolExecutor(1) as fresh:
        exc = fresh.submit(needs_faulthandler.function).exception(60)
    del sys.modules["needs_faulthandler"]
    assert type(exc) is TaskPicklingError
    assert "module 'faulthandler' does not support subinterpreters" in exc.__notes__[0]


def test_worker_lost_to_an_error_in_its_own_loop_is_told_and_replaced():
    with InterpreterPoolExecutor(1) as executor:
        exc = executor.submit(tasks.break_loop).exception(60)
        assert type(exc) is WorkerLostError
        assert str(exc) == "the worker failed while it ran the task; the pool goes on with another"
        assert "the loop is broken" in str(exc.__cause__)
        assert executor.submit(tasks.identity, 5).result(60) == 5
        executor._pool.check_invariants()


@pytest.mark.parametrize("how", ["modules", "builtins"])
def test_task_that_damages_its_worker_leaves_no_future_waiting(how):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(tasks.damage_worker, how).exception(60)
        lost = executor.submit(len, [tasks.Renames("a")]).exception(60)
        assert lost is not None
        assert executor.submit(pow, 2, 3).result(60) == 8


@pytest.mark.parametrize(
    "make",
    [
        tasks.make_frozen_error,
        tasks.make_error_with_wrong_notes,
        tasks.make_error_without_attributes,
        tasks.make_refusal_without_text,
        tasks.make_error_with_cyclic_argument,
        tasks.make_error_with_deep_argument,
    ],
)
def test_exception_in_an_odd_state_costs_neither_the_worker_nor_its_batch(single, make):
    worker = single.submit(tasks.current_id).result(60)
    error = single.submit(tasks.raise_made, make).exception(60)
    assert type(error).__name__ in (type(make()).__name__, "ExecutionFailed")
    assert single.submit(tasks.current_id).result(60) == worker
    results = single.map(tasks.raise_made_at, [make] * 8, range(8), chunksize=8)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(type(make()) if type(error) is type(make()) else interp_api.ExecutionFailed):
        next(results)


def test_argument_whose_pickling_raises_a_frozen_error_fails_its_future(single):
    error = single.submit(tasks.identity, tasks.RaisesWhenPickled(tasks.make_frozen_error)).exception(60)
    assert isinstance(error, TaskPicklingError)
    error = single.submit(tasks.make_raises_when_unpickled).exception(60)
    assert isinstance(error, ResultPicklingError)
