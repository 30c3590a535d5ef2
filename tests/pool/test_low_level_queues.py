"""How many low-level queues of the runtime a worker has: each makes every queue of the process slower."""

from __future__ import annotations

import _interpqueues
import threading
from functools import partial
from time import monotonic

import pytest
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor

MANY = 5


def count():
    return len(_interpqueues.list_all())


def wait_for(number):
    """Wait until there are so many: a control thread that has answered lets its ends of the queues go just after."""
    end = monotonic() + 60
    while count() != number and monotonic() < end:
        pass
    assert count() == number


def idle(executor):
    """Have all tasks done and nothing on the way; return how many there are then."""
    assert executor.submit(tasks.identity, 1).result(60) == 1
    return count()


@pytest.fixture
def counts(gate, request):
    """Do something with a pool of one and a pool of many workers; return the difference of their low-level queues."""

    def compare(act):
        found = []
        for workers in (1, MANY):
            with InterpreterPoolExecutor(workers, reuse=False) as executor:
                gate.hold(executor, workers)
                gate.open(workers)
                act(executor, workers)
                found.append(idle(executor))
        return found[1] - found[0]

    yield compare
    del request.node.funcargs["counts"]  # and with it the gate


def test_idle_worker_has_none_of_its_own(counts):
    assert counts(lambda executor, workers: None) == 0


def test_worker_has_none_after_interrupts_and_questions(counts, started):
    def act(executor, workers):
        futures = [executor.submit(tasks.spin, started) for _ in range(workers)]
        for _ in futures:
            started.get(timeout=60)
        assert all("in spin" in future.where() for future in futures)
        assert all(future.interrupt(60) for future in futures)

    assert counts(act) == 0


def test_many_who_ask_at_once_where_a_task_is_are_all_answered(single, gate):
    (held,) = gate.hold(single)
    before = count()
    begin, found = threading.Barrier(16), []

    def ask():
        begin.wait(60)
        found.append(held.where())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert all("in hold" in text for text in found)
    wait_for(before)
    gate.open()
    held.result(60)


def test_question_whose_answer_nobody_waits_for_leaves_no_queue_behind(single, stuck):
    held = stuck.submit(single, partial(sum, range(30_000_000)))
    before = count()
    held.where(0)
    held.result(60)
    wait_for(before)


def test_setup_leaves_nothing_in_main(single):
    assert not [name for name in single.submit(tasks.names_in_main).result(60) if "interp_pool" in name]
    with InterpreterPool(1) as pool, pool.lease() as interpreter:
        interpreter.exec("assert not [name for name in globals() if 'interp_pool' in name]")


def test_limit_on_tasks_that_is_no_c_int_is_sent_all_the_same():
    with InterpreterPoolExecutor(1, max_tasks_per_child=1 << 40) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
