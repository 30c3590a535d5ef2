"""Listing interpreters while others end: E1 to E3 and A1 to A3 of `interp_api._interpreters.alive`."""

from __future__ import annotations

import _interpreters

import pytest
from struck import Struck

import interp_api
from interp_api import InterpreterNotFoundError
from interp_api._interpreters import alive, guards
from interp_api._runtime.cpython import interpreter_destroy
from interp_api._wakeup.arena import ENTRY_ENDS, ENTRY_SPAN, tables


def ids():
    return [each.id for each in interp_api.list_all()]


@pytest.fixture
def walks(monkeypatch):
    """What the walks of the runtime's list have found."""
    found = []

    def walk():
        found.append(_interpreters.list_all(require_ready=True))
        return found[-1]

    monkeypatch.setattr(alive, "interpreter_list", walk)
    return found


def test_nobody_walks_the_runtimes_list_while_an_interpreter_is_destroyed(monkeypatch, walks):
    kept, closed = interp_api.create(), interp_api.create()
    listed = []

    def destroy(id):
        listed.append(ids())
        interpreter_destroy(id)

    monkeypatch.setattr(guards, "interpreter_destroy", destroy)
    closed.close()
    assert listed == [[0, kept.id, closed.id]]
    assert not walks
    assert ids() == [0, kept.id]
    assert len(walks) == 1
    kept.close()


def test_nobody_walks_the_runtimes_list_while_the_last_handle_is_dropped(monkeypatch, walks):
    kept, dropped = interp_api.create(), interp_api.create()
    listed = []
    lock = dropped._entry_lock
    drop = type(lock).drop

    def drop_and_list(self, decref):
        drop(self, lambda id: (listed.append(ids()), decref(id)))

    monkeypatch.setattr(type(lock), "drop", drop_and_list)
    del dropped, lock
    assert [len(each) for each in listed] == [3]
    assert not walks
    monkeypatch.undo()
    assert ids() == [0, kept.id]
    kept.close()


def test_what_was_struck_in_its_end_does_not_keep_others_from_the_runtimes_list(monkeypatch, walks):
    interp = interp_api.create()

    def destroy(_id):
        raise Struck

    monkeypatch.setattr(guards, "interpreter_destroy", destroy)
    with pytest.raises(Struck):
        interp.close()
    assert tables.find(b"\1", ENTRY_ENDS, ENTRY_ENDS + ENTRY_SPAN) == -1
    assert ids() == [0, interp.id]
    assert walks
    monkeypatch.undo()
    interp.close()


def test_end_of_one_interpreter_does_not_hide_that_of_another(monkeypatch, walks):
    first, second = interp_api.create(), interp_api.create()

    def destroy(id):
        if id == first.id:
            second.close()
            ids()  # the first one still ends
        interpreter_destroy(id)

    monkeypatch.setattr(guards, "interpreter_destroy", destroy)
    first.close()
    assert not walks


def test_interpreter_that_has_ended_is_left_out_while_another_ends():
    interp = interp_api.create()
    id = interp.id
    interp.close()

    listed = []

    def find_it_gone(id):
        listed.append(alive.list_interpreters())
        raise InterpreterNotFoundError(id)

    with pytest.raises(InterpreterNotFoundError):
        alive.end(find_it_gone, id)
    assert [each for each, _ in listed[0]] == [0]


def test_worker_of_another_interpreter_lists_while_one_ends(monkeypatch):
    lister, closed = interp_api.create(), interp_api.create()
    lister.exec("import interp_api")
    listed = []

    def destroy(id):
        listed.append(lister.call(eval, "[each.id for each in __import__('interp_api').list_all()]"))
        interpreter_destroy(id)

    monkeypatch.setattr(guards, "interpreter_destroy", destroy)
    closed.close()
    monkeypatch.undo()
    assert listed == [[0, lister.id, closed.id]]
    lister.close()
