"""Programs that end, fork or are interrupted while tasks of tasks are pending."""

from __future__ import annotations

import sys

import pytest
import scripts

pytestmark = pytest.mark.programs

HEAD = f"""
import os, signal, sys, threading, time
sys.path.append({str(scripts.TESTS)!r})
import nested_tasks, tasks
from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor, TaskInterrupted, current_executor

def say_below(text, count):
    for _ in range(count):
        current_executor().submit(os.write, 1, text)

def say_and_wait(text):
    return current_executor().submit(os.write, 1, text).result()

def spin_below(started):
    return current_executor().submit(tasks.spin, started).result()
"""


def test_exit_finishes_tasks_of_tasks_that_nobody_waits_for(tmp_path):
    script = HEAD + "if __name__ == '__main__':\n  InterpreterPoolExecutor(2).submit(say_below, b'x', 40)"
    assert scripts.run_text(tmp_path, script) == (0, "x" * 40, "")


def test_functions_of_the_main_module_are_tasks_of_tasks(tmp_path):
    script = (
        HEAD
        + """
def fib(number):
    if number < 2:
        return number
    executor = current_executor()
    return sum(executor.map(fib, (number - 1, number - 2)))

if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as executor:
        print(executor.submit(fib, 10).result())
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "55\n", "")


def test_exit_timeout_stops_tasks_of_tasks(tmp_path):
    script = (
        HEAD
        + """
if __name__ == "__main__":
    started = create_queue()
    executor = InterpreterPoolExecutor(2, exit_timeout=0.1)
    for _ in range(2):
        executor.submit(spin_below, started)
    started.get(), started.get()
    sys.exit(3)
"""
    )
    status, output, errors = scripts.run_text(tmp_path, script, options=("-P",))
    assert (status, output) == (3, "")
    assert "spin_below()" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="there is no way to press Ctrl-C for oneself here")
def test_ctrl_c_stops_tasks_of_tasks(tmp_path):
    script = (
        HEAD
        + """
if __name__ == "__main__":
    started = create_queue()
    executor = InterpreterPoolExecutor(2)
    futures = [executor.submit(spin_below, started) for _ in range(4)]
    started.get(), started.get()
    def press_once_somebody_waits():
        while not executor._pool._kernel.reader._owner:
            pass
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=press_once_somebody_waits).start()
    try:
        futures[0].result()
    except KeyboardInterrupt:
        print("pressed")
    for future in futures:
        assert future.cancelled() or isinstance(future.exception(60), TaskInterrupted), future
    print(executor.submit(nested_tasks.fib, 6).result(60))
    executor.shutdown()
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "pressed\n8\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_executor_that_has_run_tasks_of_tasks_works_on_both_sides_of_a_fork(tmp_path):
    script = (
        HEAD
        + """
if __name__ == "__main__":
    executor = InterpreterPoolExecutor(2)
    assert executor.submit(nested_tasks.fib, 8).result(60) == 21
    child = os.fork()
    assert executor.submit(nested_tasks.fib, 8).result(60) == 21
    executor.shutdown()
    if not child:
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "7\n", "")
