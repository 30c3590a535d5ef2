"""Which waiting task is next: highest priority, then arrival, and nobody starves."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_pool._core.backlog import TURNS, PriorityBacklog


@dataclass(frozen=True)
class Item:
    number: int
    priority: int


def make(priorities):
    return PriorityBacklog(deque(Item(number, priority) for number, priority in enumerate(priorities)))


def take_all(backlog):
    taken = []
    while len(backlog):
        first = backlog[0]
        assert backlog[0] is first
        assert backlog.popleft() is first
        taken.append(first)
    return taken


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_everything_comes_out_once_and_each_priority_in_its_order(priorities):
    backlog = make(priorities)
    assert len(backlog) == len(priorities)
    assert sorted(item.number for item in backlog) == [*range(len(priorities))]
    taken = take_all(backlog)
    assert sorted(item.number for item in taken) == [*range(len(priorities))]
    for priority in set(priorities):
        numbers = [item.number for item in taken if item.priority == priority]
        assert numbers == sorted(numbers)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=60))
def test_highest_goes_first_but_for_one_turn_in_some(priorities):
    backlog = make(priorities)
    for turn in range(len(priorities)):
        highest = max(item.priority for item in backlog)
        item = backlog.popleft()
        if turn % TURNS != TURNS - 1:
            assert item.priority == highest


def test_steady_stream_starves_nobody():
    backlog = make([-1, 0])
    waited = {}
    for turn in range(1, 200):
        backlog.append(Item(turn + 10, 9))
        item = backlog.popleft()
        if item.priority < 9:
            waited[item.priority] = turn
    assert set(waited) == {-1, 0}
    assert max(waited.values()) <= 2 * TURNS


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=30), st.data())
def test_removed_item_does_not_come(priorities, data):
    backlog = make(priorities)
    victim = data.draw(st.sampled_from([*backlog]))
    _ = backlog[0]
    backlog.remove(victim)
    assert victim not in take_all(backlog)
    with pytest.raises(ValueError, match="not in the backlog"):
        backlog.remove(victim)


def test_empty_backlog_has_no_first():
    backlog = make([1, 2])
    backlog.clear()
    assert not backlog
    with pytest.raises(IndexError):
        backlog[0]
    with pytest.raises(IndexError):
        backlog.popleft()
