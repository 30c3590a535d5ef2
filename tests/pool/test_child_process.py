"""A worker is to multiprocessing what a child process of the program is."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool

import child_tasks
import pytest
import scripts
import tasks

from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, TaskInterrupted


@pytest.mark.parametrize("reuse", [False, True])
def test_worker_has_the_name_and_the_number_of_a_child(reuse):
    for _ in range(2):
        with InterpreterPoolExecutor(1, reuse=reuse) as executor:
            found = executor.submit(child_tasks.current).result(60)
            assert found == ("InterpreterPoolWorker-1", (1,), "MainProcess", os.getpid(), True, os.getpid())


def test_each_worker_has_a_number_of_its_own():
    with InterpreterPoolExecutor(2, reuse=False, max_tasks_per_child=1) as executor:
        numbers = [executor.submit(child_tasks.current).result(60)[1] for _ in range(3)]
    assert len({*numbers}) == 3


def test_worker_has_the_authkey_of_the_program(executor):
    assert executor.submit(child_tasks.authkey).result(60) == bytes(multiprocessing.current_process().authkey)


def test_log_records_name_the_worker(executor):
    assert executor.submit(child_tasks.process_name_of_a_record).result(60).startswith("InterpreterPoolWorker-")


def test_waiting_for_the_parent_times_out(executor):
    assert executor.submit(child_tasks.join_parent, 0.001).result(60) is True


def test_lent_interpreter_stays_as_it_is():
    with InterpreterPool(1, reuse=False) as pool, pool.lease() as interpreter:
        assert interpreter.call(child_tasks.current) == ("MainProcess", (), None)


def test_modules_are_not_imported_for_it():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert not executor.submit(child_tasks.has_process_module).result(60)


@pytest.mark.programs
def test_objects_of_a_manager_reach_workers(executor):
    with multiprocessing.get_context("spawn").Manager() as manager:
        queue, numbers = manager.Queue(), manager.dict()
        executor.submit(child_tasks.use_proxies, queue, numbers).result(60)
        assert queue.get(timeout=60) == "from a worker"
        assert dict(numbers) == {"one": 1}


def test_signals_can_be_ignored_but_not_handled(executor):
    default, ignored, handled, unknown = executor.submit(child_tasks.set_signals).result(60)
    assert default == ignored == "0"  # Handlers.SIG_DFL
    assert handled == "signal only works in main thread of the main interpreter"
    assert unknown == "signal number out of range"


def test_tasks_of_workers_that_ignore_ctrl_c_go_on_at_one(gate):
    with InterpreterPoolExecutor(1, initializer=child_tasks.ignore_ctrl_c) as executor:
        (held,) = gate.hold(executor)
        executor._pool.stop_at_once()
        gate.open()
        assert held.result(60) is not None


def test_tasks_of_others_are_stopped(gate):
    with InterpreterPoolExecutor(1, initializer=abs, initargs=(1,)) as executor:
        (held,) = gate.hold(executor)
        executor._pool.stop_at_once()
        assert isinstance(held.exception(60), TaskInterrupted)
        gate.open()  # it is in C code, until then


def test_queue_of_multiprocessing_works_in_a_task(executor):
    assert executor.submit(child_tasks.feed_a_queue).result(60) == ("item", set())


def test_pool_of_threads_works_in_a_task(executor):
    assert executor.submit(child_tasks.nest_pool, "threads").result(60) == ([1, 2], set())


@pytest.mark.programs
def test_pool_of_processes_works_in_a_task(executor):
    assert executor.submit(child_tasks.nest_pool, "processes").result(60) == ([1, 2], set())


@pytest.mark.programs
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_process_pool_executor_works_in_a_task(executor, method):
    assert executor.submit(child_tasks.nest_processes, method).result(60) == 9


NESTED = """
from child_tasks import nest_processes
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, reuse={reuse}) as executor:
        print(executor.submit(nest_processes, "forkserver").result())
"""


@pytest.mark.programs
@pytest.mark.parametrize("reuse", [False, True])
def test_fork_server_that_a_task_has_started_ends_with_its_interpreter_without_a_word(tmp_path, reuse):
    """It has to end before the folder goes in which its socket is."""
    folder = os.path.dirname(child_tasks.__file__)
    assert scripts.run_text(tmp_path, NESTED.format(reuse=reuse), path=[folder]) == (0, "9\n", "")


def test_broken_pool_can_be_caught_as_a_process_pool(logged):
    with InterpreterPoolExecutor(1, initializer=tasks.fail_to_initialize, initargs=("no",)) as executor:
        with pytest.raises(BrokenProcessPool) as caught:
            executor.submit(abs, -1).result(60)
        with pytest.raises(BrokenProcessPool):
            executor.submit(abs, -1)
    assert isinstance(caught.value, BrokenInterpreterPool)
    assert isinstance(caught.value, BrokenExecutor)
    assert type(pickle.loads(pickle.dumps(caught.value))) is BrokenInterpreterPool


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_list_of_processes_has_the_workers(executor, started, how):
    assert executor._processes == {}
    future = executor.submit(tasks.spin, started)
    started.get(timeout=60)
    ((name, process),) = executor._processes.items()
    assert (name, process.pid, process.is_alive(), process.exitcode) == (process.name, os.getpid(), True, None)
    with pytest.raises(TypeError):
        os.kill(name, 0)  # what it is listed by is no process
    getattr(process, how)()
    assert isinstance(future.exception(60), TaskInterrupted)
