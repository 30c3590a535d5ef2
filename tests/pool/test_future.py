"""Futures: cheap until somebody watches, and then like those of the standard library."""

from __future__ import annotations

import threading
from concurrent.futures import ALL_COMPLETED, CancelledError, InvalidStateError, as_completed, wait

import pytest
import tasks
from futures import running
from waiting import sleepers

from interp_pool._futures.claims import finish_quietly, start
from interp_pool._futures.task_future import TaskFuture


def is_watched(future):
    return "_condition" in future.__dict__


def test_future_nobody_watches_has_no_condition_from_start_to_end(executor):
    future = executor.submit(tasks.identity, 5)
    while not future.done():  # looking is not watching
        pass
    assert future.result(60) == 5 == future.result()
    assert not is_watched(future)


def test_watched_future_finishes_quietly_and_wakes_who_waits():
    future = running()
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(future.result(60))),
        threading.Thread(target=lambda: results.append(wait([future], 60, ALL_COMPLETED).done)),
        threading.Thread(target=lambda: results.extend(as_completed([future], 60))),
    ]
    for thread in threads:
        thread.start()
    while len(future._waiters) < 3:
        pass
    assert finish_quietly(future, 5)
    for thread in threads:
        thread.join()
    assert all(result in (5, {future}, future) for result in results)
    assert len(results) == 3


def test_condition_that_is_locked_for_ever_holds_nobody_up():
    """An exception of a signal handler that strikes in `with condition:` leaves it so."""
    finished, cancelled, started = running(), TaskFuture(), TaskFuture()
    for future in (finished, cancelled, started):
        thread = threading.Thread(target=future._condition.acquire)
        thread.start()
        thread.join()
    finished.set_result(5)
    assert finished.result() == 5
    assert cancelled.cancel()
    assert not start(cancelled)
    assert start(started)


def in_thread(function, *args):
    """Call it in a thread; return the list of what it raised, and the thread."""
    raised: list[BaseException] = []

    def body():
        try:
            function(*args)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=body)
    thread.start()
    return raised, thread


def wait_until_somebody_stands_in(pool):
    """Until it sleeps on the results, with the manager's address in its hands."""
    while not (pool._kernel.reader._owner and sleepers(pool._kernel.results)):
        pass


def wait_until_the_manager_sleeps(pool):
    while pool._kernel.results.qsize() or not sleepers(pool._kernel.results):
        pass


@pytest.mark.parametrize("count", [1, 2])
def test_cancelling_wakes_who_waits_for_the_result(executor, gate, count):
    held = gate.hold(executor, 2)
    rest = [gate.submit(executor) for _ in range(8)]  # the last ones wait in the backlog
    last = rest[-1]
    wait_until_the_manager_sleeps(executor._pool)
    raised = [in_thread(last.result) for _ in range(count)]  # the second one does not stand in
    wait_until_somebody_stands_in(executor._pool)
    assert last.cancel()
    for _, thread in raised:
        thread.join()
    assert [type(exc) for excs, _ in raised for exc in excs] == [CancelledError] * count
    gate.open(9)
    assert all(future.result(60) is not None for future in (*held, *rest[:-1]))


def test_settling_by_somebody_else_wakes_who_stands_in(executor, gate, logged):
    (held,) = gate.hold(executor)
    wait_until_the_manager_sleeps(executor._pool)
    raised, thread = in_thread(held.result)
    wait_until_somebody_stands_in(executor._pool)
    held.set_result("mine")
    thread.join()
    assert not raised
    gate.open()
    executor.shutdown()
    assert [kind for _, _, kind in logged] == [InvalidStateError]
