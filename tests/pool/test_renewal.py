"""A pool that keeps its queues before those of others."""

from __future__ import annotations

import os
import threading

import fork_scripts
import pytest
import tasks

from interp_api import SimpleQueue, create_queue
from interp_pool import InterpreterPoolExecutor
from interp_pool._pool import renewal

MANY = 20


@pytest.fixture(autouse=True)
def at_every_task(monkeypatch):
    monkeypatch.setattr(renewal, "SPACING", 0)


def ids(executor):
    kernel = executor._pool._kernel
    return kernel.calls.queue.id, kernel.results.id


def have_ready(executor, gate, count):
    """Have so many workers, each of which has had a task, and nothing in flight."""
    held = gate.hold(executor, count)
    gate.open(count)
    for future in held:
        future.result(60)


def test_pool_moves_before_many_queues_and_goes_on(gate):
    with InterpreterPoolExecutor(3, reuse=False) as executor:
        have_ready(executor, gate, 3)
        others = []
        for _ in range(3):
            others += [create_queue() for _ in range(MANY)]
            assert executor.submit(tasks.identity, 7).result(60) == 7
            assert min(ids(executor)) > max(each.id for each in others)
            assert list(executor.map(tasks.identity, range(100))) == list(range(100))
            have_ready(executor, gate, 3)


def test_pool_stays_beside_few_queues(gate):
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        have_ready(executor, gate, 2)
        before, others = ids(executor), [create_queue() for _ in range(5)]
        assert executor.submit(tasks.identity, 7).result(60) == 7
        assert ids(executor) == before
        del others


def test_pool_with_a_task_in_flight_stays(gate):
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        have_ready(executor, gate, 2)
        (held,) = gate.hold(executor)
        before, others = ids(executor), [create_queue() for _ in range(MANY)]
        assert executor.submit(tasks.identity, 7).result(60) == 7
        assert ids(executor) == before
        gate.open()
        held.result(60)
        assert executor.submit(tasks.identity, 7).result(60) == 7
        assert ids(executor) > before
        del others


def test_all_workers_of_a_large_pool_follow(gate):
    with InterpreterPoolExecutor(12, reuse=False) as executor:
        have_ready(executor, gate, 12)
        others = [create_queue() for _ in range(MANY)]
        assert executor.submit(tasks.identity, 7).result(60) == 7
        have_ready(executor, gate, 12)  # each of them has taken a task
        assert min(ids(executor)) > max(each.id for each in others)


def test_queues_come_and_go_while_threads_submit(gate):
    with InterpreterPoolExecutor(3, reuse=False) as executor:
        have_ready(executor, gate, 3)
        wrong, begin = [], threading.Barrier(4)

        def use(first):
            begin.wait(60)
            numbers = range(first, first + 150)
            wrong.extend(number for number in numbers if executor.submit(tasks.identity, number).result(60) != number)

        def make():
            begin.wait(60)
            for _ in range(150):
                others = [SimpleQueue() for _ in range(MANY)]
                executor.submit(tasks.identity, 1).result(60)
                del others

        threads = [threading.Thread(target=use, args=(1000 * number,)) for number in range(3)]
        threads.append(threading.Thread(target=make))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


@pytest.mark.programs
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_the_pool_has_moved(tmp_path):
    script = """
ex = InterpreterPoolExecutor(2, reuse=False)
print(list(ex.map(abs, range(-3, 0))))
before, others = ex._pool._kernel.results.id, [create_queue() for _ in range(20)]
while ex._pool._kernel.results.id == before:  # until the manager has heard that the workers are ready
    ex._pool._intake._renewal._looked_at = -1000
    ex.submit(abs, -1).result()
print("status", fork(lambda: print("child:", ex.submit(pow, 2, 5).result())))
print(ex.submit(pow, 2, 3).result())
"""
    assert fork_scripts.run(tmp_path, script) == (0, "[3, 2, 1]\nchild: 32\nstatus 0\n8\n", "")
