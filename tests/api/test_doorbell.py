"""Bells of all kinds."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from time import monotonic

import pytest
from struck import Struck

from interp_api._wakeup import doorbell
from interp_api._wakeup.doorbell import Doorbell, ring

KINDS = ["eventfd", "pipe", "pipe-alarm"]


@pytest.fixture(params=KINDS)
def bell(request, monkeypatch):
    monkeypatch.setattr(doorbell, "KIND", request.param)
    if request.param == "pipe-alarm":
        monkeypatch.setattr(doorbell, "_timed_read", doorbell._alarm_read)
    holder = [Doorbell()]
    yield holder[0]
    os.close(holder[0].reader)
    if holder[0].reader != holder[0].address:
        os.close(holder[0].address)
    del holder[0].reader


@pytest.fixture
def struck_after():
    """Call a function, with an exception after its so manieth call of C code; return whether it came to that."""
    monitoring, tool = sys.monitoring, 3

    def strike(number, function, *args):
        calls = []

        def after_call(*_):
            calls.append(None)
            if len(calls) == number + 1:
                raise Struck

        monitoring.use_tool_id(tool, "struck_after")
        monitoring.register_callback(tool, monitoring.events.CALL, lambda *_: None)
        monitoring.register_callback(tool, monitoring.events.C_RETURN, after_call)
        monitoring.set_local_events(tool, function.__code__, monitoring.events.CALL)
        try:
            function(*args)
        except Struck:
            return True
        finally:
            monitoring.set_local_events(tool, function.__code__, 0)
            monitoring.free_tool_id(tool)
        return False

    return strike


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
        assert doorbell._alarm_read(reader, address, 0.0)
        ring(address)
        assert os.read(reader, 8) == doorbell.RING
    finally:
        os.close(reader)
        os.close(address)


def test_alarm_read_that_is_struck_after_any_call_leaves_no_alarm_for_later(struck_after):
    """It would write where the bell was, a minute later."""
    before, reached = _thread._count(), True
    for number in range(100):
        reader, address = os.pipe()
        ring(address)
        try:
            reached = struck_after(number, doorbell._alarm_read, reader, address, 60.0)
        finally:
            end = monotonic() + 10
            while _thread._count() > before and monotonic() < end:
                pass
            os.close(reader)
            os.close(address)
        assert _thread._count() == before, number
        if not reached:
            break
    assert not reached
    assert number > 5


@pytest.mark.programs
def test_unknown_kind_is_refused(run_python):
    ended = run_python("-c", "import interp_api._wakeup.doorbell", INTERP_API_DOORBELL="gong")
    assert "INTERP_API_DOORBELL must be eventfd, pipe or pipe-alarm, got 'gong'" in ended.err


@pytest.mark.programs
@pytest.mark.parametrize("kind", KINDS)
def test_child_of_a_fork_has_bells_of_its_own(kind, run_python):
    script = """
import os, interp_api._wakeup.fork
from interp_api import ring
from interp_api._wakeup.seats import own_seat
ours = own_seat()
child = os.fork()
if not child:
    ring(own_seat().address)
    os._exit(own_seat().address != ours.address)
assert os.waitpid(child, 0)[1] == 0
assert not ours.wait(0.0)
"""
    ended = run_python("-c", script, INTERP_API_DOORBELL=kind)
    assert ended.status == 0, ended
