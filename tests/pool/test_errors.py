"""Everything that can go wrong with one task: it ends as that task's exception, and the pool goes on."""

from __future__ import annotations

import pickle
from concurrent.futures import wait
from functools import partial

import failing_tasks
import pytest
import slots_tasks
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
    ("exit", UNPICKLED, (tasks.identity, failing_tasks.ExitsWhenUnpickled(SystemExit)), TaskPicklingError,
     "args not shareable: the worker could not unpickle them: while unpickling"),
    ("exit", RUN, (tasks.fail_with, SystemExit, 3), SystemExit, "3"),
    ("exit", RESULT_PICKLED, (failing_tasks.make_exits_when_pickled, SystemExit), ResultPicklingError,
     "result not shareable: while pickling"),
    ("exit", RESULT_UNPICKLED, (failing_tasks.make_exits_when_unpickled, SystemExit), ResultPicklingError,
     "result could not be unpickled: while unpickling"),
    ("interrupt", UNPICKLED, (tasks.identity, failing_tasks.ExitsWhenUnpickled(KeyboardInterrupt)), TaskPicklingError,
     "args not shareable: the worker could not unpickle them: while unpickling"),
    ("interrupt", RUN, (tasks.fail_with, KeyboardInterrupt), KeyboardInterrupt, ""),
    ("interrupt", RESULT_PICKLED, (failing_tasks.make_exits_when_pickled, KeyboardInterrupt), ResultPicklingError,
     "result not shareable: while pickling"),
    ("interrupt", RESULT_UNPICKLED, (failing_tasks.make_exits_when_unpickled, KeyboardInterrupt), ResultPicklingError,
     "result could not be unpickled: while unpickling"),
    ("recursion", RUN, (failing_tasks.recurse,), RecursionError, "maximum recursion depth exceeded"),
    ("memory", RUN, (tasks.make_x_bytes, 1 << 62), MemoryError, ""),
    ("two arguments", RUN, (tasks.fail_with, failing_tasks.TwoArguments, 1, 2), failing_tasks.TwoArguments, "1 and 2"),
    ("renamed", RUN, (tasks.fail_with, failing_tasks.Renames, "luck"), failing_tasks.Renames, "no luck"),
    ("attribute", RUN, (failing_tasks.fail_with_unpicklable_attribute,), failing_tasks.WithAttribute, "has a lock"),
    ("argument", RUN, (failing_tasks.fail_with_unpicklable_argument,), failing_tasks.WithAttribute, "(<function"),
    ("local class", RUN, (failing_tasks.fail_with_local_class,), ExecutionFailed,
     "failing_tasks.fail_with_local_class.<locals>.LocalError: of a local class"),
    ("no text", RUN, (tasks.fail_with, failing_tasks.BadText), failing_tasks.BadText, None),
    ("no function", RUN, ("spam",), TypeError, "'str' object is not callable"),
    ("chained", RUN, (failing_tasks.fail_from,), ValueError, "outer"),
]  # fmt: skip


def test_fault_ends_its_own_future_and_the_pool_goes_on(executor, subtests):
    for what, where, call, kind, text in FAULTS:
        with subtests.test(what=what, where=where):
            check_fault(executor, where, call, kind, text)
            assert executor.submit(tasks.identity, 5).result(60) == 5


def check_fault(executor, where, call, kind, text):
    future = executor.submit(*call)
    wait([future], 60)  # the manager unpickles: in the main thread a KeyboardInterrupt would be the user's
    exc = future.exception()
    assert type(exc) is kind
    if text is not None:
        assert str(exc).startswith(text)
    if where in (RUN, UNPICKLED, RESULT_PICKLED) and kind is not ExecutionFailed:
        assert type(exc.__cause__) is ExecutionFailed
        assert "Traceback (most recent call last)" in str(exc.__cause__) or where == RESULT_PICKLED
    elif where in (PICKLED, RESULT_UNPICKLED):
        assert exc.__cause__ is not None


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exit_while_task_is_pickled_is_the_submitters(executor, kind):
    """It strikes in the submitter's own thread, and is not the task's."""
    with pytest.raises(kind, match="while pickling"):
        executor.submit(tasks.identity, failing_tasks.ExitsWhenPickled(kind))
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


