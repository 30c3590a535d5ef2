"""What a worker imports is paid for in every worker."""

from __future__ import annotations

import named_by_threading
import pytest
import scripts
import tasks

import interp_api
from interp_pool import InterpreterPoolExecutor

COSTLY = {"concurrent.futures", "logging", "dataclasses", "traceback", "typing", "pickle", "asyncio", "re"}
OURS = {
    "_wire": "failures interrupted messages",
    "_worker": (
        "baseline batch control_thread load_lock loop main_ahead measured parent running struck_import surroundings"
    ),
}


def test_started_worker_has_imported_nothing_costly():
    initializer = {"initializer": tasks.initialize, "initargs": ("a", 1)}
    with InterpreterPoolExecutor(1, **initializer, reuse=False, log="worker") as executor:
        loaded = set(executor.submit(tasks.modules).result(60))
        assert not loaded & COSTLY
        ours = {name for name in loaded if name.startswith("interp_pool")}
        rooms = {f"interp_pool.{room}" for room in OURS}
        assert ours == {
            "interp_pool",
            *rooms,
            *(f"interp_pool.{room}.{name}" for room, names in OURS.items() for name in names.split()),
        }


def test_worker_that_forwards_records_loads_what_tells_the_pool_and_no_logging():
    with InterpreterPoolExecutor(1, reuse=False, log="worker") as executor:
        usual = set(executor.submit(tasks.modules).result(60))
    with InterpreterPoolExecutor(1, reuse=False, log="forward") as executor:
        loaded = set(executor.submit(tasks.modules).result(60))
    assert loaded - usual == {"interp_pool._worker.logs", "interp_pool._worker.telling"}


def test_worker_that_imports_the_executor_as_the_programs_main_does_loads_no_pool():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        loaded = set(executor.submit(tasks.modules_with_the_executor).result(60))
    assert "interp_pool._executor.executor" in loaded
    assert not loaded & {"typing", "interp_pool._pool", "interp_pool._core", "interp_pool._futures.task_future"}


PLAIN = """
from interp_pool import InterpreterPoolExecutor

def loaded():
    import sys
    return sorted(sys.modules)

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as executor:
        print(*executor.submit(loaded).result(), sep="\\n")
"""


@pytest.mark.programs
def test_worker_of_a_plain_program_has_imported_next_to_nothing(tmp_path):
    # With warning filters of its own, as under pytest, it would load warnings as well.
    _, output, errors = scripts.run_text(tmp_path, PLAIN, options=())
    loaded = set(output.splitlines())
    assert "interp_pool._worker.loop" in loaded, errors
    assert not loaded & (COSTLY | {"collections", "functools", "importlib", "threading", "warnings"})


def test_worker_thread_has_its_name_as_soon_as_a_module_needs_it():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        name = executor.submit(named_by_threading.get_name).result(60)
        (thread,) = executor._threads
    assert name == thread.name


IMPORT_AND_NAME = """
import _frozen_importlib, _thread, importlib.util, sys
from importlib.abc import Loader
from interp_pool._worker import running

assert "threading" not in sys.modules
entered, resume, ended = [_thread.allocate_lock() for _ in range(3)]
for lock in (entered, resume, ended):
    lock.acquire()
own = importlib.util.find_spec("threading").loader

class Paused(Loader):
    def exec_module(self, module):
        entered.release()
        resume.acquire()
        own.exec_module(module)

class Finder:
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, Paused()) if name == "threading" else None

def name_thread():
    try:
        running.name_thread("worker")
        outcome.append(sys.modules["threading"].current_thread().name)
    except BaseException as exc:
        outcome.append(exc)
    ended.release()

outcome = []
sys.meta_path.insert(0, Finder())
_thread.start_new_thread(__import__, ("threading",))
entered.acquire()
me = _thread.start_new_thread(name_thread, ())
while not (outcome or _frozen_importlib._blocking_on.get(me)):
    pass
resume.release()
ended.acquire()
assert outcome == ["worker"], outcome
"""


def test_worker_names_its_thread_while_another_thread_imports_threading():
    """Without waiting for that, the task failed: the module had begun and had no functions yet."""
    interpreter = interp_api.create()
    try:
        interpreter.exec(IMPORT_AND_NAME)
    finally:
        interpreter.close()


def test_looking_where_a_task_is_and_stopping_it_loads_next_to_nothing():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        future = executor.submit(tasks.spend, 60)
        while "in spend" not in future.where():
            pass
        assert future.interrupt(60)
        loaded = set(executor.submit(tasks.modules).result(60))
    assert "interp_pool._process.thread_state" in loaded
    assert not loaded & {"concurrent", "ctypes", "queue", "threading"}


def test_failed_task_costs_what_it_needs_and_no_executor():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(tasks.fail, ValueError("x")).exception(60)
        loaded = set(executor.submit(tasks.modules).result(60))
    assert not loaded & {"concurrent.futures", "logging", "asyncio"}
