"""faulthandler and tracemalloc in workers, where the runtime's own refuse to be loaded."""

from __future__ import annotations

import faulthandler
import os

import pytest
import scripts
import tasks
import whole_program_tasks

from interp_pool import InterpreterPoolExecutor


def test_fault_handler_can_be_enabled_in_a_worker(executor):
    assert executor.submit(whole_program_tasks.enable_fault_handler).result(60) == (True, True, False)
    assert faulthandler.is_enabled()


CRASH = """
import ctypes
from whole_program_tasks import enable_fault_handler
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(enable_fault_handler).result()
        import faulthandler
        print(faulthandler.is_enabled(), flush=True)
        ctypes.string_at(0)
"""


@pytest.mark.programs
def test_fault_handler_of_the_program_is_the_one_that_is_enabled(tmp_path):
    _, output, errors = scripts.run_text(tmp_path, CRASH, options=("-P",), path=[scripts.TESTS])
    assert output == "True\n"
    assert "Fatal Python error: Segmentation fault" in errors


def test_stack_is_dumped_to_a_file_and_to_a_descriptor(executor, tmp_path):
    executor.submit(whole_program_tasks.dump, str(tmp_path / "stack")).result(60)
    lines = (tmp_path / "stack").read_text().splitlines()
    assert lines[0] == "Current thread (most recent call first):"
    assert lines[1].endswith(" in dump")
    assert lines.count(lines[0]) == 2


def test_stack_of_a_task_is_dumped_later(executor, tmp_path):
    executor.submit(whole_program_tasks.dump_later, str(tmp_path / "stack"), 0.001).result(60)
    title, thread, *calls = (tmp_path / "stack").read_text().splitlines()
    assert (title, thread) == ("Timeout (0:00:00)!", "Thread of the tasks:")
    assert any(call.endswith(" in dump_later") for call in calls)


def test_dump_that_is_still_to_come_does_not_hold_the_worker():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(whole_program_tasks.leave_dump_pending).result(60)


def test_dump_that_would_end_the_program_is_refused(executor):
    error = executor.submit(whole_program_tasks.dump_and_exit).exception(60)
    assert str(error).endswith("give the task a time limit instead, executor.options(timeout=...)")


def test_tracemalloc_says_that_it_does_not_trace(executor):
    assert executor.submit(whole_program_tasks.ask_tracer).result(60) == ((0, 0), None, None)


def test_worker_with_stand_ins_stays_warm():
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(whole_program_tasks.ask_tracer).result(60)
        executor.submit(whole_program_tasks.enable_fault_handler).result(60)
        first = executor.submit(tasks.current_id).result(60)
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.current_id).result(60) == first
        assert executor.submit(os.getpid).result(60) == os.getpid()
