"""Forced interleavings of the wake-up protocol: the other party's step runs exactly where it hurts most.

Two parties share this one thread. A party's calls of the primitives are replaced by ones that run the other party's
step right before or after. The steps are those of `interp_api/_wakeup/README.md`.
"""

from __future__ import annotations

import os
import threading

import pytest
from struck import Struck
from waiting import GETTER, sleepers

from interp_api import QueueError, SimpleQueue
from interp_api._runtime.cpython import queue_append, queue_count, queue_get
from interp_api._wakeup import parking, seats
from interp_api._wakeup.arena import RINGS_BEGUN, ROW_OWNERS, ROWS, SEAT_STATES, tables
from interp_api._wakeup.channel import QueueRefs
from interp_api._wakeup.parking import call_one, ring_all, ring_one, wait_until
from interp_api._wakeup.seats import Seat, own_seat
from interp_api._wakeup.slot import WAKING, create_slotted


@pytest.fixture
def slot():
    refs = QueueRefs([])
    yield create_slotted(0, refs)
    del refs


class Other:
    """Another thread, asleep."""

    def __init__(self, slot, kind=GETTER):
        self.seat = Seat()
        self.sleep(slot, kind)

    def sleep(self, slot, kind=GETTER):
        self.place = slot.first + self.seat.number
        slot.region.memory[self.place] = kind[0]
        tables.cells[parking.SEAT_PLACES + self.seat.number] = slot.id * 8 + kind[0]

    def is_rung(self):
        return self.seat.wait(0.0)


def before(function, *steps):
    """Return `function` with one step before each of its first calls."""
    left = list(steps)

    def wrapped(*args):
        if left:
            left.pop(0)()
        return function(*args)

    return wrapped


def look_at(slot):
    """Return what takes an item of a slot's queue if there is one."""

    def look():
        return queue_get(slot.id)[0] if queue_count(slot.id) else None

    return look


def putting(slot, *items):
    def put():
        for item in items:
            queue_append(slot.id, item)  # P1
            call_one(slot, GETTER)

    return put


def int_or_none():
    return None


def assert_at_rest(slot):
    assert sleepers_of(slot) == 0
    assert not own_seat().is_in_use


def sleepers_of(slot):
    return slot.region.memory[slot.first : slot.end].count(GETTER)


def strike():
    raise Struck


def test_item_put_between_first_look_and_g1_is_found(slot, monkeypatch):
    # P2 finds no byte and rings nobody: G2 must find the item.
    monkeypatch.setattr(parking, "own_seat", before(own_seat, putting(slot, "item")))
    assert wait_until(look_at(slot), slot, GETTER, 60) == "item"
    assert_at_rest(slot)


def test_item_put_between_g1_and_g2_leaves_a_ring_that_only_costs_a_look(slot):
    look, looks = look_at(slot), []

    def looking():
        looks.append(sleepers_of(slot))
        if len(looks) == 2:  # G1 is done
            putting(slot, "first")()
        return look()

    assert wait_until(looking, slot, GETTER, 60) == "first"
    assert looks == [0, 1]
    assert_at_rest(slot)
    looks.clear()
    # The ring of the first item is still there: G3 ends at once, and the thread sleeps again.
    assert wait_until(lambda: looks.append(None), slot, GETTER, 0.001) is None
    assert len(looks) >= 3
    assert not own_seat().wait(0.0)


def test_item_put_while_asleep_wakes(slot, monkeypatch):
    monkeypatch.setattr(Seat, "wait", before(Seat.wait, putting(slot, "item")))
    assert wait_until(look_at(slot), slot, GETTER, None) == "item"
    assert_at_rest(slot)


def test_item_put_when_the_time_is_up_and_before_g5_is_found_at_g6(slot, monkeypatch):
    def wait(seat, timeout):
        assert not seat_wait(seat, timeout)
        putting(slot, "item")()  # P2 sees the byte: it rings this thread and nobody else
        return False

    seat_wait = Seat.wait
    monkeypatch.setattr(Seat, "wait", wait)
    assert wait_until(look_at(slot), slot, GETTER, 0.001) == "item"
    assert seat_wait(own_seat(), 0.0)


