"""A getter of a Queue that looks before it sleeps: S1 to S5 of the wake-up README, for whoever had a brief wait."""

from __future__ import annotations

import pytest
from struck import Struck
from waiting import Sleeper, is_looked_at

from interp_api import QueueEmpty, ShutDown, create_queue
from interp_api._queues import store
from interp_api._wakeup import spinning


@pytest.fixture
def queue(request, monkeypatch):
    made = create_queue()
    made._store._is_brief = True
    monkeypatch.setattr(store, "_SPIN", 60.0)  # it looks, however busy the machine is
    yield made
    del made, request.node.funcargs["queue"]  # it ends before the leak check looks


def test_item_put_while_somebody_looks_rings_nobody(queue, monkeypatch):
    sleeper = Sleeper(queue)
    monkeypatch.setattr(spinning, "_yield", lambda: queue.put("item"))
    assert queue.get(timeout=60) == "item"
    assert not sleeper.is_rung()
    assert not is_looked_at(queue)


def test_items_put_while_somebody_looks_ring_a_sleeper_for_the_rest(queue, monkeypatch):
    sleeper = Sleeper(queue)

    def put_two():
        queue.put(1)
        queue.put(2)

    monkeypatch.setattr(spinning, "_yield", put_two)
    assert queue.get(timeout=60) == 1
    assert sleeper.is_rung()


def test_getter_that_is_struck_while_it_looks_rings_who_sleeps(queue, monkeypatch):
    sleeper = Sleeper(queue)

    def strike():
        queue.put("item")
        raise Struck

    monkeypatch.setattr(spinning, "_yield", strike)
    with pytest.raises(Struck):
        queue.get(timeout=60)
    assert sleeper.is_rung()
    assert not is_looked_at(queue)


def test_shutdown_while_somebody_looks_ends_the_get(queue, monkeypatch):
    monkeypatch.setattr(spinning, "_yield", queue.shutdown)
    monkeypatch.setattr(spinning, "perf_counter", iter([0.0, 0.0, 61.0]).__next__)
    with pytest.raises(ShutDown):
        queue.get(timeout=60)
    assert not is_looked_at(queue)


@pytest.mark.parametrize(("seconds", "looks"), [(store._BRIEF / 2, True), (store._BRIEF * 2, False)])
def test_only_who_waited_briefly_looks_the_next_time(queue, monkeypatch, seconds, looks):
    now = iter([0.0, seconds]).__next__
    monkeypatch.setattr(store, "perf_counter", now)
    monkeypatch.setattr(spinning, "_yield", lambda: queue.put("item"))
    assert queue.get(timeout=60) == "item"
    assert queue._store._is_brief == looks


def test_who_waited_long_sleeps_at_once(queue, monkeypatch):
    queue._store._is_brief = False
    monkeypatch.setattr(spinning, "_yield", lambda: pytest.fail("looked all the same"))
    with pytest.raises(QueueEmpty):
        queue.get(timeout=0.001)


def test_get_that_does_not_wait_does_not_look(queue, monkeypatch):
    monkeypatch.setattr(spinning, "_yield", lambda: pytest.fail("looked all the same"))
    with pytest.raises(QueueEmpty):
        queue.get_nowait()
    queue.put("item")
    assert queue.get() == "item"
