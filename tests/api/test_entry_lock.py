"""The entry lock: a cell of the arena, L1 to L4 of `interp_api._interpreters.entry_lock`."""

from __future__ import annotations

import threading

import pytest
import tasks
from struck import Struck

import interp_api
from interp_api import Interpreter, InterpreterError, InterpreterNotFoundError
from interp_api._interpreters import entry_lock, making
from interp_api._interpreters.entry_lock import EntryLock
from interp_api._runtime.cpython import interpreter_destroy, queue_list
from interp_api._wakeup.arena import ENTRY_LOCKS, ENTRY_SPAN, Region, tables


@pytest.fixture
def few_cells(monkeypatch):
    """Two cells for all interpreters; who uses it opens locks of its own."""
    first = ENTRY_LOCKS + ENTRY_SPAN - 2
    monkeypatch.setattr(entry_lock, "ENTRY_LOCKS", first)
    monkeypatch.setattr(entry_lock, "ENTRY_SPAN", 2)
    yield
    tables.cells[first] = tables.cells[first + 1] = 0


def strike_after_exchange(monkeypatch):
    exchange = Region.exchange_recorded

    def exchange_and_strike(*args):
        exchange(*args)
        monkeypatch.undo()
        raise Struck

    monkeypatch.setattr(Region, "exchange_recorded", exchange_and_strike)


def test_interpreter_has_no_low_level_queue():
    before = queue_list()
    interp = interp_api.create()
    interp_api.claim(interp)
    interp.exec("pass")
    assert queue_list() == before
    interp.close()


def test_lock_that_is_held_refuses_the_second(interpreter):
    lock, second = EntryLock(interpreter.id), EntryLock(interpreter.id)
    with pytest.raises(InterpreterError, match="busy"):
        lock.run("", second.run, "busy", lambda: None)
    assert lock.run("busy", lambda: 5) == 5


def test_lock_that_is_held_refuses_who_closes_from_another_interpreter(interpreter):
    other = interp_api.create()
    lock = EntryLock(other.id)
    assert lock.run("", interpreter.call, tasks.close_error, other.id) == "interpreter running"
    interp_api.claim(other)
    assert interpreter.call(tasks.close_error, other.id) == "interpreter running"
    interp_api.unclaim(other)
    assert interpreter.call(tasks.close_error, other.id) is None
    for enter in (lock.run, lock.claim):
        with pytest.raises(InterpreterNotFoundError):
            enter("busy", *[lambda: None] * (enter == lock.run))


@pytest.mark.parametrize("when", ["inside", "after L1"])
def test_lock_survives_whoever_is_struck_inside(interpreter, monkeypatch, when):
    def strike():
        raise Struck

    lock = EntryLock(interpreter.id)
    if when == "after L1":
        strike_after_exchange(monkeypatch)
    with pytest.raises(Struck):
        lock.run("busy", strike)
    assert lock.is_free
    interpreter.exec("pass")


def test_claim_that_is_struck_after_l1_can_be_taken_back(interpreter, monkeypatch):
    strike_after_exchange(monkeypatch)
    with pytest.raises(Struck):
        interp_api.claim(interpreter)
    assert not EntryLock(interpreter.id).is_free
    interpreter.exec("pass")  # the claim is this thread's
    interp_api.unclaim(interpreter)
    interp_api.unclaim(interpreter)
    assert EntryLock(interpreter.id).is_free


def test_last_reference_that_is_dropped_by_who_is_struck_frees_the_lock(interpreter, monkeypatch):
    strike_after_exchange(monkeypatch)
    lock = EntryLock(interpreter.id)
    with pytest.raises(Struck):
        lock.drop(lambda id: None)
    assert lock.is_free


def test_claim_that_was_refused_leaves_nothing(interpreter):
    first, second = EntryLock(interpreter.id), EntryLock(interpreter.id)
    first.claim("busy")
    for _ in range(3):
        with pytest.raises(InterpreterError, match="busy"):
            second.claim("busy")
    assert not second._claims
    second.unclaim()
    assert not first.is_free
    first.unclaim()
    assert first.is_free


def test_claim_that_two_threads_end_is_ended_once(interpreter):
    """1. Both find it. 2. One ends it. 3. Somebody else enters. 4. The other one must not let a third in."""
    lock, other = EntryLock(interpreter.id), EntryLock(interpreter.id)
    lock.claim("busy")
    found = lock._find_claim()

    class Stale(EntryLock):
        __slots__ = ()

        def _find_claim(self):
            return found

    lock.unclaim()
    stale = Stale(interpreter.id)
    stale._claims = lock._claims
    with pytest.raises(InterpreterError, match="busy"):
        other.run("", lambda: (stale.unclaim(), EntryLock(interpreter.id).run("busy", lambda: None)))


