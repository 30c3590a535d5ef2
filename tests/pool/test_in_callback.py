"""A callback that waits for a task of its own pool: it gets the result, where every other executor hangs."""

from __future__ import annotations

import logging
import threading

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor, report

TIMEOUT = 60


class Called:
    """A callback that does something, and keeps what came of it."""

    def __init__(self, action):
        self.action, self.outcome, self.is_done = action, None, threading.Event()

    def __call__(self, *args):
        try:
            self.outcome = self.action()
        except Exception as exc:
            self.outcome = exc
        self.is_done.set()

    def wait(self):
        assert self.is_done.wait(TIMEOUT)
        return self.outcome


def when_done(executor, action):
    """Return what an action gives that is the callback of a task which another thread waits for."""
    called = Called(action)
    future = executor.submit(tasks.identity, 1)
    future.add_done_callback(called)
    assert future.result(TIMEOUT) == 1
    return called.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_callback_gets_what_it_submits(workers):
    """python/cpython#78449, agronholm/apscheduler#338: callbacks that use the executor whose thread they run in."""
    with InterpreterPoolExecutor(workers) as executor:
        assert when_done(executor, lambda: executor.submit(tasks.identity, 2).result(TIMEOUT)) == 2
        assert type(when_done(executor, lambda: executor.submit(divmod, 1, 0).result(TIMEOUT))) is ZeroDivisionError
        assert when_done(executor, lambda: [*executor.map(abs, range(-200, 0))]) == [*range(200, 0, -1)]
        assert executor.submit(tasks.identity, 3).result(TIMEOUT) == 3


def test_callback_that_waits_in_vain_goes_on(single, gate):
    assert type(when_done(single, lambda: gate.submit(single).result(0.05))) is TimeoutError
    gate.open()
    assert single.submit(tasks.identity, 3).result(TIMEOUT) == 3


def test_callbacks_that_all_wait_run_one_after_the_other(executor):
    """One on top of the other they would exhaust the stack."""
    depth, deepest = [0], [0]

    def wait():
        depth[0] += 1
        deepest[0] = max(deepest[0], depth[0])
        result = executor.submit(tasks.identity, 2).result(TIMEOUT)
        depth[0] -= 1
        return result

    called = [Called(wait) for _ in range(100)]
    for each in called:
        executor.submit(tasks.identity, 1).add_done_callback(each)
    assert sum(executor.map(abs, range(500))) == sum(range(500))
    assert [each.wait() for each in called] == [2] * 100
    assert deepest == [1]


def test_others_get_results_while_a_callback_waits(executor, gate):
    callback_waits = threading.Event()

    def wait():
        future = gate.submit(executor)
        callback_waits.set()
        return future.result(TIMEOUT)

    called = Called(wait)
    executor.submit(tasks.identity, 1).add_done_callback(called)
    assert callback_waits.wait(TIMEOUT)
    assert [executor.submit(tasks.identity, n).result(TIMEOUT) for n in range(20)] == [*range(20)]
    gate.open()
    called.wait()


def test_callback_that_shuts_down_after_its_wait_ends_the_pool():
    executor = InterpreterPoolExecutor(1)

    def wait_and_end():
        result = executor.submit(tasks.identity, 2).result(TIMEOUT)
        executor.shutdown(wait=True)
        return result

    assert when_done(executor, wait_and_end) == 2
    executor.shutdown()


def test_handler_of_a_log_record_gets_what_it_submits(monkeypatch):
    class Handler(logging.Handler):
        def emit(self, record):
            called()

    handler = Handler()
    monkeypatch.setattr(logging.getLogger("seen"), "handlers", [handler])
    with InterpreterPoolExecutor(1, log="forward") as executor:
        called = Called(lambda: executor.submit(tasks.identity, 4).result(TIMEOUT))
        assert executor.submit(log_warning).exception(TIMEOUT) is None
        assert called.wait() == 4


def test_on_progress_gets_what_it_submits(single):
    called = Called(lambda: single.submit(tasks.identity, 5).result(TIMEOUT))
    assert [*single.map(report_and_return, [1], on_progress=called)] == [1]
    assert called.wait() == 5


def log_warning():
    logging.getLogger("seen").warning("something")


def report_and_return(item):
    report(1, 2)
    return item
