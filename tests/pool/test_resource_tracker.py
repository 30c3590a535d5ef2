"""Shared memory and semaphores of multiprocessing: one resource tracker for the process, that of the pool's owner."""

from __future__ import annotations

from multiprocessing import shared_memory
from multiprocessing.resource_tracker import getfd
from pathlib import Path

import descriptor_tasks as tasks
import pytest
import scripts

from interp_pool import InterpreterPoolExecutor, close_idle


@pytest.fixture
def block():
    block = shared_memory.SharedMemory(create=True, size=100)
    yield block
    block.close()
    block.unlink()


def test_shared_memory_outlives_the_interpreter_of_a_worker_that_attached_to_it(block):
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        for position in range(4):
            executor.submit(tasks.fill, block.name, position).result(60)
    close_idle()
    tasks.fill(block.name, 4)
    assert [*block.buf[:5]] == [0, 1, 2, 3, 4]


def test_shared_memory_outlives_the_worker_that_made_it():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        name = executor.submit(tasks.make_block, 10).result(60)
    tasks.unlink_block(name)
    with pytest.raises(FileNotFoundError):
        tasks.unlink_block(name)


def test_shareable_list_is_seen_by_workers_that_come_and_go():
    items = shared_memory.ShareableList([1, 2, 3])
    try:
        with InterpreterPoolExecutor(2, max_tasks_per_child=1) as executor:
            for _ in range(3):
                executor.submit(tasks.increment, items).result(60)
        assert [*items] == [4, 5, 6]
    finally:
        items.shm.close()
        items.shm.unlink()


def test_workers_use_the_tracker_of_the_main_interpreter():
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        assert {executor.submit(tasks.tracker).result(60) for _ in range(4)} == {(getfd(), False)}


def test_warm_worker_uses_the_tracker_for_its_next_pool_too(block):
    for position in range(2):
        with InterpreterPoolExecutor(1) as executor:
            executor.submit(tasks.fill, block.name, position).result(60)
            assert executor.submit(tasks.tracker).result(60) == (getfd(), False)


def test_initializer_may_need_the_tracker(block):
    with InterpreterPoolExecutor(1, initializer=tasks.fill, initargs=(block.name, 7)) as executor:
        executor.submit(abs, -1).result(60)
    assert block.buf[7] == 7


def test_semaphores_can_be_made_in_workers():
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        assert all(executor.submit(tasks.use_lock).result(60) for _ in range(2))


def test_worker_imports_the_tracker_only_when_a_task_does():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert not executor.submit(tasks.has_tracker).result(60)


SCRIPT = """
import sys
import descriptor_tasks as tasks
from interp_pool import InterpreterPoolExecutor, close_idle

if __name__ == "__main__":
    {}
"""
PROGRAMS = {
    "made by a task, unlinked by main": """
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        name = executor.submit(tasks.make_block, 10).result()
    tasks.unlink_block(name)
""",
    "made by main, unlinked by a task": """
    name = tasks.make_block(10)
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(tasks.unlink_block, name).result()
""",
    "made by a task, unlinked by another": """
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        name = executor.submit(tasks.make_block, 10).result()
        executor.submit(tasks.unlink_block, name).result()
    assert "multiprocessing.resource_tracker" in sys.modules
""",
    "managed": """
    from multiprocessing.managers import SharedMemoryManager
    with SharedMemoryManager() as manager, InterpreterPoolExecutor(2) as executor:
        items = manager.ShareableList([1, 2])
        executor.submit(tasks.increment, items).result()
        assert [*items] == [2, 3]
""",
    "semaphores": """
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(tasks.use_lock).result()
""",
    "the tracker has died": """
    import os, signal
    from multiprocessing.resource_tracker import _resource_tracker as tracker, ensure_running
    from multiprocessing import shared_memory
    block = shared_memory.SharedMemory(create=True, size=10)
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(tasks.fill, block.name, 1).result()
        os.kill(tracker._pid, signal.SIGKILL)
        os.waitpid(tracker._pid, 0)
        import warnings
        with warnings.catch_warnings(action="ignore"):
            ensure_running()
        assert executor.submit(tasks.tracker).result() == (tracker._fd, False)
        executor.submit(tasks.fill, block.name, 2).result()
    block.close()
    block.unlink()
""",
}


@pytest.mark.programs
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_leaves_nothing_behind_and_is_warned_of_nothing(tmp_path, program, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(tasks.__file__).parent))
    assert scripts.run_text(tmp_path, SCRIPT.format(PROGRAMS[program].strip())) == (0, "", "")