def test_handler_that_claims_in_the_middle_of_a_claim_keeps_it(interpreter, monkeypatch):
    lock = EntryLock(interpreter.id)
    acquire = EntryLock._acquire

    def claim_first(self, taken):
        monkeypatch.undo()
        lock.claim("busy")
        acquire(self, taken)

    monkeypatch.setattr(EntryLock, "_acquire", claim_first)
    with pytest.raises(InterpreterError, match="outer"):
        lock.claim("outer")
    lock.run("busy", lambda: None)
    lock.unclaim()
    assert lock.is_free


def test_claim_is_the_threads(interpreter):
    refused = []

    def enter():
        with pytest.raises(InterpreterError) as caught:
            interpreter.exec("pass")
        refused.append(str(caught.value))

    interp_api.claim(interpreter)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    interp_api.unclaim(interpreter)
    assert refused == ["interpreter already running"]


def test_cell_of_an_interpreter_that_ended_is_the_next_ones_only_when_nobody_holds_it(few_cells):
    # 1. L1 for the first. 2. It is destroyed. 3. L4 for another id. 4. L3 for the first, which would free the other's.
    first = interp_api.create()
    lock, entered = EntryLock(first.id), []

    def destroy():
        interpreter_destroy(first.id)
        entered.append(EntryLock(first.id + 2).open())

    lock.run("busy", destroy)
    assert entered == [False]
    other = EntryLock(first.id + 2)
    assert other.open()
    with pytest.raises(InterpreterNotFoundError):
        lock.run("busy", lambda: None)
    other_cell = tables.cells[other._cell]
    lock.unclaim()
    assert tables.cells[other._cell] == other_cell


def test_l1_that_comes_when_the_cell_is_anothers_finds_nothing(few_cells, monkeypatch):
    """1. The interpreter is there. 2. It is closed, and its cell is another one's. 3. L1."""
    interp = interp_api.create()
    lock = EntryLock(interp.id)
    acquire = EntryLock._acquire

    def close_first(self, taken):
        monkeypatch.setattr(EntryLock, "_acquire", acquire)
        interp.close()
        assert EntryLock(interp.id + 2).open()
        acquire(self, taken)

    monkeypatch.setattr(EntryLock, "_acquire", close_first)
    with pytest.raises(InterpreterNotFoundError):
        lock.run("busy", lambda: None)


def test_create_makes_another_one_when_the_cell_is_that_of_one_that_lives(few_cells):
    first, second = interp_api.create(), interp_api.create()
    second.close()
    third = interp_api.create()
    assert third.id == first.id + 3
    third.exec("pass")
    third.close()
    first.close()


def test_create_gives_up_when_no_cell_is_free_and_leaves_nothing(few_cells, monkeypatch):
    monkeypatch.setattr(entry_lock, "ENTRY_SPAN", 1)
    monkeypatch.setattr(making, "_MOST_ATTEMPTS", 2)
    only = interp_api.create()
    with pytest.raises(InterpreterError, match="no entry lock is free"):
        interp_api.create()
    assert interp_api.list_all()[1:] == [only]
    only.close()


def test_interpreter_of_others_without_a_cell_is_not_entered(few_cells, interpreter):
    lock = EntryLock(interpreter.id)
    stranger = EntryLock(interpreter.id + 2)
    assert not stranger.open()
    assert not stranger.is_ours
    assert not stranger.is_free
    with pytest.raises(InterpreterError, match=rf"among 2 is interpreter {interpreter.id}'s; close that one first"):
        stranger._acquire([])
    dropped = []
    stranger.drop(dropped.append)
    assert dropped == [interpreter.id + 2]
    assert lock.is_free


def test_two_that_open_at_once_have_the_same_lock(interpreter, few_cells, monkeypatch):
    """1. One finds the cell free. 2. Another one takes it for the same interpreter. 3. L4 of the first."""
    swap, second = Region.swap, []

    def open_first(*args):
        monkeypatch.setattr(Region, "swap", swap)
        second.append(EntryLock(interpreter.id, is_ours=True))
        return swap(*args)

    monkeypatch.setattr(Region, "swap", open_first)
    first = EntryLock(interpreter.id)
    assert (first._cell, first._free) == (second[0]._cell, second[0]._free)
    assert first.is_ours


def test_handle_from_another_interpreter_knows_whose_it_is(interpreter):
    interpreter.exec(f"import interp_api; kept = interp_api.Interpreter({interpreter.id})")
    assert EntryLock(interpreter.id).is_ours
    assert not EntryLock(0).is_ours
    assert Interpreter(interpreter.id) is interpreter


@pytest.mark.programs
def test_child_that_was_forked_inside_lets_go_of_its_own_lock(run_script):
    ended = run_script("""
        import os
        from interp_api import Interpreter
        from interp_api._interpreters.entry_lock import EntryLock
        lock = EntryLock(0)
        child = lock.run("busy", os.fork)
        assert lock.is_free, child
        if not child:
            lock.run("", lambda: None)
            os._exit(7)
        # The child's L1 and L3 are in memory of its own.
        def wait():
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(lock.run("", wait))
    """)
    assert (ended.status, ended.out) == (0, "7\n"), ended
