"""Bells of all kinds."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from interp_api import _doorbell
from interp_api._doorbell import Doorbell, own_bell, ring

KINDS = ["eventfd", "pipe", "pipe-alarm"]


@pytest.fixture(params=KINDS)
def bell(request, monkeypatch):
    monkeypatch.setattr(_doorbell, "KIND", request.param)
    if request.param == "pipe-alarm":
        monkeypatch.setattr(_doorbell, "_timed_read", _doorbell._alarm_read)
    holder = [Doorbell()]
    yield holder[0]
    os.close(holder[0].reader)
    if holder[0].reader != holder[0].address:
        os.close(holder[0].address)
    del holder[0].reader


def test_ring_before_wait_ends_it(bell):
    ring(bell.address)
    assert bell.wait(None)
    assert not bell.wait(0.0)


def test_ring_before_timed_wait_ends_it(bell):
    ring(bell.address)
    assert bell.wait(60.0)
    assert not bell.wait(0.0)


def test_wait_without_ring_ends_with_its_time(bell):
    assert not bell.wait(0.01)
    ring(bell.address)
    assert bell.wait(60.0)


def test_ring_wakes_a_blocked_thread(bell):
    rung = []
    thread = threading.Thread(target=lambda: rung.append(bell.wait(60.0)))
    thread.start()
    ring(bell.address)
    thread.join()
    assert rung == [True]


def test_exception_of_a_signal_handler_ends_the_wait_and_leaves_the_ring(bell):
    class Struck(Exception):
        pass

    def handler(*args):
        ring(bell.address)
        raise Struck

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Struck):
            bell.wait(60.0)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert bell.wait(60.0)
    assert not bell.wait(0.0)


def test_alarm_written_after_the_ring_is_read_too(monkeypatch):
    """1. The time is up. 2. The ring is read. 3. The alarm, written meanwhile, must not stay in the pipe."""
    reader, address = os.pipe()
    try:
        ring(address)
        assert _doorbell._alarm_read(reader, address, 0.0)
        ring(address)
        assert os.read(reader, 8) == _doorbell.RING
    finally:
        os.close(reader)
        os.close(address)


def test_bell_is_the_threads_own_and_closed_with_it():
    seen = []
    thread = threading.Thread(target=lambda: seen.append((own_bell().reader, own_bell() is own_bell())))
    thread.start()
    thread.join()
    [(reader, is_same)] = seen
    assert is_same
    assert reader != own_bell().reader
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


def test_unknown_kind_is_refused(run_python):
    ended = run_python("-c", "import interp_api._doorbell", INTERP_API_DOORBELL="gong")
    assert "INTERP_API_DOORBELL must be eventfd, pipe or pipe-alarm, got 'gong'" in ended.err


@pytest.mark.parametrize("kind", KINDS)
def test_child_of_a_fork_has_bells_of_its_own(kind, run_python):
    script = """
import os
from interp_api._doorbell import own_bell, ring
ours = own_bell()
child = os.fork()
if not child:
    ring(own_bell().address)
    os._exit(not own_bell().wait(10.0))
assert os.waitpid(child, 0)[1] == 0
assert not ours.wait(0.0)
"""
    ended = run_python("-c", script, INTERP_API_DOORBELL=kind)
    assert ended.status == 0, ended