def test_item_put_after_g5_goes_to_the_next_sleeper(slot, monkeypatch):
    # The look of G6 comes before P1, and P2 does not find this thread's byte.
    other, look, looks = Other(slot), look_at(slot), []

    def looking():
        found = look()
        looks.append(found)
        if len(looks) == 3:
            putting(slot, "item")()
        return found

    assert wait_until(looking, slot, GETTER, 0.001) is None
    assert other.is_rung()


def test_two_items_of_which_one_was_rung_for_ring_the_next_sleeper_at_g7(slot, monkeypatch):
    own_seat()  # the lower seat is rung
    others = [Other(slot)]
    monkeypatch.setattr(Seat, "wait", before(Seat.wait, putting(slot, "first", "second")))
    found = wait_until(look_at(slot), slot, GETTER, 60, is_left=lambda: queue_count(slot.id))
    monkeypatch.undo()
    assert found == "first"
    assert others[0].is_rung()
    queue_get(slot.id)


def test_lowest_seat_is_rung_first_and_nobody_else_while_it_is_on_its_way(slot):
    first, second = Other(slot), Other(slot)
    assert first.seat.number < second.seat.number
    putting(slot, 1, 2, 3)()
    assert first.is_rung()
    assert not second.is_rung()


def test_note_of_a_thread_that_has_left_silences_nobody(slot):
    # W2: it was found before it left, and looks no more.
    first, second = Other(slot), Other(slot)
    call_one(slot, GETTER)
    tables.cells[parking.SEAT_PLACES + first.seat.number] = 0
    call_one(slot, GETTER)
    assert second.is_rung()
    assert first.is_rung()


def test_note_that_is_old_silences_nobody(slot, monkeypatch):
    # W3: its thread may wait for the lock of its interpreter.
    first, second = Other(slot), Other(slot)
    call_one(slot, GETTER)
    monkeypatch.setattr(parking, "_OLD", 0)
    call_one(slot, GETTER)
    assert second.is_rung()
    assert first.is_rung()


def test_note_is_wiped_out_before_each_look(slot):
    notes = []
    slot.region.cells[slot.cell + WAKING] = 12345
    wait_until(lambda: notes.append(slot.region.cells[slot.cell + WAKING]), slot, GETTER, 0.0001)
    assert notes[1] == 0


def test_everybody_is_rung_once_although_they_sleep_again(slot, monkeypatch):
    others = [Other(slot) for _ in range(3)]
    rings = []

    def ring(found_slot, kind, after=-1):
        found = ring_one(found_slot, kind, after)
        if found >= 0:
            rings.append(found)
            slot.region.memory[found] = kind[0]  # it has looked, found nothing and sleeps again
        return found

    monkeypatch.setattr(parking, "ring_one", ring)
    ring_all(slot, GETTER)
    assert rings == [other.place for other in others]
    assert all(other.is_rung() for other in others)


@pytest.mark.parametrize("when", ["G1", "asleep", "twice"])
def test_struck_sleeper_leaves_no_byte_and_rings_on(slot, monkeypatch, when):
    own_seat()
    other = Other(slot)
    if when == "G1":
        looks = []

        def look():
            looks.append(None)
            if len(looks) == 2:
                strike()

    else:
        look = int_or_none
        monkeypatch.setattr(Seat, "wait", lambda seat, timeout: strike())
        if when == "twice":
            monkeypatch.setattr(parking, "ring_one", before(ring_one, strike))
    with pytest.raises(Struck):
        wait_until(look, slot, GETTER, None)
    monkeypatch.undo()
    assert other.is_rung()
    assert_at_rest(slot)


def test_look_that_raises_ends_the_wait_and_leaves_nothing(slot):
    outcomes = iter([None, ValueError("second look")])

    def look():
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    with pytest.raises(ValueError, match="second look"):
        wait_until(look, slot, GETTER, None)
    assert_at_rest(slot)


