"""Tasks that submit tasks to the pool that runs them, and wait: `current_executor()`."""

from __future__ import annotations

import os
import random

import nested_tasks
import pytest
import tasks

import interp_pool
from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, current_executor


@pytest.fixture(params=[1, 2, 4])
def sized(request):
    with InterpreterPoolExecutor(request.param) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["sized"]  # before the leak check looks


def test_divide_and_conquer_ends_on_any_number_of_workers(sized):
    assert sized.submit(nested_tasks.fib, 14).result(60) == 377
    items = [random.Random(12).randrange(10_000) for _ in range(2000)]
    assert sized.submit(nested_tasks.quicksort, items).result(60) == sorted(items)


def test_walk_over_a_directory_counts_what_is_there(executor):
    root = os.path.dirname(os.__file__)
    expected = sum(len(files) + sum(map(os.path.islink, _joined(path, names))) for path, names, files in os.walk(root))
    assert executor.submit(nested_tasks.count_files, root).result(120) == expected


def _joined(path, names):
    return [os.path.join(path, name) for name in names]


@pytest.mark.parametrize("function", [nested_tasks.add_up, nested_tasks.add_up_as_completed])
def test_ten_thousand_tasks_of_one_task_end(executor, function):
    assert executor.submit(function, 10_000).result(120) == sum(range(10_000))


def test_many_roots_with_tasks_of_their_own_end(executor):
    assert list(executor.map(nested_tasks.fib, [8] * 40, chunksize=5)) == [21] * 40
    futures = [executor.submit(nested_tasks.fib, 8) for _ in range(40)]
    assert [future.result(60) for future in futures] == [21] * 40


def test_wait_and_as_completed_run_tasks_meanwhile(single):
    assert single.submit(nested_tasks.wait_for_some, 50).result(60) == (True, 50, 0)
    assert single.submit(nested_tasks.add_up_as_completed, 50).result(60) == sum(range(50))


def test_map_gives_results_in_order(sized, subtests):
    expected = [number * number for number in range(100)]
    for arguments in ({}, {"chunksize": 7}, {"buffersize": 3}, {"chunksize": 4, "buffersize": 2}):
        with subtests.test(arguments=arguments):
            future = sized.submit(nested_tasks.map_squares, 100, **arguments)
            assert future.result(60) == expected


def test_map_that_is_closed_cancels_what_has_not_begun(single, started):
    taken, begun = single.submit(nested_tasks.take_two_of_map, started).result(60)
    assert taken == [0, 1]
    assert single.submit(abs, -1).result(60) == 1
    assert started.qsize() == begun


def test_task_gets_a_copy_wherever_it_runs(sized):
    assert sized.submit(nested_tasks.share_view, memoryview(bytearray(3))).result(60) == bytes(3)


def test_error_of_a_task_is_raised_in_its_parent_with_the_chain_of_tracebacks(sized, subtests):
    with pytest.raises(ValueError, match="deep") as info:
        sized.submit(nested_tasks.call, nested_tasks.call, tasks.fail_with, ValueError, "deep").result(60)
    text = str(info.value.__cause__)
    assert text.count("in call\n") == 2
    assert "in fail_with" in text
    for function, name in (
        (nested_tasks.make_error_that_cannot_be_pickled, "ExecutionFailed"),
        (tasks.make_unpicklable, "ResultPicklingError"),
        (tasks.make_one_that_cannot_be_unpickled, "ResultPicklingError"),
    ):
        with subtests.test(function=function.__name__):
            assert sized.submit(nested_tasks.call_catching, function).result(60) == name


def test_task_that_cannot_be_pickled_fails_in_its_parent(single):
    kind, text, _ = single.submit(nested_tasks.error_of_local).result(60)
    assert kind == "TaskPicklingError"
    assert "cannot send" in text


def test_stack_that_is_too_deep_is_an_error_that_says_so(single):
    assert single.submit(nested_tasks.chain, 40).result(60) == 40
    with pytest.raises(RecursionError, match="tasks wait on top of each other"):
        single.submit(nested_tasks.chain, 1000).result(60)
    assert single.submit(nested_tasks.fib, 5).result(60) == 5


def test_executor_of_a_task_is_refused_elsewhere(single, subtests):
    with subtests.test("the program"), pytest.raises(RuntimeError, match="is for tasks that run in a worker"):
        current_executor()
    refused = pytest.raises(Exception, match="is for tasks that run in a worker")
    with subtests.test("a lent interpreter"), single._pool.lease() as interpreter, refused:
        interpreter.call(nested_tasks.use_executor)
    with subtests.test("a fallback"), InterpreterPoolExecutor(1, fallback="thread", route=["nested_tasks"]) as routed:
        assert "is for tasks that run in a worker" in str(routed.submit(nested_tasks.use_executor).exception(60))
    with subtests.test("an initializer"), InterpreterPoolExecutor(1, initializer=nested_tasks.use_executor) as made:
        with pytest.raises(interp_pool.BrokenInterpreterPool) as info:
            made.submit(abs, -1).result(60)
        assert "an initializer" in str(info.value.__cause__)


def test_executor_and_futures_of_a_task_that_has_ended_say_so(single):
    single.submit(nested_tasks.keep_executor).result(60)
    first, second = single.submit(nested_tasks.use_kept).result(60)
    assert first == "cannot submit: the task that this executor belongs to has ended"
    assert "that has ended without waiting for it" in second


def test_tasks_that_nobody_waits_for_are_run_before_the_pool_ends(started, request):
    told = create_queue()
    with InterpreterPoolExecutor(2) as executor:
        executor.submit(nested_tasks.leave, started, told, 300)
    assert told.qsize() == 300


def test_shutdown_inside_waits_and_refuses(sized):
    assert sized.submit(nested_tasks.shut_down_inside, 20).result(60) == (
        True,
        "cannot schedule new futures after shutdown",
    )


def test_thread_of_a_task_waits_without_helping(executor):
    assert executor.submit(nested_tasks.in_thread, nested_tasks.add_up, 20).result(60) == sum(range(20))


def test_asyncio_in_a_task_awaits_its_tasks(executor):
    assert executor.submit(nested_tasks.add_up_by_asyncio, 50).result(60) == sum(range(50))


def test_executor_of_a_shared_pool_waits_for_tasks_of_its_tasks(started):
    told = create_queue()
    with InterpreterPool(2) as pool:
        with InterpreterPoolExecutor(pool=pool) as executor:
            executor.submit(nested_tasks.leave, started, told, 20)
        assert told.qsize() == 20


def test_workers_with_a_task_limit_nest(subtests):
    with InterpreterPoolExecutor(2, max_tasks_per_child=2) as executor:
        futures = [executor.submit(nested_tasks.fib, 8) for _ in range(8)]
        assert [future.result(60) for future in futures] == [21] * 8


def test_statistics_tell_of_tasks_of_tasks(single, executor):
    single.submit(nested_tasks.fib, 8).result(60)
    counts = single.statistics()
    assert counts.tasks_in_place == 66
    assert counts.deepest_nesting == 7
    assert counts.waits == ()


def test_callback_waits_for_another_task(executor):
    assert executor.submit(nested_tasks.wait_in_callback).result(60) == 2


def test_tasks_of_tasks_nest_in_a_pool_of_a_task(single):
    assert single.submit(nested_tasks.fib_in_pool, 8).result(60) == 21


def test_sixteen_workers_share_the_work():
    with InterpreterPoolExecutor(16) as executor:
        assert [future.result(120) for future in [executor.submit(nested_tasks.fib, 8) for _ in range(20)]] == [21] * 20
        executor._pool.check_invariants()
