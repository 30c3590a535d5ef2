"""Tasks of tasks: interrupts, timeouts, cancels, lost and abandoned workers, and what is on top of what."""

from __future__ import annotations

import random
from concurrent.futures import CancelledError

import nested_tasks
import pytest
import stopping_tasks
import tasks
from waiting import wait_until

from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor, TaskInterrupted, WorkerLostError

LONG = 60.0


@pytest.fixture
def queues(request):
    yield [create_queue() for _ in range(4)]
    del request.node.funcargs["queues"]  # they end before the leak check looks


def test_interrupt_of_a_parent_strikes_what_runs_in_place(single, queues, subtests):
    started, ended, *_ = queues
    for function in (nested_tasks.spin_below_and_tell, nested_tasks.spin_two_below_and_tell):
        with subtests.test(function=function.__name__):
            future = single.submit(function, started, ended)
            started.get(timeout=60)
            assert future.interrupt(LONG)
            assert isinstance(future.exception(60), TaskInterrupted)
            assert [ended.get(timeout=60), ended.get(timeout=60)] == ["child", "parent"]
            assert single.submit(nested_tasks.fib, 5).result(60) == 5


def test_interrupt_of_a_parent_ends_its_task_in_another_worker(executor, queues):
    started, ended, is_held, _ = queues
    future = executor.submit(nested_tasks.spin_elsewhere, started, ended, is_held)
    started.get(timeout=60)
    is_held.put(None)
    _wait_for_waits(executor, "waits for task spin_and_tell() in")
    assert future.interrupt(LONG)
    assert isinstance(future.exception(60), TaskInterrupted)
    assert ended.get(timeout=60) == "child"
    assert executor.submit(nested_tasks.fib, 8).result(60) == 21


def test_timeout_of_a_parent_ends_its_tasks(executor, queues, subtests):
    started, ended, is_held, _ = queues
    with subtests.test("in place"):
        future = executor.options(timeout=1.5).submit(nested_tasks.spin_below, started, ended)
        assert isinstance(future.exception(60), TimeoutError)
        assert ended.get(timeout=60) == "child"
    with subtests.test("elsewhere"):
        is_held.put(None)
        future = executor.options(timeout=1.5).submit(nested_tasks.spin_elsewhere, started, ended, is_held)
        assert isinstance(future.exception(60), TimeoutError)
        assert ended.get(timeout=60) == "child"


def test_interrupt_that_a_parent_swallows_lets_it_wait_again(executor, queues):
    started, gate, is_held, _ = queues
    future = executor.submit(nested_tasks.swallow_interrupt, started, gate, is_held)
    started.get(timeout=60)
    is_held.put(None)
    _wait_for_waits(executor, "waits for task hold() in")
    future.interrupt(0)
    assert future.result(60) == 3
    gate.put(None)


def test_options_of_a_task_hold_on_any_number_of_workers(single, executor, queues, subtests):
    started, ended, *_ = queues
    for made in (single, executor):
        with subtests.test(workers=made._max_workers, option="timeout"):
            options = {"timeout": 0.5, "name": "spinner"}
            future = made.submit(nested_tasks.error_of_call_with, options, nested_tasks.spin_and_tell, started, ended)
            assert future.result(60) == (
                "TimeoutError",
                "task 'spinner' was stopped: it ran longer than its timeout of 0.5 s",
            )
            assert ended.get(timeout=60) == "child"
        with subtests.test(workers=made._max_workers, option="deadline"):
            kind, text = made.submit(nested_tasks.error_of_call_with, {"deadline": 1.0}, abs, -1).result(60)
            assert (kind, text) == ("TimeoutError", "task abs() was not started: it was not done by its deadline")
        with subtests.test(workers=made._max_workers, option="timeout that is long"):
            assert made.submit(nested_tasks.timed_fib, 8, 60.0).result(60) == 21
            assert made.submit(nested_tasks.call_with, {"priority": 3}, tasks.add, 1, 2).result(60) == 3


def test_cancel_of_a_task(single, executor, queues):
    assert single.submit(nested_tasks.cancel_unsent).result(60) == (True, True, True)
    assert single.submit(nested_tasks.cancel_sent).result(60) == (True, True, "cancelled")


def test_interrupt_of_a_task_by_its_parent(executor, queues):
    started, is_held, *_ = queues
    future = executor.submit(nested_tasks.interrupt_child, started, is_held)
    started.get(timeout=60)
    is_held.put(None)
    assert future.result(60) == (True, "TaskInterrupted")


