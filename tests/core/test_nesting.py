"""What a worker does for a task that waits, and what the pool's books tell of it: decisions alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings, strategies

from interp_pool._core.nested_book import NestedBook
from interp_pool._core.nesting import MOST_SENT, MOST_TAKEN, Step, choose_step, count_offers, most_levels
from interp_pool._core.task_book import MOST_IN_FLIGHT, TaskBook

STATE = {
    "has_unsent": False,
    "has_unasked": False,
    "is_awaited": False,
    "has_asked": False,
    "levels": 0,
    "limit": 70,
    "taken": 0,
    "may_take": True,
}


@pytest.mark.parametrize(
    ("state", "step"),
    [
        ({}, Step.TAKE),
        ({"has_unsent": True}, Step.RUN),
        ({"has_unsent": True, "has_unasked": True}, Step.RUN),
        ({"has_unsent": True, "has_unasked": True, "is_awaited": True}, Step.ASK_BACK),
        ({"has_unasked": True}, Step.ASK_BACK),
        ({"has_asked": True}, Step.WAIT),
        ({"has_asked": True, "has_unsent": True}, Step.WAIT),
        ({"may_take": False}, Step.WAIT),
        ({"taken": MOST_TAKEN - 1}, Step.TAKE),
        ({"taken": MOST_TAKEN}, Step.WAIT),
        ({"taken": MOST_TAKEN, "has_unasked": True}, Step.ASK_BACK),
        ({"levels": 70, "has_unsent": True}, Step.RUN),
        ({"levels": 71, "has_unsent": True}, Step.GIVE_UP),
        ({"levels": 71, "has_unasked": True}, Step.GIVE_UP),
        ({"levels": 71}, Step.WAIT),
    ],
)
def test_step_follows_from_what_there_is(state, step):
    assert choose_step(**{**STATE, **state}) is step


@given(
    has_unsent=strategies.booleans(),
    has_unasked=strategies.booleans(),
    is_awaited=strategies.booleans(),
    levels=strategies.integers(0, 100),
    taken=strategies.integers(0, 2 * MOST_TAKEN),
    may_take=strategies.booleans(),
)
@settings(deadline=None)
def test_who_has_a_child_that_nobody_has_begun_never_only_waits(**state):
    step = choose_step(limit=70, has_asked=False, **state)
    if state["has_unsent"] or state["has_unasked"]:
        assert step not in (Step.WAIT, Step.TAKE)
    else:
        assert step in (Step.WAIT, Step.TAKE)


@pytest.mark.parametrize(
    ("kept", "sent", "wanted", "is_hungry", "count"),
    [
        (10, 0, 0, False, 0),
        (10, 0, 0, True, 1),
        (10, 3, 3, True, 1),
        (10, 3, 7, False, 4),
        (2, 3, 7, False, 2),
        (0, 0, 7, True, 0),
        (10, 5, 3, False, 0),
        (100, 0, 1000, True, MOST_SENT),
        (100, MOST_SENT, 1000, True, 0),
    ],
)
def test_as_many_are_sent_as_can_be_begun(kept, sent, wanted, is_hungry, count):
    assert count_offers(kept=kept, sent=sent, wanted=wanted, is_hungry=is_hungry) == count


def test_levels_follow_from_the_recursion_limit():
    assert 50 < most_levels(1000) < 100
    assert most_levels(4000) > 4 * most_levels(1000)
    assert most_levels(10) == 2


class Worker:
    def __init__(self, number, kept=0, buried=(), in_place=0, deepest=0):
        self.number, self.kept, self.buried = number, kept, [*buried]
        self.in_place, self.deepest = in_place, deepest
        self.is_asked_for_tasks = False
        self.asked = 0
        self.wanted = None

    @property
    def buried_count(self):
        return len(self.buried)

    def tell_wanted(self, count):
        self.wanted = count

    def ask_for_tasks(self, *, is_sure=False):
        if self.kept and not self.is_asked_for_tasks:
            self.is_asked_for_tasks = True
            self.asked += 1


def book_of(*workers):
    book = NestedBook()
    for worker in workers:
        book.note_worker(worker)
    return book


def test_workers_that_keep_children_are_asked_once_until_they_answer():
    rich, poor = Worker(0, kept=3), Worker(1)
    book = book_of(rich, poor)
    book.ask_for_tasks(0)
    assert not rich.asked
    book.ask_for_tasks(1)
    book.ask_for_tasks(1)
    assert (rich.asked, poor.asked) == (1, 0)
    book.note_worker(rich)
    book.ask_for_tasks(1)
    assert rich.asked == 2


def test_tasks_that_wait_below_others_keep_no_worker_busy():
    worker = Worker(0, kept=1, buried=[5, 7])
    book = book_of(worker)
    assert book.count_buried() == 2
    assert book.find_buried(7) is worker
    assert book.find_buried(8) is None
    book.ask_for_tasks(-1)
    assert worker.asked == 1


def test_worker_is_told_of_those_it_has_sent_and_of_room_for_more():
    worker = Worker(0)
    book = book_of(worker)
    for number in (1, 2):
        book.add(0, number, SimpleNamespace(future=SimpleNamespace(parent=9)))
    book.add(1, 1, SimpleNamespace(future=SimpleNamespace(parent=9)))
    book.tell_wanted(0, 3)
    assert worker.wanted == 5
    book.tell_wanted(0, -3)
    assert worker.wanted == 2
    book.tell_wanted(4, 3)  # it has ended
    assert book.submitted == 3
    assert len(book.children_of([9, None])) == 3
    assert not book.children_of([8])


def test_counts_of_workers_that_have_ended_are_kept():
    first, second = Worker(0, in_place=3, deepest=2), Worker(1, in_place=4, deepest=1)
    book = book_of(first, second)
    book.note_end(first)
    book.note_end(first)
    assert book.count_in_place() == 7
    assert book.find_deepest() == 2


def test_window_grows_by_tasks_that_wait_for_others():
    tasks = TaskBook()
    tasks.set_window(2)
    before = tasks.window
    tasks.widen(3)
    assert tasks.window == before + 3
    tasks.widen(1000)
    assert tasks.window == MOST_IN_FLIGHT
    tasks.set_window(2, is_pausing=True)
    tasks.widen(3)
    assert tasks.window == 0