def test_wait_inside_a_wait_has_a_seat_of_its_own(slot):
    inner = []

    def look():
        if own_seat_of_thread.is_in_use and not inner:
            inner.append(None)
            assert wait_until(lambda: None, slot, GETTER, 0.0001) is None
            assert sleepers_of(slot) == 1  # the outer one's
            return "done"
        return None

    own_seat_of_thread = own_seat()
    assert wait_until(look, slot, GETTER, None) == "done"
    assert_at_rest(slot)


def test_bell_of_a_thread_that_ends_while_somebody_rings_stays_open_until_that_is_over(slot):
    """K3 has found the seat and not rung it yet: its descriptor must not be somebody's file by then."""
    found = []
    next(seats.row.begin)  # K1
    seat = Seat()
    found.append((seat.number, seat.address))
    del seat
    number, address = found[0]
    os.fstat(address)
    assert tables.memory[SEAT_STATES + number] == 2
    next(seats.row.end)  # K4
    ring_one(slot, GETTER)  # which closes it
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(address)
    assert tables.memory[SEAT_STATES + number] == 0


def test_spare_bell_is_taken_over(slot):
    next(seats.row.begin)
    seat = Seat()
    number, address = seat.number, seat.address
    del seat
    seat = Seat()
    assert (seat.number, seat.address) == (number, address)
    next(seats.row.end)


def test_ring_that_an_ended_interpreter_has_not_ended_keeps_no_bell_open(interpreter):
    cells, id = tables.cells, interpreter.id
    free = next(number for number in reversed(range(ROWS)) if not cells[ROW_OWNERS + number])
    try:
        cells[RINGS_BEGUN + free] = 1
        cells[ROW_OWNERS + free] = id + 1
        assert not seats.is_nobody_ringing()
        interpreter.close()
        assert seats.is_nobody_ringing()
    finally:
        cells[RINGS_BEGUN + free] = cells[ROW_OWNERS + free] = 0


def test_seat_and_bell_end_with_their_thread():
    seen = []

    def body():
        seen.extend((own_seat().number, own_seat().reader, own_seat() is own_seat()))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    number, reader, is_same = seen
    assert is_same
    assert tables.memory[SEAT_STATES + number] == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


@pytest.mark.parametrize("step", ["queue_get", "queue_append"])
def test_exchange_that_fails_half_way_leaves_the_token(monkeypatch, step):
    from interp_api._wakeup import arena

    def fail(*args):
        raise MemoryError

    if step == "queue_get":
        monkeypatch.setattr(arena, "queue_get", fail)
    else:
        monkeypatch.setattr(arena, "_shifted", fail)
    cell = 8000
    with pytest.raises(MemoryError):
        tables.swap(cell, 0, 1)
    monkeypatch.undo()
    assert queue_count(arena._mutex) == 1
    assert tables.swap(cell, tables.cells[cell], 7)
    assert not tables.swap(cell, 6, 8)
    assert tables.cells[cell] == 7
    tables.cells[cell] = 0


def test_queue_whose_slot_is_taken_gets_another_id(monkeypatch):
    from interp_api._wakeup import slot

    first = SimpleQueue()
    monkeypatch.setattr(slot, "SLOTS", 1)
    # All of them have the same slot now, until there are twice as many.
    second = SimpleQueue()
    assert second._slot.base == 0
    third = SimpleQueue()
    assert third._slot.base != second._slot.base or third._slot.segment != second._slot.segment
    tables.cells[slot.GROWTH] = 0
    del first, second, third


def test_queues_that_have_all_slots_leave_no_room_for_another_one(monkeypatch):
    """Slots are doubled seven times at most: a queue carries how often they were."""
    from interp_api._wakeup import slot

    monkeypatch.setattr(slot, "SLOTS", 1)
    queues = []
    with pytest.raises(QueueError, match="128 queues exist in this process, there is no room for another one"):
        queues.extend(SimpleQueue() for _ in range(129))
    assert len(queues) > 100
    queues.pop()
    queues.append(SimpleQueue())
    tables.cells[slot.GROWTH] = 0
    queues.clear()


def test_sleeping_threads_are_seen(slot):
    queue = SimpleQueue()
    thread = threading.Thread(target=queue.get)
    thread.start()
    while not sleepers(queue):
        pass
    queue.put(None)
    thread.join()
    assert not sleepers(queue)
