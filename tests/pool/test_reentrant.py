"""A signal handler or finalizer that calls the pool in the middle of one of the pool's own steps."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import as_completed
from contextlib import suppress

import pytest
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._pool.calls import Calls
from interp_pool._pool.intake import Intake
from interp_pool._pool.kernel import Kernel


class Step:
    """Has something called in the middle of a step of a pool: when it next tops up the calls queue, say."""

    def __init__(self, pool, name="top_up"):
        self.pool, self.name = pool, name
        self.parts = pool._intake, pool._kernel, pool._kernel.calls
        self.kind = {"_submit": Intake, "send": Calls}.get(name, Kernel)

    def interrupt_with(self, monkeypatch, action):
        """Call `action` once, in the middle of the next such step of this thread."""
        original, thread, todo = getattr(self.kind, self.name), threading.get_ident(), [action]

        def step(part, *args):
            result = original(part, *args)
            is_in_step = part in self.parts and self.pool._kernel.lock._is_owned()
            if is_in_step and todo and threading.get_ident() == thread:
                todo.pop()()
            return result

        monkeypatch.setattr(self.kind, self.name, step)


@pytest.fixture(params=["own", "shared"])
def made(request):
    """An executor on a pool of its own or a shared one, that has started."""
    if request.param == "own":
        executor = InterpreterPoolExecutor(1)
        executor.submit(abs, 1).result(60)
        yield executor
        executor.shutdown()
        executor._pool.check_invariants()
    else:
        with InterpreterPool(1) as pool:
            executor = InterpreterPoolExecutor(pool=pool)
            executor.submit(abs, 1).result(60)
            yield executor
            executor.shutdown()
            pool.check_invariants()
    del request.node.funcargs["made"]


STEPS = ["_submit", "want_workers", "send"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("wait", [False, True])
def test_shutdown_in_the_middle_of_a_submit_refuses_at_once_and_ends_every_future(made, gate, monkeypatch, step, wait):
    (running,) = gate.hold(made)
    refused = []

    def act():
        made.shutdown(wait, cancel_futures=True)
        with pytest.raises(RuntimeError, match="after shutdown"):
            made.submit(abs, 1)
        refused.append(made._shutdown)

    Step(made._pool, step).interrupt_with(monkeypatch, act)
    futures = []
    with suppress(RuntimeError):
        for _ in range(3):
            futures.append(made.submit(abs, 1))
            made._pool.resize(2)  # another step
    gate.open()
    made.shutdown()
    assert refused in ([], [True])
    if step != "_want_workers" or refused:
        assert refused
    assert running.done()
    assert all(future.done() for future in futures)


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_workers_stopped_in_the_middle_of_a_submit_end_every_future(made, started, monkeypatch, how):
    running = made.submit(tasks.spin_unless_none, started)
    started.get(timeout=60)
    Step(made._pool, "send").interrupt_with(monkeypatch, getattr(made, how))
    futures = [running, made.submit(abs, 1)]
    with pytest.raises(RuntimeError, match="after shutdown"):
        made.submit(abs, 1)
    made.shutdown()
    assert all(future.done() for future in futures)


def test_submit_in_the_middle_of_a_submit_runs(made, monkeypatch):
    inner = []
    Step(made._pool, "send").interrupt_with(monkeypatch, lambda: inner.append(made.submit(abs, -5)))
    assert made.submit(abs, -4).result(60) == 4
    assert inner[0].result(60) == 5


def test_map_in_the_middle_of_a_submit_runs(made, monkeypatch):
    inner = []
    Step(made._pool, "send").interrupt_with(monkeypatch, lambda: inner.append(made.map(abs, range(100))))
    assert made.submit(abs, -4).result(60) == 4
    assert list(inner[0]) == [*range(100)]


def test_resize_in_the_middle_of_a_submit_happens_after_it(made, monkeypatch):
    Step(made._pool, "send").interrupt_with(monkeypatch, lambda: made.resize(3))
    made.submit(abs, -4).result(60)
    while made._max_workers != 3:  # the manager may have sent it: then the result is there before it has resized
        pass


def test_resize_with_bad_number_in_the_middle_of_a_submit_says_so(made, monkeypatch):
    errors = []

    def act():
        with pytest.raises(ValueError, match="max_workers must be") as info:
            made.resize(0)
        errors.append(info.type)

    Step(made._pool, "send").interrupt_with(monkeypatch, act)
    made.submit(abs, -4).result(60)
    assert errors == [ValueError]


def test_submit_in_the_middle_of_a_step_of_a_pool_that_never_started_runs():
    with InterpreterPoolExecutor(1) as executor:
        pool, inner = executor._pool, []
        with pool._kernel.lock:  # as a finalizer would find it
            inner.append(executor.submit(abs, -5))
        assert inner[0].result(60) == 5


def test_cancel_and_statistics_in_the_middle_of_a_step_agree(made, gate):
    gate.hold(made)
    futures = [made.submit(abs, 1) for _ in range(10)]
    with made._pool._kernel.lock:
        cancelled = [future.cancel() for future in futures].count(True)
        assert made.statistics().tasks_waiting == 10 - cancelled - made.statistics().tasks_sent
    gate.open()


@pytest.mark.parametrize("wait", [False, True])
def test_signal_handler_that_shuts_down_while_futures_are_awaited_ends_the_wait(wait):
    with InterpreterPoolExecutor(1) as executor:
        futures = [executor.submit(tasks.spend, 0.001) for _ in range(300)]
        before = signal.signal(signal.SIGUSR1, lambda *_: executor.shutdown(wait))
        try:
            sender = threading.Thread(target=signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGUSR1))
            sender.start()
            assert len([*as_completed(futures, timeout=60)]) == 300
            sender.join()
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_reader_lets_the_manager_work_for_a_handler_that_comes_right_after_it_was_relieved(monkeypatch):
    # T2, and then: the handler shuts the executor down and waits for its end.
    with InterpreterPoolExecutor(1) as executor:
        results = executor._pool._kernel.results
        future, ended = executor.submit(tasks.spend, 0.05), []
        relieve = type(results).relieve

        def relieve_and_strike(queue, address):
            relieve(queue, address)
            if address and queue is results and not ended:
                ended.append(None)
                executor.shutdown(wait=True)

        monkeypatch.setattr(type(results), "relieve", relieve_and_strike)
        assert future.result(60) is None