def test_interrupt_of_a_task_in_place_is_refused_and_with_options_strikes_it_alone(single, queues):
    said, ended = single.submit(nested_tasks.interrupt_in_place, {}, queues[0]).result(60)
    assert said.startswith("cannot interrupt a task that its parent runs itself while it waits")
    assert ended == "NoneType"
    assert single.submit(nested_tasks.interrupt_in_place, {"name": "alone"}, queues[0]).result(60) == (
        True,
        "TaskInterrupted",
    )


def test_cancel_of_a_parent_that_waits_interrupts_it_if_so_asked(executor, queues):
    started, ended, is_held, _ = queues
    view = executor.options(interrupt_on_cancel=True)
    future = view.submit(nested_tasks.spin_elsewhere, started, ended, is_held)
    started.get(timeout=60)
    is_held.put(None)
    assert not future.cancel()
    assert isinstance(future.exception(60), TaskInterrupted)
    assert ended.get(timeout=60) == "child"


def _wait_for_waits(executor, *texts):
    """Block until statistics() tell of all that."""
    while True:
        waits = executor.statistics().waits
        if all(any(text in line for line in waits) for text in texts):
            return waits


def _bury(executor, queues):
    """Have a task wait for one of another worker, and another one run on top of it; return both futures."""
    started, gate, is_held, on_top = queues
    below = executor.submit(nested_tasks.hold_below_elsewhere, started, gate, is_held)
    started.get(timeout=60)
    is_held.put(None)
    _wait_for_waits(executor, "task hold_below_elsewhere() in", "waits for task hold() in")
    top = executor.submit(nested_tasks.spin_until, on_top, is_held)
    on_top.get(timeout=60)
    _wait_for_waits(executor, "waits below another task")
    return below, top


def test_task_that_waits_runs_others_of_the_pool_meanwhile(executor, queues):
    _, gate, is_held, _ = queues
    below, top = _bury(executor, queues)
    is_held.put("done")
    assert top.result(60) == "done"
    assert not below.done()
    gate.put(None)
    assert isinstance(below.result(60), int)
    assert executor.statistics().deepest_nesting == 1


def test_result_for_a_buried_task_waits_until_it_is_on_top(executor, queues):
    _, gate, is_held, _ = queues
    below, top = _bury(executor, queues)
    gate.put(None)
    assert not below.done()
    is_held.put("done")
    assert top.result(60) == "done"
    assert isinstance(below.result(60), int)


def test_interrupt_strikes_the_task_on_top_alone(executor, queues):
    _, gate, _, _ = queues
    below, top = _bury(executor, queues)
    assert top.interrupt(LONG)
    assert isinstance(top.exception(60), TaskInterrupted)
    gate.put(None)
    assert isinstance(below.result(60), int)


def test_interrupt_of_a_buried_task_waits_until_it_is_on_top(executor, queues):
    _, gate, is_held, _ = queues
    below, top = _bury(executor, queues)
    assert not below.interrupt(0.01)
    assert not below.done()
    is_held.put("done")
    assert top.result(60) == "done"
    assert isinstance(below.exception(60), TaskInterrupted)
    gate.put(None)


def test_interrupt_of_a_task_buried_below_a_descendant_of_its_own_strikes_that(executor, queues):
    started, ended, gate, began = queues
    future = executor.submit(nested_tasks.have_one_spin_on_top, started, ended, gate, began)
    started.get(timeout=60)
    _wait_for_waits(executor, "task have_one_spin_on_top() in", "waits below another task")
    assert future.interrupt(LONG)
    assert isinstance(future.exception(60), TaskInterrupted)
    assert ended.get(timeout=60) == "child"
    assert executor.submit(nested_tasks.fib, 8).result(60) == 21


def test_timeout_of_a_task_buried_below_a_descendant_of_its_own_strikes_that(executor, queues):
    started, ended, gate, began = queues
    view = executor.options(timeout=1.5)
    future = view.submit(nested_tasks.have_one_spin_on_top, started, ended, gate, began)
    assert isinstance(future.exception(60), TimeoutError)
    assert ended.get(timeout=60) == "child"


def test_shutdown_that_cancels_ends_tasks_of_tasks(queues):
    started, gate, *_ = queues
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(nested_tasks.wait_for_cancelled, started, gate)
        started.get(timeout=60)
        executor.shutdown(wait=False, cancel_futures=True)
        gate.put(None)
        assert future.result(60) in ("cancelled", "done")


