"""Tasks that are measured: what stands in the file, and that the tasks are as without."""

from __future__ import annotations

import asyncio
import pstats
import sys
import threading

import profile_tasks as tasks
import pytest
import scripts

from interp_api import acquire_mutex, create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted, write_profiles
from interp_pool._worker import profiling

SHORT = 0.02  # seconds


@pytest.fixture
def file(tmp_path):
    return tmp_path / "out.prof"


def counts(file):
    """Return the calls of functions of the tasks, by name."""
    statistics = pstats.Stats(str(file)).stats
    return {name: calls for (source, _, name), (_, calls, *_) in statistics.items() if source.endswith("_tasks.py")}


def executor_on(fallback, workers=1):
    route = {} if fallback is None else {"fallback": fallback, "route": ["profile_tasks"]}
    return InterpreterPoolExecutor(workers, **route)


@pytest.mark.parametrize("fallback", [None, "process"])
def test_file_has_all_tasks_once_the_executor_is_shut_down(file, fallback):
    with executor_on(fallback, workers=1 if fallback is None else 2) as executor:
        measured = executor.options(profile=file)
        assert measured.submit(tasks.work, 10).result() == 55
        assert [*measured.map(tasks.item, range(100))] == [*range(1, 101)]
        assert [*measured.map(tasks.pair, range(10), range(10), chunksize=3)] == [2 * n + 1 for n in range(10)]
        assert executor.submit(tasks.work, 10).result() == 55  # which is not measured
        assert not file.exists()
    assert counts(file) == {"work": 1, "step": 120, "item": 100, "pair": 10}


def test_file_has_nothing_of_what_measures(file):
    with executor_on(None) as executor:
        executor.options(profile=file).submit(tasks.step, 1).result()
        assert sum(executor.options(profile=file).map(tasks.step, range(3))) == 6
    assert {name for _, _, name in pstats.Stats(str(file)).stats} == {"step"}


def test_executors_add_to_one_file_as_long_as_the_process_lives(file):
    for calls in (1, 2, 3):
        with executor_on(None) as executor:
            executor.options(profile=file).submit(tasks.step, 1).result()
        assert counts(file) == {"step": calls}


def test_executor_on_a_shared_pool_writes_when_it_is_shut_down(file):
    with InterpreterPool(1) as pool:
        with InterpreterPoolExecutor(pool=pool) as executor:
            executor.options(profile=file).submit(tasks.step, 1).result()
        assert counts(file) == {"step": 1}


def test_program_may_write_what_is_done_before_the_end(file):
    with executor_on(None) as executor:
        measured = executor.options(profile=file)
        for calls in range(1, 20):
            measured.submit(tasks.step, 1).result()
            write_profiles()
            assert counts(file) == {"step": calls}


def test_coroutines_are_measured_too(file):
    async def main(measured):
        assert await measured.run(tasks.work, 3) == 6
        assert [each async for each in measured.amap(tasks.item, range(5))] == [1, 2, 3, 4, 5]

    with executor_on(None) as executor:
        asyncio.run(main(executor.options(profile=file)))
    assert counts(file) == {"work": 1, "step": 8, "item": 5}


def test_overridden_submit_is_called_with_what_is_measured(file):
    class Counting(InterpreterPoolExecutor):
        submitted = 0

        def submit(self, fn, /, *args, **kwargs):
            self.submitted += 1
            return super().submit(fn, *args, **kwargs)

    with Counting(1) as executor:
        measured = executor.options(profile=file)
        assert [*measured.map(tasks.item, range(4))] == [1, 2, 3, 4]
        assert measured.submit(tasks.step, 0).result() == 1
    assert executor.submitted == 5
    assert counts(file) == {"item": 4, "step": 5}


def test_errors_are_as_without(file):
    with executor_on(None) as executor:
        measured = executor.options(profile=file)
        lock = threading.Lock()
        for call in ((tasks.fail, "oh"), (tasks.step, "text"), (tasks.step, lock), (lock.locked,)):
            errors = [view.submit(*call).exception() for view in (measured, executor)]
            assert len({(type(error), str(error), str(error.__cause__)) for error in errors}) == 1, call
            assert errors[0] is not None
        texts = []
        for view in (measured, executor):
            with pytest.raises(ValueError, match="3") as info:
                [*view.map(tasks.fail_at, range(9), [3] * 9)]
            texts.append(str(info.value.__cause__))
    assert texts[0] == texts[1]
    assert counts(file)["fail_at"] >= 4  # those behind it may not have begun


