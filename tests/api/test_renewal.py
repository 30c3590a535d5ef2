"""A PoolQueue that moves before the low-level queues made since: N1 to N3, U1 and U2 of the wake-up README.

Where no other interpreter is needed, a second object for the same queue stands for one: it knows an id of its own.
"""

from __future__ import annotations

import threading

import pytest
import tasks
from waiting import GETTER, sleepers, wait_for_sleeper

from interp_api import PoolQueue, QueueError, QueueNotFoundError, create_queue
from interp_api._runtime.cpython import queue_count, queue_list
from interp_api._wakeup import pool_queue, spinning
from interp_api._wakeup.slot import open_slotted

MANY = pool_queue._MANY + 1


@pytest.fixture
def queue(request):
    yield PoolQueue()
    del request.node.funcargs["queue"]  # it ends before the leak check looks


@pytest.fixture
def other(request, queue):
    yield PoolQueue(queue.id)
    del request.node.funcargs["other"]


def fall_behind(count=MANY):
    return [create_queue() for _ in range(count)]


def test_queue_moves_before_those_made_since(queue):
    before = queue.id
    others = fall_behind()
    assert queue.is_behind
    queue.renew()
    assert not queue.is_behind
    assert queue.id > max(each.id for each in others)
    assert before not in queue_list()


def test_queue_stays_where_few_are_before_it(queue):
    before = queue.id
    others = fall_behind(MANY - 1)
    queue.renew()
    assert queue.id == before
    del others


def test_queue_stays_where_those_made_since_are_gone(queue):
    before = queue.id
    fall_behind()
    assert queue.is_behind
    queue.renew()
    assert queue.id == before


def test_queue_with_an_item_stays(queue):
    before, others = queue.id, fall_behind()
    queue.put("item")
    queue.renew()
    assert (queue.id, queue.get_nowait()) == (before, "item")
    del others


def test_item_that_comes_just_before_n1_is_kept(queue, monkeypatch):
    made, before, others = [], queue.id, fall_behind()

    class Refs(pool_queue.QueueRefs):
        def create_linked(self, number):
            queue.put("item")
            made.append(super().create_linked(number))
            return made[0]

    monkeypatch.setattr(pool_queue, "QueueRefs", Refs)
    queue.renew()
    assert (queue.id, queue.get_nowait()) == (before, "item")
    assert made[0] not in queue_list()
    del others


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("use", ["put", "get", "get_nowait", "wait", "qsize"])
def test_who_knows_the_old_one_goes_on_with_the_new_one(queue, other, use, times):
    others = []
    for _ in range(times):
        others.append(fall_behind())
        queue.renew()
    if use == "put":
        other.put("item")
        assert queue.get_nowait() == "item"
        return
    queue.put("item")
    found = {
        "get": lambda: other.get(0),
        "get_nowait": other.get_nowait,
        "wait": lambda: other.wait(0),
        "qsize": other.qsize,
    }[use]()
    assert found == {"wait": True, "qsize": 1}.get(use, "item")
    assert other.id == queue.id


@pytest.mark.parametrize("times", [1, 2])
def test_put_that_finds_the_queue_gone_comes_to_the_new_one(queue, monkeypatch, times):
    others = []
    put = pool_queue.queue_put

    def put_late(*args):
        if len(others) < times:
            others.append(fall_behind())
            queue.renew()
        put(*args)

    monkeypatch.setattr(pool_queue, "queue_put", put_late)
    queue.put("item")
    assert (queue.qsize(), queue.get_nowait()) == (1, "item")


def test_sleeper_is_woken_by_what_comes_to_the_new_one(queue, other):
    got, others = [], fall_behind()
    thread = threading.Thread(target=lambda: got.append(other.get(60)))
    thread.start()
    wait_for_sleeper(queue, GETTER)
    queue.renew()
    assert sleepers(queue, GETTER) == 1
    queue.put("item")
    thread.join()
    assert got == ["item"]
    del others


def test_spinner_sees_what_comes_to_the_new_one(queue, other, monkeypatch):
    others = fall_behind()

    def renew_and_put():
        queue.renew()
        queue.put("item")

    monkeypatch.setattr(spinning, "_yield", renew_and_put)
    assert other.get(spin=60.0) == "item"
    del others


def test_getter_that_looked_before_n3_and_sleeps_after_it_is_woken(queue, other, monkeypatch):
    others, look = fall_behind(), other._take

    def look_and_be_overtaken():
        found = look()
        if queue.is_behind:
            queue.renew()
            queue.put("item")
        return found

    monkeypatch.setattr(PoolQueue, "_take", lambda _: look_and_be_overtaken())
    assert other.get(60) == "item"
    del others


def test_other_interpreters_follow(queue, interpreter):
    back, others = PoolQueue(), []
    thread = threading.Thread(target=interpreter.call, args=(tasks.echo, queue.id, back.id, 200, "PoolQueue"))
    thread.start()
    for number in range(200):
        queue.put(number)
        assert back.get(timeout=60) == number
        if number % 20 == 0:
            others.append(fall_behind())
            queue.renew()  # nothing is in flight
            back.renew()
    thread.join()


def test_queue_that_was_renewed_can_be_opened_by_its_new_id_alone(queue):
    before, others = queue.id, fall_behind()
    queue.renew()
    queue.put("item")
    assert PoolQueue(queue.id).get_nowait() == "item"
    with pytest.raises(QueueNotFoundError):
        PoolQueue(before)
    del others


def test_slot_of_a_renewed_queue_is_taken_by_nobody_else(queue):
    others = fall_behind()
    queue.renew()
    slot = queue._slot
    more = [create_queue() for _ in range(pool_queue._MANY * 16)]  # as many as there are slots, twice
    assert all((each._slot.segment, each._slot.base) != (slot.segment, slot.base) for each in more)
    del others


def test_nobody_follows_to_the_queue_that_has_the_slot_next():
    queue, others = PoolQueue(), fall_behind()
    other, slot = PoolQueue(queue.id), queue._slot
    del queue
    taken = None
    while taken is None:
        candidate = PoolQueue()
        if (candidate._slot.segment, candidate._slot.base) == (slot.segment, slot.base):
            taken = candidate
    for use in (lambda: other.put(1), other.get_nowait, other.qsize, lambda: other.get(0)):
        with pytest.raises(QueueNotFoundError):
            use()
    others += fall_behind()
    taken.renew()
    with pytest.raises(QueueNotFoundError):
        other.put(1)
    assert taken.qsize() == 0


def test_queue_that_is_gone_is_not_found():
    queue = PoolQueue()
    other = PoolQueue(queue.id)
    del queue
    with pytest.raises(QueueNotFoundError):
        other.put(1)
    with pytest.raises(QueueError):
        other.get(0)


def test_strike_while_renewing_leaves_the_old_one(queue, monkeypatch):
    before, others, count = queue.id, fall_behind(), len(queue_list())

    def strike(_ids):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool_queue, "exhaust", strike)
    with pytest.raises(KeyboardInterrupt):
        queue.renew()
    monkeypatch.undo()
    queue.put("item")
    assert (queue.id, queue.get_nowait(), len(queue_list())) == (before, "item", count)
    del others


def test_renewed_queue_is_known_by_its_slot(queue):
    others, origin = fall_behind(), queue.id
    queue.renew()
    slot = open_slotted(queue.id)
    assert slot is not None
    assert (slot.origin, slot.base, queue_count(slot.id)) == (origin, queue._slot.base, 0)
    del others
