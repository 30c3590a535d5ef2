"""Context variables, decimal's context and warning filters go along with tasks, wherever these run."""

from __future__ import annotations

import asyncio
import decimal
import functools
import sys
import threading
import traceback
import warnings
from contextvars import Context

import context_tasks
import pytest
from context_tasks import Held, trace, user

from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted, TaskPicklingError
from interp_pool._options import variables

EVERYTHING = [user, trace, Held.number]


def in_own_context(test):
    """Run a test in a context of its own."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        Context().run(test, *args, **kwargs)

    return run


@pytest.fixture(params=[None, "process", "thread"])
def executor(request):
    """Give executors whose tasks of these tests run in interpreters, processes and on threads."""
    fallback = request.param
    route = {} if fallback is None else {"fallback": fallback, "route": ["context_tasks"]}
    with InterpreterPoolExecutor(1, **route) as made:
        made.kind = fallback
        yield made
    del request.node.funcargs["executor"]


@in_own_context
def test_task_sees_what_was_declared_and_leaves_nothing(executor):
    view = executor.options(context=EVERYTHING)
    user.set("anna")
    Held.number.set(5)
    future = view.submit(context_tasks.seen)
    user.set("another")
    assert future.result() == ("anna", None, 5)
    assert view.submit(context_tasks.seen).result() == ("another", None, 5)
    assert executor.options(context=[trace]).submit(context_tasks.seen).result() == ("nobody", None, 0)
    assert executor.submit(context_tasks.seen).result() == ("nobody", None, 0)


@in_own_context
def test_all_takes_what_is_set(executor):
    user.set("anna")
    assert executor.options(context="all").submit(context_tasks.seen).result() == ("anna", None, 0)


@in_own_context
def test_items_of_a_map_have_the_context_of_its_call(executor):
    user.set("anna")
    view = executor.options(context=EVERYTHING)
    results = view.map(context_tasks.seen, range(300), buffersize=5)
    found = [next(results)]
    user.set("another")
    assert {*found, *results} == {("anna", None, 0)}
    assert {*view.map(context_tasks.seen, range(300))} == {("another", None, 0)}


@in_own_context
def test_executor_declares_for_all_its_tasks_and_a_view_says_otherwise():
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool, context=[user]) as executor:
        user.set("anna")
        trace.set("b7")
        assert executor.submit(context_tasks.seen).result() == ("anna", None, 0)
        assert executor.options(timeout=60).submit(context_tasks.seen).result() == ("anna", None, 0)
        assert [*executor.map(context_tasks.seen, [1])] == [("anna", None, 0)]
        assert executor.options(context=[trace]).submit(context_tasks.seen).result() == ("nobody", "b7", 0)
        assert executor.options(context=[]).submit(context_tasks.seen).result() == ("nobody", None, 0)
        with InterpreterPoolExecutor(pool=pool) as plain:
            assert plain.submit(context_tasks.has_loaded, "nothing").result() is False


@in_own_context
def test_coroutines_have_their_own_contexts_in_their_tasks():
    async def serve(name, executor, view):
        user.set(name)
        loop = asyncio.get_running_loop()
        found = {await executor.run(context_tasks.seen), await loop.run_in_executor(view, context_tasks.seen)}
        found |= {each async for each in executor.amap(context_tasks.seen, range(3))}
        return found

    async def main():
        with InterpreterPoolExecutor(2, context=[user]) as executor:
            view = executor.options(name="served")
            return await asyncio.gather(*(serve(f"client {n}", executor, view) for n in range(3)))

    assert asyncio.run(main()) == [{(f"client {n}", None, 0)} for n in range(3)]


class Overriding(InterpreterPoolExecutor):
    """Has a `submit` of its own."""

    def submit(self, fn, /, *args, **kwargs):
        return super().submit(fn, *args, **kwargs)


@in_own_context
def test_context_goes_through_a_submit_that_is_overridden():
    user.set("anna")
    with Overriding(1, context=[user]) as executor:
        expected = ("anna", None, 0)
        assert executor.submit(context_tasks.seen).result() == expected
        assert executor.options(name="x").submit(context_tasks.seen).result() == expected
        assert [*executor.map(context_tasks.seen, range(3))] == [expected] * 3
        assert executor.options(context=[]).submit(context_tasks.seen).result() == ("nobody", None, 0)


@in_own_context
def test_context_of_decimal_goes_along(executor):
    decimal.getcontext().prec = 7
    view = executor.options(context=[user])
    assert view.submit(context_tasks.precision).result() == 7
    assert {*view.map(context_tasks.precision, range(20))} == {7}
    decimal.setcontext(decimal.Context(prec=28))
    assert view.submit(context_tasks.precision).result() == 28


@in_own_context
def test_what_an_initializer_has_set_is_there_too():
    with InterpreterPoolExecutor(1, initializer=context_tasks.initialize, initargs=("initial",)) as executor:
        view = executor.options(context=[trace])
        trace.set("b7")
        assert view.submit(context_tasks.seen).result() == ("initial", "b7", 0)
        assert view.submit(context_tasks.seen).result() == ("initial", "b7", 0)
        assert executor.submit(context_tasks.precision).result() == 50


@in_own_context
def test_warning_filters_around_a_submit_hold_for_the_task(executor):
    if executor.kind == "thread":
        pytest.skip("the filters are those of the program, for all its threads")
    view = executor.options(context=[user])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet = view.submit(context_tasks.warn)
        quiet_items = view.map(context_tasks.warn, range(20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loud = view.submit(context_tasks.warn)
    assert quiet.result() == "not an error"
    assert {*quiet_items} == {"not an error"}
    assert str(loud.exception()) == "beware"


def test_worker_has_its_own_filters_again_after_a_task_with_others():
    with InterpreterPoolExecutor(1) as executor:
        assert str(executor.submit(context_tasks.warn).exception()) == "beware"  # as pytest has it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert executor.options(context=[user]).submit(context_tasks.warn).result() == "not an error"
        assert str(executor.submit(context_tasks.warn).exception()) == "beware"


@in_own_context
@pytest.mark.parametrize("way", ["interrupt", "timeout"])
def test_task_that_is_stopped_leaves_neither_variables_nor_filters(way):
    user.set("anna")
    started = create_queue()
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(abs, -1).result() == 1  # a worker begins with the filters of now
        limit = {"timeout": 0.05} if way == "timeout" else {}
        for _ in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                future = executor.options(context=[user], **limit).submit(context_tasks.run_until_stopped, started)
            assert started.get(timeout=60) == "anna"
            if way == "interrupt":
                assert future.interrupt()
            assert isinstance(future.exception(), TaskInterrupted if way == "interrupt" else TimeoutError)
            assert str(executor.submit(context_tasks.warn).exception()) == "beware"
            assert executor.options(context=[trace]).submit(context_tasks.seen).result() == ("nobody", None, 0)


def test_filters_that_a_strike_has_left_behind_are_put_back_after_the_task():
    started = create_queue()
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(context_tasks.lose_filters, started)
        started.get(timeout=60)
        assert future.interrupt()
        assert str(executor.submit(context_tasks.warn).exception()) == "beware"


@in_own_context
def test_error_of_a_task_reads_as_without_a_context(executor):
    def text(view):
        error = view.submit(context_tasks.fail).exception()
        assert str(error) == "nobody"
        return "".join(traceback.format_exception(error))

    assert text(executor.options(context=[user])) == text(executor)
    assert "carried.py" not in text(executor.options(context=[user]))


@in_own_context
def test_places_of_a_task_that_runs_or_was_stopped_are_those_of_its_function():
    started = create_queue()
    with InterpreterPoolExecutor(1) as executor:
        future = executor.options(context=[user]).submit(context_tasks.run_until_stopped, started)
        started.get(timeout=60)
        assert "carried.py" not in future.where()
        assert "run_until_stopped" in future.where()
        future.interrupt()
        assert "carried.py" not in "".join(traceback.format_exception(future.exception()))


@in_own_context
def test_value_that_cannot_be_pickled_fails_its_task_and_a_map_at_once():
    trace.set(context_tasks.Unpicklable())
    with InterpreterPoolExecutor(1) as executor:
        view = executor.options(context=[trace])
        error = view.submit(context_tasks.seen).exception()
        assert isinstance(error, TaskPicklingError)
        assert str(error).startswith("cannot send the value of context variable 'trace': ")
        assert "not this one" in str(error.__cause__)
        with pytest.raises(TaskPicklingError, match="context variable 'trace'"):
            view.map(context_tasks.seen, [1])
        assert view.submit(len, 5).exception().args == error.args


def test_function_that_cannot_be_pickled_is_named_as_without_a_context(executor):
    def local():
        return None

    texts = {
        str(view.submit(local, threading.Lock()).exception()) for view in (executor, executor.options(context=[user]))
    }
    assert len(texts) == 1


@in_own_context
def test_all_leaves_out_what_no_worker_finds_and_tells_that_once(caplog):
    variables._told.clear()
    user.set("anna")
    trace.set(context_tasks.OnlyHere())
    with InterpreterPoolExecutor(1) as executor:
        for _ in range(3):
            assert executor.options(context="all").submit(context_tasks.seen).result() == ("anna", None, 0)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 1
    assert texts[0].startswith("context variable 'trace' does not go along with tasks: ")
    assert "no number" in texts[0]
    variables._told.clear()


@in_own_context
def test_value_that_no_worker_can_unpickle_fails_its_task():
    trace.set(context_tasks.OnlyHere())
    with InterpreterPoolExecutor(1) as executor:
        error = executor.options(context=[trace]).submit(context_tasks.seen).exception()
    assert "no number" in str(error)
    assert "the value of context variable 1 of 1 that go along" in "".join(traceback.format_exception(error))


@in_own_context
def test_queue_of_a_variable_lives_while_its_task_is_on_its_way(gate):
    queue = create_queue()
    with InterpreterPoolExecutor(1) as executor:
        (held,) = gate.hold(executor)
        trace.set(queue)
        future = executor.options(context=[trace]).submit(context_tasks.put_into_trace, 5)
        trace.set(None)
        gate.open()
        assert future.result() == 5
        held.result()
    assert queue.get(timeout=60) == 5


@in_own_context
def test_tasks_of_a_task_inherit_what_it_declared():
    user.set("anna")
    with InterpreterPoolExecutor(1) as executor:
        found, loud, after = executor.options(context=[user]).submit(context_tasks.nest).result()
        assert found == [("parent", None, 0), ("parent", None, 0), ("nobody", None, 0)]
        assert loud is UserWarning
        assert after == "parent"
        assert executor.options(context="all").submit(context_tasks.nest_map, 5).result() == [("anna", None, 0)] * 5
        assert executor.submit(context_tasks.seen).result() == ("nobody", None, 0)


@in_own_context
def test_task_that_runs_on_top_of_another_does_not_see_its_context():
    user.set("anna")
    begun, waits, release = create_queue(), create_queue(), create_queue()
    with InterpreterPoolExecutor(2) as executor:
        assert executor.submit(abs, -1).result() == 1  # a worker begins with the filters of now
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            view = executor.options(context=[user])
            below = view.submit(context_tasks.wait_for_other, begun, waits, release, context_tasks.warn)
        waits.get(timeout=60)  # while its child holds the other worker
        on_top = [executor.submit(context_tasks.seen), executor.submit(context_tasks.warn)]
        assert on_top[0].result(60) == ("nobody", None, 0)
        assert str(on_top[1].exception(60)) == "beware"
        release.put(None)
        assert below.result(60) == ("anna", "not an error")


def test_thread_of_a_task_has_the_context_that_it_is_given():
    def submit(executor):
        user.set("anna")
        return executor.options(context=[user]).submit(context_tasks.in_threads)

    with InterpreterPoolExecutor(1) as executor:
        inherits = bool(getattr(sys.flags, "thread_inherit_context", False))
        assert Context().run(submit, executor).result() == ["anna" if inherits else "nobody", "anna"]


def test_module_is_loaded_in_a_worker_once_a_task_has_a_context():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        name = "interp_pool._worker.carried"
        assert executor.submit(context_tasks.has_loaded, name).result() is False
        assert executor.options(context=[user]).submit(context_tasks.has_loaded, name).result() is True
