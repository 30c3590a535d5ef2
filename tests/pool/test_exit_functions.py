"""What the exit functions of a worker's interpreter do, also when a task has thrown its modules away."""

from __future__ import annotations

import exit_tasks
import pytest
import scripts

from interp_pool import InterpreterPoolExecutor, WorkerLostError

UNREAD = "task divmod() failed, and nobody asked for its result: ZeroDivisionError: "


@pytest.mark.parametrize("leave", [exit_tasks.leave_children, exit_tasks.leave_pool, exit_tasks.leave_socket])
def test_worker_that_is_lost_ends_in_silence(leave, capfd):
    with InterpreterPoolExecutor(2) as executor:
        assert isinstance(executor.submit(exit_tasks.damage, leave).exception(60), WorkerLostError)
        assert executor.submit(abs, -1).result(60) == 1
    assert capfd.readouterr() == ("", "")


def test_error_that_nobody_asks_for_is_told_at_the_end_of_its_worker(capfd, subtests):
    for how in ("as usual", "without its modules"):
        with subtests.test(how):
            with InterpreterPoolExecutor(2, reuse=False) as executor:
                if how == "as usual":
                    executor.submit(exit_tasks.leave_error).result(60)
                else:
                    executor.submit(exit_tasks.damage, exit_tasks.leave_error).exception(60)
            told = capfd.readouterr().err.splitlines()
            assert [line.startswith(UNREAD) for line in told] == [True]


SCRIPT = """
import _thread
import sys
import interp_api
import interp_pool

def start(ended):
    def run():
        for _ in range(100_000):
            [None] * 100
        ended.put(None)

    sys.modules.pop("threading", None)  # where the runtime looks for what it waits for
    _thread.start_new_thread(run, ())

if __name__ == "__main__":
    ended = interp_api.create_queue()
    for task in (abs, -1), (start, ended):
        with interp_pool.InterpreterPoolExecutor(1) as executor:
            executor.submit(*task).result(60)
    interp_pool.close_idle()
    print(ended.qsize())
"""


@pytest.mark.programs
def test_worker_waits_for_threads_that_threading_does_not_know(tmp_path):
    """Also one that has served another executor, after which the exit functions of its tasks were run."""
    assert scripts.run_text(tmp_path, SCRIPT) == (0, "1\n", "")
