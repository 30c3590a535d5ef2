"""A batch in a worker that gives items back: each order of the steps forced, no interpreter, no worker."""

from __future__ import annotations

import sys

import pytest
from batch_runs import WORK_ID, Clock, Run
from hypothesis import given
from hypothesis import strategies as st

from interp_pool import TaskInterrupted
from interp_pool._wire.messages import BATCH_PART, BATCH_REST, SINGLE, SPLIT, TASK_FAILED
from interp_pool._worker import batch


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(batch, "perf_counter", clock)
    return clock


@pytest.mark.parametrize("at", [0, 1, 2, 6, 9])
def test_batch_asked_in_the_middle_of_an_item_keeps_what_has_begun(at):
    def do(run, item):
        if item == at:
            run.give_back()
        return -item

    run = Run([*range(11)], do)
    assert run.go() == ([-item for item in range(at + 1)], {})
    assert run.kept == at + 1
    assert run.ran == [*range(at + 1)]
    assert [kind for kind, *_ in run.sent] == [BATCH_PART] * (at > 0) + [BATCH_REST] * 2


def test_batch_asked_during_its_last_item_sends_the_results_that_are_there_and_gives_nothing_back():
    run = Run([*range(11)], lambda run, item: run.give_back() if item == 10 else item)
    assert run.go() == ([*range(10), None], {})
    assert [(kind, body) for kind, _, body, _ in run.sent] == [(BATCH_PART, (0, [*range(10)], {}))]


def test_results_that_need_code_of_theirs_are_left_to_the_thread_that_made_them():
    run = Run([*range(4)], lambda run, item: run.give_back() if item == 3 else [item])
    assert run.go() == ([[0], [1], [2], None], {})
    assert run.sent == []


def test_result_that_was_sent_when_asked_is_not_sent_again():
    def do(run, item):
        if item == 2:
            run.give_back()
            run.give_back()
        return item

    run = Run([*range(4)], do)
    assert run.go() == ([0, 1, 2], {})
    assert [body for kind, _, body, _ in run.sent if kind == BATCH_PART] == [(0, [0, 1], {})]


def test_failure_among_results_that_are_sent_when_asked_keeps_its_place():
    def do(run, item):
        if item == 1:
            raise ValueError
        if item == 3:
            run.give_back()
        return item

    run = Run([*range(5)], do)
    results, failures = run.go()
    assert results == [0, None, 2, 3]
    assert [*failures] == [1]
    assert run.kept == 4


def test_batch_whose_part_is_just_being_taken_sends_nothing_else():
    def do(run, item):
        if item == 3:
            with run.batch._parting:
                run.give_back()
        return item

    run = Run([*range(4)], do)
    assert run.go() == ([0, 1, 2, 3], {})
    assert run.sent == []


def test_batch_asked_before_its_first_item_gives_all_back():
    run = Run([*range(5)], lambda _, item: item)
    run.give_back()
    assert run.go() == ([], {})
    assert run.kept == 0


def test_batch_asked_after_its_end_gives_nothing_back():
    run = Run([*range(5)], lambda _, item: item)
    assert run.go() == ([0, 1, 2, 3, 4], {})
    run.give_back()
    assert run.sent == []


def test_batch_asked_twice_says_the_same(clock):
    def do(run, item):
        if item == 3:
            run.give_back()
            clock.now += 1
            run.give_back()
        return item

    run = Run([*range(11)], do)
    assert run.go() == ([0, 1, 2, 3], {})
    assert run.kept == 4


def test_batch_asked_while_its_parts_are_encoded_keeps_what_was_run(clock):
    def do(run, item):
        clock.now += 0.0025
        return item

    run = Run([*range(4)], do)
    taken = []

    def encode_part(start, results, failures):
        taken.append((start, results))
        run.give_back()
        return start, results, failures

    run.batch._encode_part = encode_part
    run.batch.run(run, repr, lambda: None)
    run.batch.end()
    assert taken == [(0, [0]), (1, [])]
    assert run.kept == 1


