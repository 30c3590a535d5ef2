"""What `map` returns: results of several parts in their order, none kept longer than until it is taken."""

from __future__ import annotations

import weakref

import pytest

from interp_pool._executor.results import chained, one_by_one


class Thing:
    """What a task returns."""


def test_results_of_all_parts_come_in_order():
    results = chained(one_by_one(part) for part in ([1, 2], [], [3]))
    assert iter(results) is results
    assert list(results) == [1, 2, 3]
    assert next(results, None) is None


def test_what_was_taken_is_not_kept():
    results = chained(one_by_one(part) for part in ([Thing(), Thing()],))
    kept = weakref.ref(next(results))
    assert kept() is None
    assert next(results) is not None


def test_next_part_is_not_asked_for_before_it_is_needed():
    asked = []

    def parts():
        for number in range(3):
            asked.append(number)
            yield one_by_one([number])

    results = chained(parts())
    assert asked == []
    assert next(results) == 0
    assert asked == [0]


def test_what_a_part_raises_ends_it():
    def parts():
        yield one_by_one([1])
        raise KeyError("failed")

    results = chained(parts())
    assert next(results) == 1
    with pytest.raises(KeyError, match="failed"):
        next(results)
    assert list(results) == []


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_parts_end_when_the_results_are(how):
    ended = []
    part: list[object] = [1, 2, Thing()]
    kept = weakref.ref(part[-1])

    def parts():
        try:
            yield one_by_one(part)
            pytest.fail("asked for more")
        finally:
            ended.append(True)

    results = chained(parts())
    assert next(results) == 1
    if how == "closed":
        results.close()
        assert list(results) == []
        results.close()
        assert kept() is None
    del results
    assert ended == [True]
