"""What a task does to the whole program is told, and an initializer that does it moves to processes."""

from __future__ import annotations

import logging
import os
import signal
import sys

import pytest
import scripts
import whole_program_tasks

from interp_pool import InterpreterPoolExecutor
from interp_pool._workers import answering


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(answering, "_warned", set())


@pytest.fixture
def in_place(tmp_path):
    """Keep the working directory; return another one."""
    before = os.getcwd()
    yield str(tmp_path)
    os.chdir(before)


def warnings_of(logged):
    return [message for level, message, _ in logged if level == logging.WARNING]


def test_change_of_the_directory_is_told_once_with_the_route(logged, in_place, executor):
    for path in (in_place, "/"):
        assert executor.submit(whole_program_tasks.change_directory, path).result(60) == os.path.realpath(path)
    [warning] = warnings_of(logged)
    assert warning == (
        "os.chdir() in task whole_program_tasks:change_directory() changes the whole program, not the worker alone, so "
        "other tasks may go wrong; to have it change a process of its own: "
        'fallback="process", route=["whole_program_tasks:change_directory"]'
    )


def test_call_that_changes_nothing_is_not_told(logged, executor):
    executor.submit(whole_program_tasks.change_nothing, os.getcwd()).result(60)
    assert not warnings_of(logged)


def test_call_that_fails_is_not_told(logged, executor):
    assert isinstance(executor.submit(whole_program_tasks.fail_to_change, "/no/such").exception(60), FileNotFoundError)
    assert isinstance(executor.submit(whole_program_tasks.fail_to_change, None).exception(60), TypeError)
    assert not warnings_of(logged)


def test_warm_worker_tells_its_next_pool(logged, in_place):
    for path in (in_place, "/"):
        answering._warned.clear()
        with InterpreterPoolExecutor(1) as executor:
            executor.submit(whole_program_tasks.change_directory, path).result(60)
    assert len(warnings_of(logged)) == 2


def test_initializer_without_processes_is_told(logged, in_place):
    initializer = whole_program_tasks.change_directory
    with InterpreterPoolExecutor(1, initializer=initializer, initargs=(in_place,)) as executor:
        assert executor.submit(whole_program_tasks.directory).result(60) == in_place
    [warning] = warnings_of(logged)
    assert warning.startswith("os.chdir() in initializer whole_program_tasks:change_directory() changes the whole")
    assert warning.endswith('to have it change a process of its own: fallback="process"')


@pytest.mark.programs
@pytest.mark.parametrize("initializer", [os.chdir, whole_program_tasks.change_directory])
def test_initializer_that_changes_the_directory_moves_to_processes(
    logged, tmp_path, initializer, helpers_of_multiprocessing
):
    before = os.getcwd()
    with InterpreterPoolExecutor(1, initializer=initializer, initargs=(str(tmp_path),), fallback="process") as executor:
        assert executor.submit(whole_program_tasks.directory).result(60) == str(tmp_path)
        assert executor.statistics().tasks_in_processes == 1
    assert os.getcwd() == before
    [warning] = warnings_of(logged)
    assert "(RuntimeError: os.chdir() in a worker would change the whole program): it runs in a process" in warning


@pytest.mark.programs
@pytest.mark.skipif(sys.platform == "win32", reason="has no module resource")
def test_initializer_that_sets_a_limit_moves_to_processes(helpers_of_multiprocessing):
    before = whole_program_tasks.limit_of_files()
    with InterpreterPoolExecutor(1, initializer=whole_program_tasks.limit_files, fallback="process") as executor:
        assert executor.submit(whole_program_tasks.limit_of_files).result(60) == 64
    assert whole_program_tasks.limit_of_files() == before


MUTED = """
from whole_program_tasks import mute
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, initializer=mute{fallback}) as executor:
        executor.submit(pow, 2, 2).result()
    print("heard", flush=True)
"""


@pytest.mark.programs
def test_initializer_that_mutes_its_process_leaves_the_program_its_output(tmp_path):
    text = MUTED.format(fallback=', fallback="process"')
    status, output, errors = scripts.run_text(tmp_path, text, path=[scripts.TESTS])
    assert (status, output) == (0, "heard\n")
    assert "os.dup2() in a worker would change the whole program" in errors


@pytest.mark.programs
def test_program_that_is_muted_by_an_initializer_says_so(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, MUTED.format(fallback=""), path=[scripts.TESTS])
    assert (status, output) == (0, "")
    assert errors.startswith("os.dup2() in initializer whole_program_tasks:mute() changes the whole program")


NEEDS_MAIN = "signal only works in main thread of the main interpreter"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (whole_program_tasks.handle_alarm, f"ValueError: {NEEDS_MAIN}"),
        (whole_program_tasks.set_alarm, f"ValueError: {NEEDS_MAIN}: alarm() in a worker would ring the program"),
        (whole_program_tasks.set_timer, f"ValueError: {NEEDS_MAIN}: setitimer() in a worker would ring the program"),
        (whole_program_tasks.trace_memory, "RuntimeError: tracemalloc traces no worker interpreter"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="has no alarms")
def test_task_that_needs_the_main_interpreter_names_its_route(logged, executor, function, text):
    name = function.__name__
    remedy = (
        f"task {name}() cannot run in a worker interpreter ({text}): to run it in a process from the start, "
        f'fallback="process", route=["whole_program_tasks:{name}"]'
    )
    error = executor.submit(function).exception(60)
    assert f"{type(error).__name__}: {error}" == text
    assert error.__notes__[0] == remedy
    assert warnings_of(logged) == [remedy]


@pytest.mark.skipif(sys.platform == "win32", reason="has no alarms")
def test_alarm_that_a_worker_calls_off_is_not_the_programs(executor):
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    if not before:
        signal.setitimer(signal.ITIMER_REAL, 3600.0)
    assert executor.submit(whole_program_tasks.call_alarm_off).result(60) == (0, (0.0, 0.0))
    assert signal.getitimer(signal.ITIMER_REAL)[0]
    if not before:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


@pytest.mark.programs
@pytest.mark.parametrize("initializer", [whole_program_tasks.trace_memory, whole_program_tasks.register_dump])
def test_initializer_that_needs_the_main_interpreter_moves_to_processes(initializer, helpers_of_multiprocessing):
    with InterpreterPoolExecutor(1, initializer=initializer, fallback="process") as executor:
        assert executor.submit(os.getpid).result(60) != os.getpid()
