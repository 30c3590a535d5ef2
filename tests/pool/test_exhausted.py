"""When the process has no descriptor left, or what is needed to take a result fails: a future ends all the same."""

from __future__ import annotations

import pytest
import scripts
import tasks

from interp_pool import ResultPicklingError
from interp_pool._pool import outcomes

USES_UP = """
import os, resource
from interp_pool import InterpreterPoolExecutor

files = []

def use_up():
    while True:
        files.append(os.open(os.devnull, os.O_RDONLY))

def close_all():
    while files:
        os.close(files.pop())

def look(future):
    return type(future.exception(20)).__name__

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with InterpreterPoolExecutor(1) as executor:
        look(executor.submit(divmod, 1, 0))  # what an error needs is loaded, here and in the worker
        print(look(executor.submit(use_up)), look(executor.submit(divmod, 1, 0)), look(executor.submit(divmod, 7, 2)))
        print(executor.submit(close_all).result(20), look(executor.submit(use_up)), executor.submit(close_all).result())
"""


@pytest.mark.programs
def test_task_that_uses_up_all_descriptors_fails_alone(tmp_path):
    """e11bio/volara#16; workers share the descriptors of the process, which processes of a pool do not."""
    status, output, errors = scripts.run_text(tmp_path, USES_UP)
    assert (status, output.splitlines()) == (0, ["OSError ZeroDivisionError NoneType", "None OSError None"]), errors


def test_future_whose_result_cannot_be_taken_has_that_error(single, monkeypatch, caplog):
    def fail(*_):
        raise OSError(24, "too many open files")

    monkeypatch.setattr(outcomes, "_decode", fail)
    future = single.submit(tasks.fail, ValueError("own"))
    done = []
    future.add_done_callback(done.append)  # so it is the manager who takes the result
    with pytest.raises(ResultPicklingError, match=r"result could not be taken: OSError: .*too many open files"):
        future.result(60)
    monkeypatch.undo()
    assert single.submit(tasks.identity, 1).result(60) == 1
    assert done == [future]
    assert "the pool goes on after an error" in caplog.text


def test_thread_that_can_have_no_bell_waits_for_the_manager(single, monkeypatch):
    assert single.submit(tasks.identity, 1).result(60) == 1  # the manager has one
    results = single._pool._kernel.results
    wait = type(results).wait
    refused = []

    def refuse(queue, *args, stands_back=None, **kwargs):
        if stands_back is None:  # whoever stands in for the manager
            refused.append(None)
            raise OSError(24, "too many open files")
        return wait(queue, *args, stands_back=stands_back, **kwargs)

    monkeypatch.setattr(type(results), "wait", refuse)
    assert single.submit(tasks.fail_with, ValueError, "own").exception(60).args == ("own",)
    assert refused
