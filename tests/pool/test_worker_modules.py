"""What a worker imports is paid for in every worker."""

from __future__ import annotations

import named_by_threading
import scripts
import tasks

from interp_pool import InterpreterPoolExecutor

COSTLY = {"concurrent.futures", "logging", "dataclasses", "traceback", "typing", "pickle", "asyncio", "re"}
OURS = {"_failures", "_interrupted", "_messages", "_worker_control", "_worker_main"}


def test_started_worker_has_imported_nothing_costly():
    with InterpreterPoolExecutor(1, initializer=tasks.initialize, initargs=("a", 1), reuse=False) as executor:
        loaded = set(executor.submit(tasks.modules).result(60))
        assert not loaded & COSTLY
        ours = {name for name in loaded if name.startswith("interp_pool")}
        assert ours == {"interp_pool", *(f"interp_pool.{name}" for name in OURS)}


PLAIN = """
from interp_pool import InterpreterPoolExecutor

def loaded():
    import sys
    return sorted(sys.modules)

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as executor:
        print(*executor.submit(loaded).result(), sep="\\n")
"""


def test_worker_of_a_plain_program_has_imported_next_to_nothing(tmp_path):
    # With warning filters of its own, as under pytest, it would load warnings as well.
    _, output, errors = scripts.run_text(tmp_path, PLAIN, options=())
    loaded = set(output.splitlines())
    assert "interp_pool._worker_main" in loaded, errors
    assert not loaded & (COSTLY | {"collections", "functools", "importlib", "threading", "warnings"})


def test_worker_thread_has_its_name_as_soon_as_a_module_needs_it():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        name = executor.submit(named_by_threading.get_name).result(60)
        (thread,) = executor._threads
    assert name == thread.name


def test_failed_task_costs_what_it_needs_and_no_executor():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(tasks.fail, ValueError("x")).exception(60)
        loaded = set(executor.submit(tasks.modules).result(60))
    assert not loaded & {"concurrent.futures", "logging", "asyncio"}