def test_tasks_can_be_submitted_by_tasks_after_a_shutdown(queues):
    started, gate, *_ = queues
    executor = InterpreterPoolExecutor(2)
    future = executor.submit(nested_tasks.hold_then_fib, started, gate, 8)
    started.get(timeout=60)
    executor.shutdown(wait=False)
    gate.put(None)
    assert future.result(60) == 21
    executor.shutdown()


def test_worker_that_is_lost_with_a_task_of_a_task_fails_that(executor, queues):
    started, is_held, *_ = queues
    future = executor.submit(nested_tasks.lose_child, started, is_held)
    started.get(timeout=60)
    is_held.put(None)
    kind, text = future.result(60)
    assert kind == "WorkerLostError"
    assert "failed while it ran task lose_worker()" in text
    assert executor.submit(nested_tasks.fib, 5).result(60) == 5


def test_parent_whose_worker_is_lost_has_its_tasks_interrupted(executor, queues):
    started, ended, is_held, _ = queues
    future = executor.submit(nested_tasks.lose_parent, started, ended, is_held)
    started.get(timeout=60)
    is_held.put(None)
    assert isinstance(future.exception(60), WorkerLostError)
    assert ended.get(timeout=60) == "child"
    assert executor.submit(nested_tasks.fib, 5).result(60) == 5


def test_abandoned_worker_ends_what_is_buried_in_it(executor, queues, stuck):
    _, gate, _, _ = queues
    started, gate, is_held, _ = queues
    below = executor.submit(nested_tasks.hold_below_elsewhere, started, gate, is_held)
    started.get(timeout=60)
    is_held.put(None)
    _wait_for_waits(executor, "waits for task hold() in")
    top = stuck.hold(executor)
    assert not top.interrupt(0.02)
    assert isinstance(top.exception(60), TaskInterrupted)
    error = below.exception(60)
    assert isinstance(error, WorkerLostError)
    assert "which ran on top of it" in str(error)
    stuck.release()
    gate.put(None)
    wait_until(executor._pool, lambda: not executor._pool._kernel.staff.stuck)
    assert executor.submit(nested_tasks.fib, 5).result(60) == 5


def test_task_of_a_task_that_has_a_route_goes_to_the_fallback():
    with InterpreterPoolExecutor(2, fallback="thread", route=["stopping_tasks"]) as executor:
        for number, options in enumerate(({"name": "routed"}, {}), 1):
            assert executor.submit(nested_tasks.call_with, options, stopping_tasks.thread_name).result(60)
            assert executor.statistics().tasks_in_threads == number


def test_task_of_a_task_that_no_worker_can_load_goes_to_the_fallback():
    with InterpreterPoolExecutor(1, fallback="thread") as executor:
        assert executor.submit(nested_tasks.call_refused).result(60)
        assert executor.statistics().tasks_in_threads == 1
        assert executor.submit(nested_tasks.fib, 8).result(60) == 21


@pytest.mark.stress
def test_storm_of_interrupts_and_timeouts_ends_every_task(stress):
    """Also of what is buried, handed over, returned, in place and in other workers."""
    for seed in range(2 * stress):
        chance = random.Random(seed)
        with InterpreterPoolExecutor(chance.choice([1, 2, 3])) as executor:
            for _ in range(20):
                futures = [_submit_some(executor, chance) for _ in range(chance.randrange(1, 8))]
                for future in futures:
                    if chance.random() < 0.4:
                        future.where()  # takes a while, of a length that varies
                        future.interrupt(0)
                for future in futures:
                    try:
                        future.result(60)
                    except (TaskInterrupted, CancelledError):
                        pass
                    except TimeoutError:
                        assert future.done()
                executor._pool.check_invariants()
            assert executor.submit(nested_tasks.fib, 8).result(60) == 21
            book = executor._pool._kernel.nested
            wait_until(executor._pool, lambda book=book: not book.children)


def _submit_some(executor, chance):
    view = executor if chance.random() < 0.8 else executor.options(timeout=chance.uniform(0.0001, 0.02))
    kind = chance.randrange(4)
    if kind == 0:
        return view.submit(nested_tasks.fib, chance.randrange(3, 12))
    if kind == 1:
        return view.submit(nested_tasks.timed_fib, chance.randrange(3, 8), chance.choice([60.0, 60.0, 0.002]))
    if kind == 2:
        return view.submit(nested_tasks.add_up_as_completed, chance.randrange(200))
    return view.submit(nested_tasks.map_squares, chance.randrange(200))