def test_slots_arrive_through_map(single):
    results = single.map(slots_tasks.raise_with_slots, [slots_tasks.Slotted], [("x",)], [{"code": 9}])
    with pytest.raises(slots_tasks.Slotted) as info:
        next(results)
    assert info.value.code == 9


def test_same_failure_twice_gives_each_future_its_own_exception(executor):
    first, second = (executor.submit(tasks.fail, ValueError("x")).exception(60) for _ in range(2))
    assert first is not second


def test_notes_are_kept(executor):
    exc = executor.submit(failing_tasks.fail_with_note).exception(60)
    assert exc.__notes__ == ["but this is kept"]
    assert "but this is kept" in str(exc.__cause__)


def test_traceback_text_begins_in_the_task(executor):
    text = str(executor.submit(tasks.fail, ValueError("x")).exception(60).__cause__)
    assert "in fail\n    raise exc" in text
    assert "_worker_main" not in text


def test_worker_lost_to_an_error_in_its_own_loop_is_told_and_replaced():
    with InterpreterPoolExecutor(1) as executor:
        exc = executor.submit(tasks.break_loop).exception(60)
        assert type(exc) is WorkerLostError
        assert str(exc).startswith("the worker failed while it ran task break_loop(): ")
        assert str(exc).endswith("the loop is broken; the pool goes on with another")
        assert "the loop is broken" in str(exc.__cause__)
        assert executor.submit(tasks.identity, 5).result(60) == 5
        executor._pool.check_invariants()


@pytest.mark.parametrize("how", ["modules", "builtins"])
def test_task_that_damages_its_worker_leaves_no_future_waiting(how):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(tasks.damage_worker, how).exception(60)
        lost = executor.submit(len, [failing_tasks.Renames("a")]).exception(60)
        assert lost is not None
        assert executor.submit(pow, 2, 3).result(60) == 8


def test_exception_in_an_odd_state_costs_neither_the_worker_nor_its_batch(single, subtests):
    worker = single.submit(tasks.current_id).result(60)
    for make in failing_tasks.ODD:
        with subtests.test(make=make.__name__):
            error = single.submit(failing_tasks.raise_made, make).exception(60)
            assert type(error).__name__ in (type(make()).__name__, "ExecutionFailed")
            assert single.submit(tasks.current_id).result(60) == worker
            results = single.map(failing_tasks.raise_made_at, [make] * 8, range(8), chunksize=8)
            assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
            with pytest.raises(type(make()) if type(error) is type(make()) else ExecutionFailed):
                next(results)


def test_argument_whose_pickling_raises_a_frozen_error_fails_its_future(single):
    argument = failing_tasks.RaisesWhenPickled(failing_tasks.make_frozen_error)
    error = single.submit(tasks.identity, argument).exception(60)
    assert isinstance(error, TaskPicklingError)
    error = single.submit(failing_tasks.make_raises_when_unpickled).exception(60)
    assert isinstance(error, ResultPicklingError)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (partial(ValueError), "ValueError"),
        (partial(ValueError, "\n\n  first\nsecond"), "first"),
        (partial(KeyError, "x"), "KeyError: 'x'"),
        (partial(ValueError, "x" * 2000), "x" * 500 + "..."),
        (failing_tasks.make_refusal_without_text, "WordlessError"),
    ],
)
def test_error_that_another_one_quotes_is_one_line_that_says_something(single, make, told):
    error = single.submit(tasks.identity, failing_tasks.RaisesWhenPickled(make)).exception(60)
    assert str(error) == f"cannot send argument 1 of identity(): {told}"
