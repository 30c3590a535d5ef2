"""An error that nobody asks for is logged, once; one that somebody asks for is not."""

from __future__ import annotations

import gc
import logging
import threading
from concurrent.futures import wait

import pytest
import scripts
import tasks

from interp_pool import InterpreterPoolExecutor, Pool
from interp_pool._futures import unread


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(unread, "_told", {})


def ended(executor):
    """Have every task of an executor done and forgotten."""
    executor.shutdown()
    gc.collect()


def texts(logged):
    assert all(level == logging.WARNING for level, _, _ in logged)
    return [message.split(" (unread")[0] for _, message, _ in logged]


def test_error_of_a_task_whose_future_is_dropped_is_logged_once_for_each_cause(executor, logged):
    for text in ("first", "first", "second"):
        executor.submit(tasks.fail_with, ValueError, text)
    ended(executor)
    assert sorted(texts(logged)) == [
        f"task fail_with() failed, and nobody asked for its result: ValueError: {text}" for text in ("first", "second")
    ]


@pytest.mark.parametrize("ask", ["result", "exception", "wait and exception", "callback"])
def test_error_that_somebody_asks_for_is_not_logged(executor, logged, ask):
    future = executor.submit(tasks.fail_with, ValueError, "asked for")
    if ask == "result":
        with pytest.raises(ValueError, match="asked for"):
            future.result(60)
    elif ask == "callback":
        asked = threading.Event()
        future.add_done_callback(lambda each: each.exception() and asked.set())
        assert asked.wait(60)
    else:
        wait([future], 60)
        assert future.exception() is not None
    del future
    ended(executor)
    assert logged == []


def test_error_of_a_map_that_nobody_iterates_over_is_logged(executor, logged):
    executor.map(tasks.fail_on_three, range(9))
    executor.map(tasks.fail_on_three, [3], chunksize=1)
    ended(executor)
    assert texts(logged) == ["map of fail_on_three() failed, and nobody asked for its result: ValueError: bad item 3"]


@pytest.mark.parametrize("chunksize", [None, 1])
def test_errors_of_a_map_that_has_raised_one_are_not_logged(executor, logged, chunksize):
    with pytest.raises(ValueError, match="bad"):
        list(executor.map(tasks.fail_with, [ValueError] * 9, ["bad"] * 9, chunksize=chunksize))
    ended(executor)
    assert logged == []


def test_what_could_not_be_sent_is_logged_too(executor, logged):
    executor.submit(id, threading.Lock())
    executor.map(id, [threading.Lock()])
    ended(executor)
    assert ["cannot pickle '_thread.lock' object" in text for text in texts(logged)] == [True, True]


def test_interrupted_and_cancelled_tasks_are_not_logged(executor, logged, started):
    future = executor.submit(tasks.spin, started)
    started.get(timeout=60)
    assert future.interrupt()
    executor.submit(abs, 1).cancel()
    del future
    ended(executor)
    assert logged == []


def test_it_can_be_switched_off(logged):
    with InterpreterPoolExecutor(1, unread="ignore") as executor:
        executor.submit(tasks.fail_with, ValueError, "unread")
        executor.map(tasks.fail_on_three, range(9))
    ended(executor)
    assert logged == []


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="unread must be 'log' or 'ignore'"):
        InterpreterPoolExecutor(1, unread="no")


@pytest.mark.programs
def test_what_is_left_at_the_end_is_logged_then(tmp_path):
    script = """
import concurrent.futures, sys
from interp_pool import InterpreterPoolExecutor
if __name__ == "__main__":
    executor = InterpreterPoolExecutor(2)
    kept, read = [executor.submit(int, text) for text in ("kept", "read")]
    results = executor.map(int, ["of a map"])
    concurrent.futures.wait([kept, read])
    assert read.exception()
"""
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, output) == (0, "")
    lines = sorted(line.split(" for int() with base 10: ")[1] for line in errors.splitlines())
    assert lines == [f"'{text}' (unread='ignore' keeps this quiet)" for text in ("kept", "of a map")]


def test_only_so_many_causes_are_remembered(monkeypatch, logged):
    monkeypatch.setattr(unread, "_MOST", 2)
    for text in ("a", "b", "c", "a"):
        unread.Unread("task f()", text)
    assert len(logged) == 4


@pytest.mark.parametrize("method", ["imap", "imap_unordered", "map_async"])
def test_chunks_of_a_pool_that_nobody_reads_are_logged(logged, method):
    with Pool(1) as pool:
        getattr(pool, method)(tasks.fail_on_three, range(8), chunksize=4)
        pool.close()
        pool.join()
        gc.collect()
    [text] = [message for _, message, _ in logged]
    assert text.startswith("task fail_on_three() failed, and nobody asked for its result: ")
