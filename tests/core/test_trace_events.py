"""The lines of a trace: what the format says, whatever is noted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traced import check

from interp_pool._seeing.trace_events import BACKLOG, QUIET, SHORT, Formatter

BEGIN = 10**12  # ns


def events_of(formatter):
    text = "[\n" + "".join(formatter.lines)
    return json.loads(text if text.endswith("]\n") else text.rstrip(",\n") + "]")


def made(*tasks, name="work", **options):
    """Return the events of tasks that one worker has run: each is (unpickling, run, encoding, gap before it) in ns."""
    formatter = Formatter(1)
    formatter.pool(0, "pool", 1)
    formatter.worker(0, 0, "pool_0")
    at = BEGIN
    for number, (unpickling, run, encoding, gap) in enumerate(tasks, 1):
        begun = at + gap
        ran = begun + unpickling
        at = ran + run + encoding
        note = {"items": None, "outcome": "", "modules": 0, **options}
        measured = 0, begun, ran, at, note["modules"], 0, ()
        formatter.task(
            0, number, name, begun - 10, 5, note["items"], measured, run / 1e9, note["outcome"], 7, at + 1000 * number
        )
    return events_of(formatter)


NAMES = 'x\udc80\n\x1b[31m\u202e"', "\ud83d", "caf\u00e9 \U0001f600"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_no_encoding_has_are_written_as_texts_that_every_reader_takes(name):
    formatter = Formatter(1)
    formatter.pool(0, name, 1)
    formatter.worker(0, 0, name)
    formatter.instant(0, 0, name, BEGIN)
    formatter.unmeasured(0, 1, name, BEGIN, "cancelled", None, BEGIN)
    events = events_of(formatter)
    written = json.dumps(events, ensure_ascii=False).encode()  # a lone surrogate has no bytes
    assert name.encode(errors="backslashreplace").decode() in [
        event.get("args", {}).get("pool") for event in json.loads(written)
    ]


def slices(events, category):
    return [event for event in events if event["ph"] == "X" and event["cat"] == category]


durations = st.integers(0, 10**9)


@given(st.lists(st.tuples(durations, durations, durations, st.integers(1000, 10**9)), max_size=8), st.text(max_size=20))
def test_any_tasks_make_events_of_the_format(tasks, name):
    events = made(*tasks, name=name)
    check(events)
    assert [each["name"] for each in slices(events, "task")] == [name] * len(tasks)


def test_what_is_short_has_no_slice_of_its_own_but_is_told():
    events = made((SHORT - 1, 100, SHORT - 1, QUIET - 1), (SHORT, 100, SHORT, QUIET))
    assert [len(slices(events, each)) for each in ("unpickling", "encoding", "idle")] == [1, 1, 1]
    first, second = slices(events, "task")
    assert first["args"]["unpickling_ns"] == SHORT - 1
    assert second["args"]["encoding_ns"] == SHORT
    assert first["ts"] == (BEGIN + QUIET - 1 + SHORT - 1) / 1000


def test_unpickling_that_imports_is_named_so():
    (event,) = slices(made((SHORT, 1, 1, 0), modules=3), "unpickling")
    assert event["name"] == "unpickling and imports"


def test_batch_tells_its_items_and_what_it_gave_back():
    (event,) = slices(made((1, 1, 1, 0), items=(3, 10)), "map")
    assert (event["args"]["items"], event["args"]["given_back"]) == (3, 7)


def test_task_whose_function_was_never_called_has_a_slice_as_long_as_an_arrow_needs():
    formatter = Formatter(1)
    formatter.task(
        0, 1, "work", BEGIN, 5, None, (0, BEGIN, 0, BEGIN + 5000, 0, 0, ()), 0.0, "cannot be unpickled", 0, BEGIN + 9000
    )
    (event,) = slices(events_of(formatter), "task")
    assert (event["dur"], event["args"]["outcome"]) == (0.001, "cannot be unpickled")


def test_start_of_a_worker_ends_before_its_first_task_though_the_pool_heard_later():
    formatter = Formatter(1)
    formatter.started(0, 0, BEGIN, BEGIN + 50_000)
    measured = 0, BEGIN + 20_000, BEGIN + 21_000, BEGIN + 30_000, 0, 0, ()
    formatter.task(0, 1, "work", BEGIN, 5, None, measured, 5e-6, "", 0, BEGIN + 60_000)
    formatter.started(0, 1, BEGIN, BEGIN + 50_000)
    formatter.end(0)
    events = events_of(formatter)
    check(events)
    assert [each["dur"] for each in slices(events, "worker")] == [20.0, 50.0]


def test_start_of_a_worker_ends_before_the_task_that_waits_below_the_first_that_has_ended():
    formatter = Formatter(1)
    formatter.started(0, 0, BEGIN, BEGIN + 50_000)
    for depth, begun in ((1, 40_000), (0, 20_000)):
        measured = 0, BEGIN + begun, BEGIN + begun + 1000, BEGIN + 90_000 - begun, 0, depth, ()
        formatter.task(0, 2 - depth, "work", BEGIN, 5, None, measured, 5e-6, "", 0, BEGIN + 90_000)
    events = events_of(formatter)
    check(events)
    assert [each["dur"] for each in slices(events, "worker")] == [20.0]


def test_unmeasured_task_is_an_instant_or_a_slice_if_its_worker_is_known():
    formatter = Formatter(1)
    formatter.unmeasured(0, 0, "work", BEGIN, "cancelled", None, BEGIN + 10)
    formatter.unmeasured(0, 2, "work", BEGIN + 10**6, "interrupt", (0, BEGIN + 2 * 10**6), BEGIN + 3 * 10**6)
    events = events_of(formatter)
    check(events)
    (instant,) = (event for event in events if event["ph"] == "i")
    assert (instant["tid"], instant["name"]) == (BACKLOG, "cancelled: work")
    assert slices(events, "task")[0]["dur"] == 1000


def test_each_pool_is_a_process_and_the_first_has_the_real_id():
    formatter = Formatter(77)
    for pool in range(3):
        formatter.pool(pool, f"pool {pool}", 1)
    names = [event for event in events_of(formatter) if event["name"] == "process_name"]
    assert names[0]["pid"] == 77
    assert len({event["pid"] for event in names}) == 3


def test_many_names_are_not_kept():
    formatter = Formatter(1)
    for number in range(3000):
        formatter.instant(0, None, f"name {number}", BEGIN)
    assert len(formatter._names) <= 1000
