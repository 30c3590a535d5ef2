"""The timer: calls at their time, in their order, and a thread that goes when there is nothing to call."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from time import monotonic

import pytest

from interp_pool._process import timer as timer_module


@pytest.fixture
def timer():
    timer = timer_module.Timer()
    yield timer
    timer.end()


@contextmanager
def hold(timer):
    """Have the timer's thread call nothing else meanwhile."""
    begun, may_end = threading.Event(), threading.Event()
    timer.call_at(0.0, lambda: (begun.set(), may_end.wait(60)))
    assert begun.wait(60)
    yield
    may_end.set()


def test_calls_come_in_the_order_of_their_times(timer):
    called = queue.SimpleQueue()
    start = monotonic()
    with hold(timer):  # it calls nothing before all are there
        for delay in (0.03, 0.01, 0.02, -5.0):
            timer.call_at(start + delay, lambda delay=delay: called.put((delay, monotonic())))
    order = [called.get(timeout=60) for _ in range(4)]
    assert [delay for delay, _ in order] == [-5.0, 0.01, 0.02, 0.03]
    assert all(when >= start + delay for delay, when in order)


def test_call_that_was_called_off_does_not_come(timer):
    called = queue.SimpleQueue()
    now = monotonic()
    with hold(timer):  # it calls nothing before all are there
        calls = [timer.call_at(now + 0.01, lambda n=n: called.put(n)) for n in range(5)]
        calls[0].cancel()
        calls[3].cancel()
        timer.call_at(now + 0.02, lambda: called.put("end"))
    assert [*iter(lambda: called.get(timeout=60), "end")] == [1, 2, 4]


def test_calls_that_were_called_off_do_not_pile_up(timer):
    for _ in range(20 * timer_module._FEW):
        timer.call_at(monotonic() + 3600, print).cancel()
    with hold(timer):  # it has taken them all
        assert not timer._inbox
        assert len(timer._calls) <= 2 * timer_module._FEW


def test_thread_ends_when_there_is_nothing_to_call_and_comes_back(timer, monkeypatch):
    monkeypatch.setattr(timer_module, "LINGER", 0.0)
    called = queue.SimpleQueue()
    for n in range(3):
        timer.call_at(monotonic(), lambda n=n: called.put(n))
        thread = timer._thread
        assert called.get(timeout=60) == n
        if thread is not None:
            thread.join(60)
            assert not thread.is_alive()


def test_pause_and_resume_lose_nothing(timer):
    called = queue.SimpleQueue()
    timer.call_at(monotonic() + 0.01, lambda: called.put(1))
    timer.pause()
    assert timer._thread is None
    timer.resume()
    assert called.get(timeout=60) == 1


def test_after_the_end_nothing_is_called(timer):
    timer.end()
    timer.call_at(monotonic(), lambda: pytest.fail("called"))
    assert timer._thread is None
