"""Tasks that wait for their tasks in ways that run none, on pools that have no worker for them."""

from __future__ import annotations

import logging
import threading

import nested_tasks
import pytest
import stalling_tasks
import tasks
from waiting import wait_until

from interp_pool import InterpreterPoolExecutor, TaskInterrupted
from interp_pool._core import relief
from interp_pool._pool import relieving


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(relieving, "LOOK", 0.02)


@pytest.fixture(params=[1, 2])
def sized(request):
    with InterpreterPoolExecutor(request.param) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["sized"]  # before the leak check looks


def test_every_way_to_wait_ends_on_a_full_pool(sized, subtests, logged):
    for way in stalling_tasks.WAYS:
        with subtests.test(way=way.__name__):
            futures = [sized.submit(way, abs, -number) for number in range(4)]
            assert [future.result(60) for future in futures] == [0, 1, 2, 3]
    assert logged == []


def test_every_way_to_ask_without_a_pause_ends_on_a_full_pool(sized, subtests, logged):
    for way in stalling_tasks.ASKING_WAYS:
        with subtests.test(way=way.__name__):
            futures = [sized.submit(way, abs, -number) for number in range(3)]
            assert [future.result(60) for future in futures] == [0, 1, 2]
    assert logged == []


@pytest.mark.parametrize("way", ["event", "pause", "no pause"])
@pytest.mark.parametrize("options", [{"name": "handed"}, {"timeout": 60}, {}])
def test_child_that_comes_back_when_its_parent_waits_in_another_way_is_begun(single, started, gate, way, options):
    """The pool does not answer while the parent waits with a limit."""
    future = single.submit(stalling_tasks.after_a_timed_wait, options, way, started, gate.exits, abs, -1)
    started.get(timeout=60)
    with single._pool._kernel.lock:
        gate.open()
        started.get(timeout=60)
    assert future.result(60) == 1


def test_tasks_that_stall_on_top_of_each_other_end(sized, logged):
    assert sized.submit(stalling_tasks.chain, 5).result(60) == 5
    assert logged == []


def test_children_go_before_the_tasks_that_came_earlier(single):
    """Otherwise each of these takes a worker more, and stalls as well."""
    futures = [single.submit(stalling_tasks.gather, 40) for _ in range(10)]
    assert [future.result(60) for future in futures] == [sum(range(40))] * 10
    assert single._pool._kernel.staff.most_extra < 10


def test_children_go_before_what_was_sent_though_the_window_is_full(single, logged):
    """The pool has sent many tiny tasks at once: there is no room for a child until some of these have ended."""
    assert [*single.map(abs, range(200), chunksize=1)] == [*range(200)]
    futures = [single.submit(stalling_tasks.by_event, abs, -number) for number in range(relief.MOST + 6)]
    assert [future.result(60) for future in futures] == [*range(relief.MOST + 6)]
    assert logged == []
    assert single._pool._kernel.staff.most_extra < relief.MOST


def test_workers_that_are_more_end_and_are_counted_until_then(single, gate):
    future = single.submit(stalling_tasks.by_thread, tasks.hold, gate.started, gate.exits)
    gate.started.get(timeout=60)
    now = single.statistics()
    assert (now.workers_extra, now.workers_busy) == (1, 2)
    assert len(now.waits) == 1
    assert "by_thread() in " in now.waits[0]
    assert now.waits[0].endswith("rests; a worker more takes its place")
    assert "extra 1" in repr(single)
    gate.open()
    future.result(60)
    wait_until(single._pool, lambda: len(single._pool._kernel.staff.workers) == 1)
    assert single.statistics().workers_extra == 0
    assert single.submit(abs, -1).result(60) == 1


def test_task_that_waits_for_something_else_is_not_told_of(single, started, gate, logged):
    future = single.submit(stalling_tasks.hold_with_a_task, started, gate.exits)
    assert started.get(timeout=60) == "parent"
    assert started.get(timeout=60) == "child"
    gate.open()
    assert future.result(60) == "child"
    assert logged == []


def test_task_that_waits_in_c_is_not_told_of(single, started, stuck, logged):
    future = single.submit(stalling_tasks.hold_with_a_task_in_c, started, *stuck.arguments())
    stuck.wait()
    assert started.get(timeout=60) == "child"
    stuck.release()
    assert future.result(60) == "child"
    assert logged == []


def test_task_that_computes_is_not_told_of(single, logged):
    assert single.submit(stalling_tasks.compute_then_wait, 0.2).result(60) == 1
    assert logged == []


def test_children_that_come_back_when_nobody_looks_are_begun(single):
    future = single.submit(stalling_tasks.wait_a_little_then, stalling_tasks.by_queue, abs, -1)
    assert future.result(60) == (1, [1, 1, 1])


def test_pool_looks_again_after_it_had_no_tasks(single):
    for way in (stalling_tasks.by_thread, stalling_tasks.by_shared_queue):
        assert single.submit(way, abs, -1).result(60) == 1
        while single._pool._nesting._relieving._call is not None:  # nothing tells when it looks no more
            pass


def test_workers_with_a_task_limit_are_relieved():
    with InterpreterPoolExecutor(1, max_tasks_per_child=2) as executor:
        futures = [executor.submit(stalling_tasks.by_loop, abs, -number) for number in range(5)]
        assert [future.result(60) for future in futures] == [*range(5)]


def test_task_that_nobody_can_help_is_told_with_its_line_and_what_to_do(single, monkeypatch, logged):
    monkeypatch.setattr(relief, "MOST", 0)
    told, warn_of = threading.Event(), relieving.warn_of
    monkeypatch.setattr(relieving, "warn_of", lambda *given: (warn_of(*given), told.set()))
    future = single.submit(stalling_tasks.by_looking, abs, -1)
    assert told.wait(60)
    ((level, text, _),) = logged
    assert level == logging.WARNING
    assert "task by_looking() runs in InterpreterPoolExecutor" in text
    assert "stalling_tasks.py:" in text
    assert "in by_looking; to wait in the task's own thread, by result()" in text
    assert future.interrupt()
    assert isinstance(future.exception(60), TaskInterrupted)


@pytest.mark.stress
def test_looks_that_find_every_task_at_rest_do_no_harm(monkeypatch, stress):
    """A task that is told apart wrongly, on a machine that is busy, gets a worker more, and nothing else."""
    monkeypatch.setattr(relieving, "LOOK", 0.001)
    monkeypatch.setattr(relief, "RESTING", float("inf"))
    with InterpreterPoolExecutor(2) as executor:
        for _ in range(stress):
            futures = [executor.submit(nested_tasks.fib, number) for number in range(12)]
            futures += [executor.submit(stalling_tasks.gather, number) for number in range(10)]
            expected = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, *(sum(range(number)) for number in range(10))]
            assert [future.result(60) for future in futures] == expected
            executor._pool.check_invariants()
