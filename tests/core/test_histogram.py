"""Histograms: which bucket holds a time, what they tell of many, and their sum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_pool._core.histogram import BUCKETS, Histogram, Meter, bound_of, bucket_of
from interp_pool._core.statistics import Statistics

LONGEST = bound_of(BUCKETS - 2)
times = st.floats(0, LONGEST * 2)


def read(*seconds):
    meter = Meter()
    for each in seconds:
        meter.add(each)
    return meter.read()


def test_bounds_grow_and_each_doubling_from_a_microsecond_on_is_cut_into_four():
    bounds = [bound_of(bucket) for bucket in range(BUCKETS)]
    assert bounds == sorted(set(bounds))
    assert bounds[:12] == [n / 1e6 for n in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0)]
    assert all(math.isclose(bounds[n + 4], 2 * bounds[n]) for n in range(3, BUCKETS - 4))
    assert LONGEST > 5 * 24 * 3600


@given(times)
def test_time_is_in_the_bucket_between_whose_bounds_it_is(seconds):
    bucket = bucket_of(seconds)
    assert bucket == 0 or bound_of(bucket - 1) <= seconds * (1 + 1e-12)
    assert bucket == BUCKETS - 1 or seconds < bound_of(bucket)


@pytest.mark.parametrize(("seconds", "bucket"), [(-1.0, 0), (0.0, 0), (1e9, BUCKETS - 1)])
def test_what_is_out_of_range_is_in_the_outermost_bucket(seconds, bucket):
    assert bucket_of(seconds) == bucket


@given(st.lists(times, min_size=1), st.floats(0, 1))
def test_quantile_is_at_most_a_quarter_beside_the_truth(seconds, part):
    truth = sorted(min(each, LONGEST) for each in seconds)[max(0, math.ceil(part * len(seconds)) - 1)]
    found = read(*seconds).quantile(part)
    assert truth / 1.26 - 2.6e-7 <= found <= truth * 1.26 + 2.6e-7


@given(st.lists(times), st.lists(times))
def test_sum_of_two_is_the_histogram_of_all(left, right):
    both, all_of_them = read(*left) + read(*right), read(*left, *right)
    assert both.counts == all_of_them.counts
    assert both.count == len(left) + len(right)
    assert math.isclose(both.sum, all_of_them.sum)


def test_one_time_can_be_added_many_times_over():
    meter = Meter()
    meter.add(0.5, 4)
    told = meter.read()
    assert (told.count, told.sum, told.mean) == (4, 2.0, 0.5)
    meter.add(1.0)
    assert told.count == 4  # what was read stays


def test_empty_histogram_has_no_quantile_and_no_mean():
    assert (Histogram().count, Histogram().quantile(0.5), Histogram().mean) == (0, None, None)


@pytest.mark.parametrize("part", [-0.1, 1.1, math.nan])
def test_quantile_out_of_range_is_refused(part):
    with pytest.raises(ValueError, match=r"^part must be from 0 to 1, got "):
        read(1.0).quantile(part)


def test_cumulative_counts_are_those_below_each_bound():
    told = read(1e-7, 3e-6, 3e-6, 1.0, 1e9).cumulative(8)
    assert told[:3] == [(2e-6, 1), (8e-6, 3), (3.2e-5, 3)]
    assert [count for _, count in told] == sorted(count for _, count in told)
    assert told[-1][1] == 4


def test_statistics_have_none_unless_they_are_given():
    nothing = Statistics(*[0] * 20)
    assert (nothing.run_times, nothing.wait_times, nothing.encode_times) == (None, None, None)


def test_histogram_tells_what_it_holds_in_a_line():
    """The numbers of its 160 buckets are in `counts`."""
    assert repr(Histogram()) == "<Histogram count=0 sum=0>"
    meter = Meter()
    meter.add(1.0, 3)
    assert repr(meter.read()).startswith("<Histogram count=3 sum=3 median=")


def test_histogram_and_something_else_have_no_sum():
    with pytest.raises(TypeError, match="unsupported operand"):
        Histogram() + 1