@pytest.mark.parametrize("is_map", [False, True])
def test_task_that_is_stopped_is_measured_up_to_there_and_the_next_one_is_not(file, is_map):
    started = create_queue()
    with executor_on(None) as executor:
        timed = executor.options(profile=file, timeout=SHORT)
        with pytest.raises(TimeoutError):
            next(timed.map(tasks.spin, [started])) if is_map else timed.submit(tasks.spin, started).result()
        future = executor.options(profile=file).submit(tasks.spin, started)
        assert [started.get(timeout=60) for _ in range(2)] == [1, 1]
        assert "/profiling.py" not in future.where()
        assert future.interrupt()
        assert isinstance(future.exception(), TaskInterrupted)
        assert executor.submit(tasks.profiler).result() is None
        assert executor.options(profile=file).submit(tasks.profiler).result() == "cProfile"
    assert counts(file) == {"spin": 2, "step": 2, "profiler": 1}


def test_cancelled_task_is_not_in_the_file(file):
    started = create_queue()
    with executor_on(None) as executor:
        measured = executor.options(profile=file)
        running = executor.submit(tasks.spin, started)
        started.get(timeout=60)
        waiting = measured.submit(tasks.work, 3)
        assert waiting.cancel()
        running.interrupt()
        assert measured.submit(tasks.step, 1).result() == 2
    assert counts(file) == {"step": 1}


@pytest.mark.parametrize("workers", [1, 2])
def test_child_that_asks_for_it_is_measured_wherever_it_runs(file, workers):
    with executor_on(None, workers) as executor:
        assert executor.submit(tasks.measured_child, str(file), 4).result() == 10
        assert executor.submit(tasks.measured_children, str(file), 30).result() == sum(range(1, 31)) + 1
    measured = counts(file)
    assert measured["work"] == 1
    assert 0 < measured["step"] <= 4 + 30 + 1
    assert measured["step"] == 35 or workers == 2  # of which one is measured at a time


def test_child_on_top_of_a_measured_task_is_a_part_of_it(file):
    other = file.with_name("other.prof")
    with executor_on(None) as executor:
        assert executor.options(profile=file).submit(tasks.plain_child, 4).result() == 10
        assert executor.options(profile=file).submit(tasks.measured_child, str(other), 4).result() == 10
    assert counts(file) == {"plain_child": 1, "measured_child": 1, "work": 2, "step": 8}
    assert not other.exists()


def test_task_on_a_thread_of_the_program_is_not_measured_which_is_logged_once(file, caplog):
    with executor_on("thread") as executor:
        measured = executor.options(profile=file)
        assert measured.submit(tasks.work, 10).result() == 55
        assert [*measured.map(tasks.item, range(100))] == [*range(1, 101)]
    text = f"task work() is not in the profile {file}: it ran on a thread of the program"
    assert [record.getMessage().startswith(text) for record in caplog.records] == [True]
    assert not file.exists()


def test_one_worker_is_measured_at_a_time_and_what_runs_meanwhile_is_told(file, caplog):
    with executor_on(None, workers=2) as executor:
        measured, started, gate = executor.options(profile=file), create_queue(), create_queue()
        first = measured.submit(tasks.wait, started, gate)
        started.get(timeout=60)
        assert measured.submit(tasks.work, 10).result(60) == 55
        gate.put(None)
        first.result(60)
        assert measured.submit(tasks.work, 20).result(60) == 210
    assert counts(file)["work"] == counts(file)["wait"] == 1
    assert caplog.text.count("it ran while another worker was measured") == 1


def test_forked_child_has_a_turn_of_its_own(monkeypatch):
    """The parent's may be a worker's that the child does not have."""
    parents = profiling.turn()
    monkeypatch.setattr(profiling, "_turns", {**profiling._turns})
    monkeypatch.setattr(profiling.os, "getpid", lambda: 0)
    taken = []
    acquire_mutex(profiling.turn(), taken)
    assert taken
    assert profiling.turn() != parents


@pytest.mark.stress
def test_two_workers_are_measured_while_threads_run_in_them(file):
    """CPython 3.13 to 3.15 crashed, or hung, in half of such runs."""
    with executor_on(None, workers=2) as executor:
        list(executor.options(profile=file).map(tasks.work_beside_a_thread, range(40), chunksize=1))
    assert 0 < counts(file)["work_beside_a_thread"] <= 40


