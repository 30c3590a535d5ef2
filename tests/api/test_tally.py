"""The count of unfinished tasks: carrying, borrowing, and readings in between."""

from __future__ import annotations

import pytest
import tasks

from interp_api import _tally
from interp_api._channel import QueueRefs
from interp_api._cpython import queue_count, queue_create, queue_get, queue_put
from interp_api._tally import Tally

LARGE = 3000  # more than two carries


class Struck(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def ids():
    ids = tuple(queue_create(0, 3) for _ in range(3))
    refs = QueueRefs(ids)
    yield ids
    del refs


@pytest.fixture
def tally(ids):
    tally = Tally(*ids)
    tally.fill()
    return tally


def test_new_tally_is_zero(tally):
    assert tally.is_zero()
    assert not tally.lower_by_one()


def test_as_many_lowerings_as_raisings_give_zero_whatever_the_number(tally, ids):
    for _ in range(LARGE):
        tally.raise_by_one([])
    assert queue_count(ids[0]) < LARGE  # carried
    for _ in range(LARGE - 1):
        assert tally.lower_by_one()
    assert not tally.is_zero()
    assert tally.lower_by_one()
    assert tally.is_zero()
    assert not tally.lower_by_one()


def test_count_outlives_the_interpreter_that_raised_it(tally, ids, interpreter):
    interpreter.call(tasks.raise_tally, ids, 5)
    interpreter.close()
    for _ in range(5):
        assert tally.lower_by_one()
    assert tally.is_zero()


def test_zero_is_not_read_in_the_middle_of_a_borrowing(tally, ids, monkeypatch):
    """1. The reader sees no ones. 2. The borrower moves 1,024 there. 3. The reader sees no thousands."""
    queue_put(ids[1], None, 3)
    steps = [lambda: Tally(*ids).lower_by_one()]

    def count(qid):
        number = queue_count(qid)
        if steps and qid == ids[0]:
            steps.pop()()
        return number

    monkeypatch.setattr(_tally, "queue_count", count)
    assert not tally.is_zero()


def test_carrying_that_finds_too_few_is_undone(tally, ids, monkeypatch):
    """1. The carrier counts 2,048 ones. 2. Others count off all but 10. 3. It takes 10 and misses the eleventh."""
    for _ in range(10):
        queue_put(ids[0], None, 3)
    monkeypatch.setattr(_tally, "queue_count", lambda qid: 2048)
    tally.raise_by_one([])
    monkeypatch.undo()
    assert (queue_count(ids[0]), queue_count(ids[1])) == (11, 0)


def test_token_survives_a_struck_carrier(tally, ids, monkeypatch):
    def strike(qid):
        raise Struck

    monkeypatch.setattr(_tally, "queue_count", strike)
    with pytest.raises(Struck):
        tally._locked(tally._is_zero)
    monkeypatch.undo()
    assert queue_get(ids[2])
