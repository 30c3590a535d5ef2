"""Forced interleavings of the wake-up protocol: the other party's step runs exactly where it hurts most.

Two parties share this one thread. A party's calls of the primitives are replaced by ones that run the other party's
step right before or after; G1 to G5, P1 to P4 and L1 to L3 are the steps of `interp_api._channel`.
"""

from __future__ import annotations

import os

import pytest
import tasks

from interp_api import _channel, _doorbell, _simple_queue
from interp_api._channel import QueueRefs, ring_one, take_back, wait_until
from interp_api._cpython import queue_count, queue_create, queue_get, queue_put
from interp_api._simple_queue import SimpleQueue


class Struck(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def sleepers():
    qid = queue_create(0, 3)
    refs = QueueRefs([qid])
    yield qid
    del refs


class Other:
    """Another thread, asleep."""

    def __init__(self):
        self.bell = _doorbell.Doorbell()
        self.address = self.bell.address
        self.wait = self.bell.wait


@pytest.fixture
def other(sleepers):
    other = Other()
    yield other
    del other.bell, other.wait


def after(function, step, *, on=1):
    """Return `function` followed by `step` at its call number `on`."""
    calls = 0

    def wrapped(*args):
        nonlocal calls
        result = function(*args)
        calls += 1
        if calls == on:
            step()
        return result

    return wrapped


def before(function, step):
    """Return `function` with `step` before its first call."""
    steps = [step]

    def wrapped(*args):
        if steps:
            steps.pop()()
        return function(*args)

    return wrapped


def is_rung(bell):
    return bell.wait(0.0)


def assert_at_rest(sleepers):
    """The thread's bell is silent and its address nowhere."""
    assert not is_rung(_doorbell.own_bell())
    assert queue_count(sleepers) == 0


def publish_from(interpreter, sleepers):
    interpreter.call(tasks.publish_address, sleepers, 0)


def strike():
    raise Struck


def test_item_put_between_first_look_and_publishing_is_found(monkeypatch):
    queue = SimpleQueue()
    # G1 finds nothing; P1 and P2 run: no sleeper, no ring; G2; G3 must find the item.
    monkeypatch.setattr(_channel, "queue_put", before(queue_put, lambda: queue_put(queue.id, "item", 3)))
    assert queue.get(timeout=60) == "item"
    assert_at_rest(queue._sleepers)


def test_item_put_between_publishing_and_second_look_leaves_no_ring_behind(monkeypatch):
    queue = SimpleQueue()
    putter = SimpleQueue(queue.id)
    # G1; G2; P1 to P4 ring the bell; G3 finds the item; L1 finds no address, so L2 reads the ring.
    step = [lambda: putter.put("item")]
    monkeypatch.setattr(_channel, "queue_put", after(queue_put, lambda: step.pop()() if step else None))
    assert queue.get(timeout=60) == "item"
    assert_at_rest(queue._sleepers)


def test_item_put_while_asleep_wakes(monkeypatch):
    queue = SimpleQueue()
    putter = SimpleQueue(queue.id)
    bell = _doorbell.own_bell()
    # G1; G2; G3; P1 to P4; G4 returns at once; G5.
    monkeypatch.setattr(_doorbell.Doorbell, "wait", before(_doorbell.Doorbell.wait, lambda: putter.put("item")))
    assert queue.get() == "item"
    monkeypatch.undo()
    assert _doorbell.own_bell() is bell
    assert_at_rest(queue._sleepers)


def test_ring_in_flight_at_timeout_is_read_and_its_item_taken(sleepers, monkeypatch):
    # G4 times out; P3 takes the address; L1 finds none; P4 rings; L2 reads; the item is there.
    items = []
    bell = _doorbell.own_bell()
    real_wait = _doorbell.Doorbell.wait
    waits = []

    def wait(self, timeout):
        waits.append(timeout)
        if len(waits) == 1:  # G4
            assert queue_get(sleepers)[0] == bell.address  # P3
            return False
        items.append("item")
        _doorbell.ring(bell.address)  # P4
        return real_wait(self, timeout)

    monkeypatch.setattr(_doorbell.Doorbell, "wait", wait)
    assert wait_until(lambda: items.pop() if items else None, sleepers, 0.001) == "item"
    assert waits[1] is None
    monkeypatch.undo()
    assert_at_rest(sleepers)


def test_ring_read_in_vain_at_timeout_goes_to_the_next_sleeper(sleepers, other, monkeypatch):
    # Both sleep. P3 takes ours as our time is up; L1 rings the other one, which takes our item and sleeps again
    # (its address is back). L2 reads our ring, finds nothing; L3 must ring the other.
    bell = _doorbell.own_bell()
    waits = []

    def wait(self, timeout):
        waits.append(timeout)
        if len(waits) == 1:
            assert queue_get(sleepers)[0] == bell.address
            queue_put(sleepers, other.address, 3)
            return False
        os.read(other.bell.reader, 8)
        queue_put(sleepers, other.address, 3)
        return True

    monkeypatch.setattr(_doorbell.Doorbell, "wait", wait)
    assert wait_until(lambda: None, sleepers, 0.001) is None
    monkeypatch.undo()
    assert is_rung(other)


def test_rung_getter_whose_time_is_up_rings_on(sleepers, other, monkeypatch):
    # G4 returns rung, another getter took the item, the deadline has passed: the next sleeper hears it.
    times = iter([0.0, 0.0, 99.0, 99.0])
    monkeypatch.setattr(_channel, "monotonic", lambda: next(times))

    def wait(self, timeout):
        queue_get(sleepers)
        queue_put(sleepers, other.address, 3)
        return True

    monkeypatch.setattr(_doorbell.Doorbell, "wait", wait)
    assert wait_until(lambda: None, sleepers, 1.0) is None
    monkeypatch.undo()
    assert is_rung(other)


def test_leaver_rings_those_before_it_and_leaves_those_behind(sleepers, other):
    behind, own = _doorbell.Doorbell(), _doorbell.own_bell()
    for bell in (other, own, behind):
        queue_put(sleepers, bell.address, 3)
    assert take_back(own.address, sleepers)
    assert is_rung(other)
    assert not is_rung(behind)
    assert queue_get(sleepers)[0] == behind.address
    assert not is_rung(own)


def test_leaver_without_address_says_so(sleepers, other):
    queue_put(sleepers, other.address, 3)
    assert not take_back(_doorbell.own_bell().address, sleepers)
    assert is_rung(other)


def test_address_of_a_dead_interpreter_is_skipped_by_putter_and_leaver(sleepers, other, interpreter):
    publish_from(interpreter, sleepers)
    interpreter.close()
    queue_put(sleepers, other.address, 3)
    ring_one(sleepers)
    assert is_rung(other)


def test_leaver_skips_the_address_of_a_dead_interpreter(sleepers, other, interpreter):
    publish_from(interpreter, sleepers)
    interpreter.close()
    own = _doorbell.own_bell()
    queue_put(sleepers, own.address, 3)
    assert take_back(own.address, sleepers)
    assert_at_rest(sleepers)


@pytest.mark.parametrize("when", ["published", "asleep"])
def test_struck_getter_takes_its_address_back(sleepers, monkeypatch, when):
    bell = _doorbell.own_bell()
    if when == "published":
        monkeypatch.setattr(_channel, "queue_put", after(queue_put, strike))
    else:
        monkeypatch.setattr(_doorbell.Doorbell, "wait", lambda self, timeout: strike())
    with pytest.raises(Struck):
        wait_until(lambda: None, sleepers, None)
    monkeypatch.undo()
    assert _doorbell.own_bell() is bell
    assert_at_rest(sleepers)


@pytest.mark.leaks("a bell is given up")
def test_struck_getter_whose_address_was_taken_gives_its_bell_up(sleepers, monkeypatch):
    bell = _doorbell.own_bell()

    def wait(self, timeout):
        queue_get(sleepers)  # P3; the ring may come at any time
        raise Struck

    monkeypatch.setattr(_doorbell.Doorbell, "wait", wait)
    with pytest.raises(Struck):
        wait_until(lambda: None, sleepers, None)
    monkeypatch.undo()
    _doorbell.ring(bell.address)  # P4 still finds it open
    assert _doorbell.own_bell() is not bell
    assert_at_rest(sleepers)


def test_getter_struck_after_its_ring_rings_on(sleepers, other, monkeypatch):
    # G4 read the ring, which announced an item; the exception strikes before G5: the item is somebody else's now.
    attempts = []

    def attempt():
        attempts.append(None)
        if len(attempts) == 3:
            raise Struck

    def wait(self, timeout):
        queue_get(sleepers)
        queue_put(sleepers, other.address, 3)
        return True

    monkeypatch.setattr(_doorbell.Doorbell, "wait", wait)
    with pytest.raises(Struck):
        wait_until(attempt, sleepers, None)
    monkeypatch.undo()
    assert is_rung(other)


def test_getter_struck_twice_still_takes_its_address_back(sleepers, monkeypatch):
    # The second exception strikes while the first one is being cleaned up after.
    monkeypatch.setattr(_channel, "take_back", before(take_back, strike))
    monkeypatch.setattr(_channel, "queue_put", after(queue_put, strike))
    with pytest.raises(Struck):
        wait_until(lambda: None, sleepers, None)
    monkeypatch.undo()
    assert_at_rest(sleepers)


def test_putter_struck_after_its_item_rings_all_the_same(other, monkeypatch):
    queue = SimpleQueue()
    queue_put(queue._sleepers, other.address, 3)
    monkeypatch.setattr(_simple_queue, "queue_put", after(queue_put, strike))  # between P1 and P2
    with pytest.raises(Struck):
        queue.put("item")
    assert is_rung(other)
    assert queue.qsize() == 1


def test_attempt_that_raises_ends_the_wait_and_leaves_nothing(sleepers):
    outcomes = iter([None, ValueError("second look")])

    def attempt():
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    with pytest.raises(ValueError, match="second look"):
        wait_until(attempt, sleepers, None)
    assert_at_rest(sleepers)