def test_task_beside_another_profiler_is_not_measured_which_is_logged(file, caplog):
    with InterpreterPoolExecutor(1, initializer=tasks.start_another, reuse=False) as executor:
        assert executor.options(profile=file).submit(tasks.work, 10).result() == 55
    assert "ran where another profiler is active" in caplog.text
    assert not file.exists()


def test_path_that_cannot_be_written_is_an_error_at_once(tmp_path):
    with executor_on(None) as executor:
        with pytest.raises(FileNotFoundError, match="profile is in a folder that does not exist"):
            executor.options(profile=tmp_path / "none" / "out.prof")
        with pytest.raises(TypeError, match="profile must be a path, got 1"):
            executor.options(name="x").options(profile=1)
        for impossible in ("a\0b", "\ud800"):
            with pytest.raises(ValueError, match="profile must be a path that the system can have"):
                executor.options(profile=impossible)
        error = executor.submit(tasks.measured_child, str(tmp_path), 1).exception()
    assert isinstance(error, IsADirectoryError)


def test_path_is_that_of_when_it_was_given(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with executor_on(None) as executor:
        measured = executor.options(profile="out.prof")
        monkeypatch.chdir(tmp_path / "other")
        measured.submit(tasks.step, 1).result()
    assert [each.name for each in tmp_path.rglob("*.prof")] == ["out.prof"]
    assert counts(tmp_path / "out.prof") == {"step": 1}


def test_file_that_cannot_be_written_at_the_end_is_logged_and_can_be_later(tmp_path, caplog):
    folder = tmp_path / "folder"
    folder.mkdir()
    with executor_on(None) as executor:
        measured = executor.options(profile=folder / "out.prof")
        folder.rmdir()
        measured.submit(tasks.step, 1).result()
        with pytest.raises(FileNotFoundError):
            write_profiles()
    assert f"cannot write the profile {folder / 'out.prof'}" in caplog.text
    folder.mkdir()
    write_profiles()
    assert counts(folder / "out.prof") == {"step": 1}


def test_view_without_a_profile_measures_nothing(file):
    with executor_on(None) as executor:
        measured = executor.options(profile=file)
        assert measured.options(profile=None).submit(tasks.profiler).result() is None
        assert repr(measured).startswith(f"<ExecutorView (profile={str(file)!r}) on")


BY_VALUE = """
from interp_pool import InterpreterPoolExecutor

def adder(n):
    return lambda x: x + n

def double(x):
    return x * 2

with InterpreterPoolExecutor(1) as ex:  # without a guard
    measured = ex.options(profile="out.prof")
    print(measured.submit(double, 2).result(), measured.submit(adder(1), 2).result(), *measured.map(double, [3, 4]))
"""


@pytest.mark.programs
def test_functions_that_go_by_value_are_measured(tmp_path, file):
    script = tmp_path / "program_tasks.py"
    script.write_text(BY_VALUE)
    assert scripts.run(script, options=(), cwd=tmp_path, path=[scripts.CLOUDPICKLE]) == (0, "4 3 6 8\n", "")
    assert {name: each[1] for (_, _, name), each in pstats.Stats(str(file)).stats.items()} == {
        "double": 3,
        "<lambda>": 1,
    }


EXIT = """
import os, pstats, sys
from interp_pool import InterpreterPoolExecutor

def step(n):
    return n + 1

if __name__ == "__main__":
    executor = InterpreterPoolExecutor(1)
    measured = executor.options(profile="out.prof")
    assert measured.submit(step, 1).result() == 2
    if "fork" in sys.argv:
        child = os.fork()
        if not child:
            sys.exit()  # with the hooks of the exit
        assert os.waitpid(child, 0)[1] == 0
        print(os.path.exists("out.prof"))
    measured.submit(step, 1)
    if "nowait" in sys.argv:
        executor.shutdown(wait=False)
"""


@pytest.mark.programs
@pytest.mark.parametrize("how", ["", "nowait", "fork"])
def test_exit_writes_what_was_not_written(tmp_path, file, how):
    if how == "fork" and sys.platform == "win32":
        pytest.skip("no fork")
    script = tmp_path / "program_tasks.py"
    script.write_text(EXIT)
    assert scripts.run(script, how, cwd=tmp_path) == (0, "False\n" if how == "fork" else "", "")
    assert counts(file) == {"step": 2}
