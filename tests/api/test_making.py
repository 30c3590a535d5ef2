"""Several threads make interpreters at once, and nobody sees one that is half made."""

import threading
from functools import partial

import pytest

import interp_api
from interp_api import InterpreterError
from interp_api._interpreters import guards, making, tracing
from interp_api._runtime.cpython import TRACEMALLOC_CRASHES
from interp_api._wakeup.arena import tables


class Held:
    """Holds those who make interpreters where the runtime has just made one. (3.13 can make one at a time.)"""

    def __init__(self):
        self.ids = []
        self.has_made = threading.Semaphore(0)
        self.go = threading.Event()
        self.made = []
        self.threads = []
        self._create = making.interpreter_create
        self._serially = threading.Lock()

    def create(self):
        with self._serially:
            id = self._create()
        self.ids.append(id)
        self.has_made.release()
        assert self.go.wait(30)
        return id

    def begin(self, make=interp_api.create):
        self.threads.append(threading.Thread(target=lambda: self.made.append(make())))
        self.threads[-1].start()

    def end(self):
        self.go.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def held(monkeypatch):
    held = Held()
    monkeypatch.setattr(making, "interpreter_create", held.create)
    monkeypatch.setattr(making, "CREATES_IN_THREADS", True)
    monkeypatch.setattr(making.os, "process_cpu_count", lambda: 2)
    monkeypatch.setattr(making, "_free_places", making._places())
    yield held
    held.end()
    for interpreter in held.made:
        interpreter.close()
    assert_nobody_makes()


def assert_nobody_makes():
    assert not making._makers
    assert not tables.memory[making._BYTE]
    assert making._free_places.qsize() == 2
    assert not interp_api.is_held_here(making.creating)
    assert making.creating.acquire(blocking=False)
    making.creating.release()


def test_as_many_are_made_at_once_as_there_are_processors(held):
    for _ in range(3):
        held.begin()
    assert held.has_made.acquire(timeout=30)
    assert held.has_made.acquire(timeout=30)
    assert len(making._makers) == len(held.ids) == 2  # the third one waits for a place
    held.end()
    assert {interpreter.id for interpreter in held.made} == set(held.ids)
    assert len(held.ids) == 3


def test_what_is_half_made_is_not_listed_and_nobody_waits_for_it(held):
    before = interp_api.list_all()
    held.begin()
    assert held.has_made.acquire(timeout=30)
    assert interp_api.list_all() == before
    held.end()
    assert interp_api.list_all() == [*before, *held.made]


def test_what_is_half_made_is_not_listed_in_another_interpreter(interpreter, held):
    def list_ids():
        import interp_api

        return [interpreter.id for interpreter in interp_api.list_all()]

    assert interpreter.id in interpreter.call(list_ids)
    held.begin()
    assert held.has_made.acquire(timeout=30)
    assert held.ids[0] not in interpreter.call(list_ids)
    held.end()
    assert held.ids[0] in interpreter.call(list_ids)


def test_handle_of_what_is_half_made_waits_and_is_that_of_one_of_ours(held):
    held.begin()
    assert held.has_made.acquire(timeout=30)
    handles = []
    other = threading.Thread(target=lambda: handles.append(interp_api.Interpreter(held.ids[0])))
    other.start()
    held.end()
    other.join(30)
    assert handles == held.made
    assert handles[0]._entry_lock.is_ours
    handles[0].exec("pass")


def test_who_must_have_none_made_waits_for_those_under_way_and_finds_them_listed(held):
    for _ in range(2):
        held.begin()
        assert held.has_made.acquire(timeout=30)
    seen = []

    def look():
        seen.extend([held.go.is_set(), guards.list_interpreters()])

    other = threading.Thread(target=guards._settled, args=(look,))
    other.start()
    held.end()
    other.join(30)
    assert seen[0]
    assert {id for id, _ in seen[1]} >= set(held.ids)


def test_one_that_a_fork_closes_before_its_maker_goes_on_is_made_anew(held):
    """The maker waits for `creating` then: it has no handle yet that could say what became of its interpreter."""
    held.begin()
    assert held.has_made.acquire(timeout=30)

    def close():
        held.go.set()
        making.settle()
        [found] = [entry for entry in guards._look()[0] if entry[0] == held.ids[0]]
        assert guards._close([found]) == (1, 0)

    interp_api.holding(making.creating, close)
    held.end()
    assert [interpreter.id for interpreter in held.made] == held.ids[1:]
    held.made[0].exec("pass")


def test_who_holds_the_lock_keeps_it_while_it_makes_one(held):
    """As a finalizer that makes one in the middle of a step that must have none made by others."""
    held.go.set()
    held.made.append(interp_api.holding(making.creating, partial(_create_and_ask, held)))
    assert held.ids == [held.made[0].id]


def _create_and_ask(held):
    others = []

    def ask():
        others.append(making.creating.acquire(blocking=False))
        return held.create()

    making.interpreter_create = ask  # the fixture undoes it
    interpreter = interp_api.create()
    assert others == [True]  # by this thread, once more
    making.creating.release()
    assert interp_api.is_held_here(making.creating)
    return interpreter


def test_runtime_that_cannot_make_one_leaves_nothing_behind(held, monkeypatch):
    def refuse():
        raise InterpreterError("no memory")

    monkeypatch.setattr(making, "interpreter_create", refuse)
    for _ in range(3):
        with pytest.raises(InterpreterError, match="no memory"):
            interp_api.create()
        assert_nobody_makes()
    held.go.set()


@pytest.mark.skipif(not TRACEMALLOC_CRASHES, reason="3.15 can trace beside interpreters")
def test_tracemalloc_does_not_start_while_one_is_being_made(held):
    held.begin()
    assert held.has_made.acquire(timeout=30)
    refusals = []

    def start():
        try:
            tracing._tracer.start()
        except InterpreterError as exc:
            refusals.append(str(exc))

    other = threading.Thread(target=start)
    other.start()
    held.end()
    other.join(30)
    assert len(refusals) == 1
    assert "(1 now)" in refusals[0]


def test_who_strikes_a_maker_that_has_a_place_needs_none(monkeypatch):
    """As a signal handler or a finalizer may, after the place was had and before `creating` is."""
    monkeypatch.setattr(making, "CREATES_IN_THREADS", True)
    monkeypatch.setattr(making.os, "process_cpu_count", lambda: 1)
    monkeypatch.setattr(making, "_free_places", making._places())
    hold, made = making.holding, []

    def strike(lock, step):
        monkeypatch.setattr(making, "holding", hold)
        made.append(interp_api.create())
        return hold(lock, step)

    monkeypatch.setattr(making, "holding", strike)
    thread = threading.Thread(target=lambda: made.append(interp_api.create()), daemon=True)
    thread.start()
    thread.join(30)
    for interpreter in made:
        interpreter.close()
    assert len(made) == 2
    assert not making._with_places
    assert making._free_places.qsize() == 1


def test_at_exit_what_daemon_threads_are_making_is_closed_too(held, monkeypatch):
    created = set()
    monkeypatch.setattr(making, "created", created)
    held.begin()
    assert held.has_made.acquire(timeout=30)
    held.go.set()
    making.stop()
    try:
        assert created == set(held.ids)
        assert interp_api.is_held_here(making.creating)
    finally:
        making.creating.release()
