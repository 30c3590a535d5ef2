"""Chains and addresses."""

from __future__ import annotations

import pytest

from interp_api import create_queue
from interp_api._wakeup.channel import QueueRefs, check_timeout, create_linked, linked_number


@pytest.mark.parametrize("timeout", [-1, float("-inf"), float("nan")])
def test_impossible_timeout_is_refused(timeout):
    with pytest.raises(ValueError, match="non-negative number of seconds"):
        check_timeout(timeout)


def test_infinite_timeout_means_none():
    assert check_timeout(float("inf")) is None
    assert check_timeout(0.25) == 0.25


def test_number_is_read_from_the_queue_that_carries_it():
    refs = QueueRefs([])
    linked = create_linked(5)
    refs.add(linked)
    assert linked_number(linked) == 5


def test_user_queue_with_negative_size_carries_no_number():
    queue = create_queue(-5)
    assert queue.maxsize == -5
    assert linked_number(queue._store._held) is None
