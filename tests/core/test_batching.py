"""How many items go in one message: the properties the executor's promises rest on, without a single interpreter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interp_pool._core.batch_sizes import (
    GROWTH,
    LEAST,
    MOST_AHEAD,
    MOST_BYTES,
    OVERHEAD,
    PATIENCE,
    TARGET,
    batches_ahead,
    estimate,
    lateness,
    next_size,
    rest_size,
)

SECONDS = st.floats(0, 100)
COUNTS = st.integers(1, 10**7)
WORKERS = st.integers(1, 64)


@given(COUNTS, WORKERS)
def test_first_batches_have_one_item(remaining, workers):
    assert next_size(None, 0.0, 0, remaining, workers) == 1


@given(st.floats(TARGET / 1.5, 100), st.floats(0, 1e9), COUNTS, COUNTS, WORKERS)
def test_item_of_a_millisecond_goes_alone(seconds, size, largest, remaining, workers):
    assert next_size(seconds, size, largest, remaining, workers) == 1


@given(SECONDS, st.floats(0, 1e9), COUNTS, COUNTS, WORKERS)
def test_batch_keeps_every_limit(seconds, size, largest, remaining, workers):
    items = next_size(seconds, size, largest, remaining, workers)
    assert 1 <= items <= remaining
    assert items <= largest * GROWTH
    if items > 1:
        assert items * (seconds + OVERHEAD) <= TARGET * 1.001
        assert items * size <= MOST_BYTES * 1.001


@given(SECONDS, COUNTS, WORKERS)
def test_batch_is_at_most_half_an_even_share_unless_that_is_next_to_nothing(seconds, remaining, workers):
    items = next_size(seconds, 0.0, 10**7, remaining, workers)
    assert items <= max(1, remaining / (2 * workers), LEAST / (seconds + OVERHEAD))


@given(SECONDS, SECONDS, COUNTS)
def test_slower_batch_counts_at_once_and_faster_one_by_half(previous, seconds, items):
    estimated = estimate(previous, seconds, items)
    mean = seconds / items
    assert estimated == (mean if mean >= previous else (previous + mean) / 2)
    assert estimate(None, seconds, items) == mean


@given(st.one_of(st.none(), SECONDS), WORKERS)
def test_work_ahead_outlasts_a_switch_interval_or_is_at_its_limit(seconds, workers):
    ahead = batches_ahead(seconds, workers)
    assert 2 * workers <= ahead <= MOST_AHEAD * workers
    if seconds is not None:
        assert ahead * seconds >= workers * PATIENCE or ahead == MOST_AHEAD * workers


@given(st.one_of(st.none(), SECONDS), st.integers(1, 100_000), st.integers(1, 64))
def test_items_that_were_given_back_go_in_halves_of_an_even_share_down_to_one(seconds, remaining, workers):
    size = rest_size(seconds, 0.0, remaining, workers)
    assert 1 <= size <= max(1, remaining // (2 * workers))


@given(st.integers(2, 100_000), st.integers(1, 64), st.floats(1e-8, 1e-3))
def test_batch_of_the_size_it_should_have_is_not_late_before_twice_its_time(remaining, workers, seconds):
    items = next_size(seconds, 0.0, remaining, remaining, workers)
    assert lateness(seconds, items) >= 2 * seconds * items


def test_batch_whose_items_turned_out_to_be_long_is_late_at_once():
    assert lateness(0.02, 4) == 0


def test_batch_of_which_nothing_is_known_is_late_soon():
    assert 0 < lateness(None, 1000) < 1e-3