@pytest.mark.parametrize(("work_id", "flags"), [(WORK_ID + 1, SINGLE | SPLIT), (WORK_ID, SINGLE)])
def test_batch_that_is_another_one_or_may_not_be_split_gives_nothing_back(work_id, flags):
    run = Run([*range(5)], lambda run, item: run.batch.give_back(work_id), flags)
    assert run.go() == ([None] * 5, {})
    assert run.sent == []


@pytest.mark.parametrize("kind", [ValueError, StopIteration, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("at", [0, 1, 4, 5, 9])
def test_batch_asked_in_an_item_that_raises_keeps_its_failure(kind, at):
    def do(run, item):
        if item == at:
            run.give_back()
            raise kind
        return item

    run = Run([*range(10)], do)
    results, failures = run.go()
    assert results == [*range(at), None]
    assert [*failures] == [at]
    assert failures[at][0] == TASK_FAILED
    assert run.kept == at + 1


def test_batch_that_is_interrupted_after_it_was_asked_raises_that():
    def do(run, item):
        run.give_back()
        raise TaskInterrupted

    usual = sys.getswitchinterval()
    run = Run([*range(10)], do)
    with pytest.raises(TaskInterrupted):
        run.go()
    assert run.kept == 1
    assert sys.getswitchinterval() == usual


def test_batch_that_has_run_for_long_gives_the_rest_back_after_the_item_it_is_in(clock):
    def do(_, item):
        clock.now += 0.0015
        return item

    run = Run([*range(100)], do)
    results, _ = run.go()
    assert run.kept == len(results) < 10
    assert run.ran == results == [*range(len(results))]


def test_batch_that_may_not_be_split_runs_to_its_end_however_long(clock):
    def do(_, item):
        clock.now += 1
        return item

    run = Run([*range(20)], do, SINGLE)
    assert run.go() == ([*range(20)], {})
    assert {kind for kind, *_ in run.sent} == {BATCH_PART}


def test_batch_with_next_to_nothing_left_goes_on(clock):
    def do(_, item):
        clock.now += 0.0030 if item == 0 else 0.0011 if item == 1 else 0
        return item

    run = Run([0, 1, 2], do)
    assert run.go() == ([0, 1, 2], {})
    assert run.kept == 3


def test_batch_leaves_the_switch_interval_that_an_item_has_set():
    usual = sys.getswitchinterval()
    try:
        run = Run([1, 2], lambda _, item: sys.setswitchinterval(0.02))
        run.go()
        assert sys.getswitchinterval() == 0.02
    finally:
        sys.setswitchinterval(usual)


def test_batch_has_others_wait_less_for_it_while_it_runs():
    usual = sys.getswitchinterval()
    run = Run([1, 2], lambda _, item: sys.getswitchinterval())
    results, _ = run.go()
    assert max(results) <= 1e-4 < usual == sys.getswitchinterval()


STEPS = st.sampled_from(["return", "raise", "stop", "ask", "ask and raise", "ask and stop", "long", "longer"])


@given(st.lists(STEPS, min_size=1, max_size=40), st.booleans())
def test_batch_keeps_each_item_or_gives_it_back(steps, is_single):
    clock = batch.perf_counter = Clock()

    def do(run, step):
        if "ask" in step:
            run.give_back()
        if step.startswith("long"):
            clock.now += 0.0011 if step == "long" else 0.1
        if "raise" in step:
            raise ValueError(step)
        if "stop" in step:
            raise StopIteration
        return step

    items = [*steps] if is_single else [(step,) for step in steps]
    run = Run(items, do, SPLIT | SINGLE if is_single else SPLIT)
    results, failures = run.go()
    kept = run.kept
    assert run.ran == steps[:kept]
    assert [None if "raise" in step or "stop" in step else step for step in steps[:kept]] == results
    assert {n for n, step in enumerate(steps[:kept]) if "raise" in step or "stop" in step} == set(failures)
    assert kept == len(steps) or any(word in step for step in steps[:kept] for word in ("ask", "long"))
