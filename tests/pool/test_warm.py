"""Warm interpreters: who gets them, who does not, and when they end."""

from __future__ import annotations

import environment_tasks
import pytest
import scripts
import tasks
from executors import run

import interp_api
from interp_pool import InterpreterPoolExecutor, close_idle, warm_up
from interp_pool._workers.reserve import Reserve, reserve


def test_second_executor_gets_the_interpreter_of_the_first():
    assert run(tasks.current_id) == run(tasks.current_id)


@pytest.mark.parametrize("options", [{"reuse": False}, {"max_tasks_per_child": 5}])
def test_executor_that_wants_fresh_interpreters_leaves_none_behind(options):
    run(tasks.current_id, **options)
    assert len(reserve) == 0


def test_executor_without_reuse_does_not_take_a_warm_one():
    assert run(tasks.current_id) != run(tasks.current_id, reuse=False)


def test_plain_warm_interpreter_is_initialized_for_the_next():
    first = run(tasks.current_id)
    assert run(tasks.current_id, initializer=tasks.initialize, initargs=("key", 1)) == first


def test_initializer_that_used_main_runs_again_for_the_next_executor():
    """What it left in `__main__` is gone, so an interpreter that it ran in is not what it would make."""
    options = {"initializer": environment_tasks.initialize_in_main, "initargs": ("config", 5)}
    assert run(environment_tasks.look_in_main, "config", **options) == 5
    assert run(environment_tasks.look_in_main, "config", **options) == 5


def test_initializer_with_shared_memory_runs_again_for_the_next_executor():
    for value in (1, 1):
        buffer = bytearray([value]) * 4
        assert (
            run(tasks.look_up, "missing", initializer=tasks.initialize_with_view, initargs=(memoryview(buffer),))
            is None
        )


def test_main_is_emptied_on_return():
    assert run(environment_tasks.bind_in_main, "leftover") is None
    assert run(environment_tasks.main_names) == []


def test_interpreter_with_foreign_thread_is_closed_and_not_kept(gate, monkeypatch):
    original = interp_api.Interpreter.close
    closed = []

    def close(interpreter):
        closed.append(interpreter.id)
        gate.open()  # closing waits for the thread
        original(interpreter)

    with monkeypatch.context() as patched:
        patched.setattr(interp_api.Interpreter, "close", close)
        with InterpreterPoolExecutor(1) as executor:
            left = executor.submit(tasks.leave_thread, gate.exits).result(60)
    assert closed == [left]
    assert len(reserve) == 0


def test_interpreter_with_an_interrupted_task_is_not_kept_unless_closing_leaks(started):
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.spin, started)
        started.get(timeout=60)
        assert future.interrupt(60)
        assert executor.submit(tasks.identity, 1).result(60) == 1  # in the pool it goes on
    assert len(reserve) == interp_api.CLOSING_LEAKS


@pytest.mark.parametrize(
    "options",
    [
        {"initializer": tasks.fail_to_initialize, "initargs": ("x",)},
        {"initializer": environment_tasks.exit_in_initializer},
    ],
)
def test_interpreter_with_failed_initializer_is_not_kept(logged, options):
    with InterpreterPoolExecutor(1, **options) as executor:
        assert executor.submit(tasks.identity, 1).exception(60)
    assert len(reserve) == 0


def test_interpreter_of_lost_worker_is_not_kept():
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.break_loop).exception(60)
    assert len(reserve) == 0


def test_warm_interpreter_that_somebody_closed_is_passed_over():
    first = run(tasks.current_id)
    interp_api.Interpreter(first).close()
    assert run(tasks.current_id) != first


def test_close_idle_closes_everything_and_can_be_repeated():
    run(tasks.current_id)
    before = {interpreter.id for interpreter in interp_api.list_all()}
    close_idle()
    assert len(before) - len(interp_api.list_all()) == 1
    close_idle()
    assert len(reserve) == 0


@pytest.mark.skipif(interp_api.CLOSING_LEAKS, reason="this CPython keeps warm interpreters for ever")
def test_idle_timeout_closes_the_interpreter():
    first = run(tasks.current_id, idle_timeout=0.0)
    reaper = reserve._reaper
    if reaper is not None:
        reaper.join(60)
    assert len(reserve) == 0
    assert first not in {interpreter.id for interpreter in interp_api.list_all()}


@pytest.mark.parametrize("idle_timeout", [None, float("inf"), 1e300])
def test_idle_timeout_that_never_comes_keeps_the_interpreter(idle_timeout):
    first = run(tasks.current_id, idle_timeout=idle_timeout)
    assert run(tasks.current_id, idle_timeout=idle_timeout) == first


def test_warmed_up_interpreter_is_used_by_the_next_executor():
    warm_up(2, wait=True)
    assert len(reserve) == 2
    kept = {int(entry[1].id) for entry in reserve._idle}
    assert run(tasks.current_id) in kept


def test_warm_up_has_imported_what_a_worker_needs():
    warm_up(1, wait=True)
    [(_, interpreter, _)] = reserve._idle
    assert "interp_pool._worker.loop" in interpreter.call(tasks.modules)


@pytest.mark.programs
def test_warm_up_in_the_background_is_finished_before_exit(tmp_path):
    script = "import interp_pool\nif __name__ == '__main__':\n    interp_pool.warm_up(3)\n"
    assert scripts.run_text(tmp_path, script) == (0, "", "")


def test_warm_up_that_fails_in_the_background_is_logged(monkeypatch, caplog):
    def fail():
        raise interp_api.InterpreterError("no more memory")

    monkeypatch.setattr(interp_api, "create_claimed", fail)
    warm_up(1, wait=True)
    assert [record.getMessage() for record in caplog.records] == ["cannot make a warm interpreter: no more memory"]


class Fake:
    """In the place of an interpreter."""

    is_closed = False

    def close(self):
        self.is_closed = True


def test_reserve_that_is_given_one_while_it_is_emptied_does_not_wait_until_that_is_old(monkeypatch):
    """The worker of an executor that was forgotten ends just then."""
    for name in ("claim", "unclaim"):
        monkeypatch.setattr(interp_api, name, lambda _interpreter: None)
    monkeypatch.setattr(interp_api, "CLOSING_LEAKS", False)
    kept, late = Reserve(), Fake()

    class Giving(Fake):
        def close(self):
            kept.give(late, 3600.0)

    kept.give(Giving(), 3600.0)
    kept.close_idle()
    assert not late.is_closed
    assert len(kept) == 1
    kept.close_idle()
    assert late.is_closed
