"""What outlives a `with` block: nothing that `threading` lists."""

from __future__ import annotations

import threading

import pytest
import scripts
import tasks

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor, close_idle, warm_up
from interp_pool._process.background import start_background
from interp_pool._workers import warm_up as warm_up_module
from interp_pool._workers.reserve import reserve


@pytest.fixture
def listed():
    """What a leak check of pytest's looks at."""
    return lambda: (set(threading.enumerate()), threading.active_count())


@pytest.mark.parametrize("options", [{}, {"idle_timeout": 1000.0}, {"reuse": False}, {"min_workers": 2}])
def test_block_leaves_no_thread(listed, options):
    before = listed()
    with InterpreterPoolExecutor(2, **options) as executor:
        executor.submit(tasks.identity, 1).result(60)
        assert list(executor.map(tasks.identity, range(20))) == [*range(20)]
    assert listed() == before


def test_block_with_limits_of_its_tasks_leaves_no_thread(listed, started):
    before = listed()
    with InterpreterPoolExecutor(2) as executor:
        view = executor.options(timeout=1000, deadline=1e12)
        assert view.submit(tasks.identity, 1).result(60) == 1
        future = executor.submit(tasks.spin, started)
        started.get(timeout=60)
        future.interrupt(60)
    assert listed() == before


def test_block_of_a_pool_with_two_executors_and_a_lease_leaves_no_thread(listed):
    before = listed()
    with InterpreterPool(2) as pool:
        for _ in range(2):
            with InterpreterPoolExecutor(pool=pool) as executor:
                executor.submit(tasks.identity, 1).result(60)
        with pool.lease():
            pass
    assert listed() == before


def test_warm_up_in_a_block_leaves_no_thread(listed, monkeypatch):
    made = []
    monkeypatch.setattr(
        warm_up_module, "start_background", lambda *args: made.append(start_background(*args)) or made[0]
    )
    before = listed()
    with InterpreterPoolExecutor(1) as executor:
        warm_up(1)
        executor.submit(tasks.identity, 1).result(60)
    assert listed() == before
    made[0].join()
    assert listed() == before


@pytest.mark.skipif(interp_api.CLOSING_LEAKS, reason="this CPython keeps warm interpreters for ever")
def test_closing_what_was_idle_lists_no_thread(listed, monkeypatch):
    before = listed()
    seen = []
    original = interp_api.Interpreter.close

    def close(interpreter):
        original(interpreter)
        seen.append(listed())

    monkeypatch.setattr(interp_api.Interpreter, "close", close)
    with InterpreterPoolExecutor(1, idle_timeout=0.0) as executor:
        executor.submit(tasks.identity, 1).result(60)
    if reserve._reaper is not None:
        reserve._reaper.join(60)
    close_idle()
    assert listed() == before


def test_background_thread_that_ends_can_be_joined_again():
    ran = []
    thread = start_background(lambda: ran.append(1), "interp_pool test")
    thread.join()
    thread.join(1)
    assert ran == [1]


@pytest.mark.programs
def test_background_thread_is_waited_for_at_exit(tmp_path):
    script = (
        "import threading\n"
        "from interp_pool._process.background import start_background\n"
        "main = threading.main_thread()\n"
        "start_background(lambda: (main.join(), print('done')), 'interp_pool test')\n"
    )
    assert scripts.run_text(tmp_path, script) == (0, "done\n", "")
