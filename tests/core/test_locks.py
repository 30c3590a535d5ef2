"""The one way in for a lock, and who is woken by a change."""

from __future__ import annotations

import threading

import pytest

from interp_api import holding, is_held_here
from interp_pool._process.locks import WaitList, trying


def test_step_that_raises_leaves_the_lock_free():
    lock = threading.RLock()

    def step():
        assert is_held_here(lock)
        raise KeyError

    with pytest.raises(KeyError):
        holding(lock, step)
    with pytest.raises(KeyError):
        trying(lock, step)
    assert not is_held_here(lock)


def test_step_in_the_middle_of_another_leaves_the_lock_to_that():
    lock = threading.RLock()

    def inner():
        raise KeyError

    def outer():
        with pytest.raises(KeyError):
            holding(lock, inner)
        assert is_held_here(lock)

    holding(lock, outer)
    assert not is_held_here(lock)


def test_change_wakes_all_who_wait_and_nobody_else():
    waiting = WaitList()
    first = [waiting.enter() for _ in range(3)]
    assert len(waiting) == 3
    waiting.wake_all()
    assert len(waiting) == 0
    assert all(waiter.acquire(timeout=60) for waiter in first)
    later = waiting.enter()
    assert not later.acquire(blocking=False)
    waiting.wake_all()
    assert later.acquire(timeout=60)
    waiting.wake_all()  # nobody
