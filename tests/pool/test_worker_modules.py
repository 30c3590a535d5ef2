"""What a worker imports is paid for in every worker."""

from __future__ import annotations

import tasks

from interp_pool import InterpreterPoolExecutor

COSTLY = {"concurrent.futures", "logging", "dataclasses", "traceback", "typing", "pickle", "asyncio", "re"}


def test_started_worker_has_imported_nothing_costly():
    with InterpreterPoolExecutor(1, initializer=tasks.initialize, initargs=("a", 1), reuse=False) as executor:
        loaded = set(executor.submit(tasks.modules).result(60))
        assert not loaded & COSTLY
        ours = {name for name in loaded if name.startswith("interp_pool")}
        assert ours == {f"interp_pool{part}" for part in ("", "._failures", "._messages", "._worker_main")}


def test_failed_task_costs_what_it_needs_and_no_executor():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(tasks.fail, ValueError("x")).exception(60)
        loaded = set(executor.submit(tasks.modules).result(60))
    assert not loaded & {"concurrent.futures", "logging", "asyncio"}
