"""Functions that benchmarks send to workers, and executors to compare, in one place."""

from __future__ import annotations

import concurrent.futures
import os
import sys
from typing import TYPE_CHECKING

import pytest

from interp_pool import InterpreterPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = os.process_cpu_count() or 1

EXECUTORS: dict[str, Callable[[], concurrent.futures.Executor]] = {
    "ours": lambda: InterpreterPoolExecutor(WORKERS),
    "ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor(WORKERS),
    "ProcessPoolExecutor": lambda: concurrent.futures.ProcessPoolExecutor(WORKERS),
}
if sys.version_info >= (3, 14):
    EXECUTORS["stdlib InterpreterPoolExecutor"] = lambda: concurrent.futures.InterpreterPoolExecutor(WORKERS)


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[concurrent.futures.Executor]:
    """An executor with all its workers started."""
    with EXECUTORS[request.param]() as ex:
        list(ex.map(abs, range(100 * WORKERS)))
        yield ex
