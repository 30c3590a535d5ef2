"""Have so many workers busy at the same moment, whatever they are.

This file owns the meeting of workers, each of which says that it has begun and stays until all have: so each of the
tasks has a worker of its own, and it is known when each of these was ready. They meet at two named pipes, because
threads, interpreters and processes can all open these. It must not know executors.
"""

import os
import select
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from interp_pool.bench import tasks
from interp_pool.bench.measuring import Unmeasurable
from interp_pool.bench.peers import Adapter

__all__ = ["gather"]

_PATIENCE = 60.0  # seconds without another worker: then there will be no more


def gather(make: Callable[[], Adapter], workers: int) -> tuple[Adapter, list[float]]:
    """Make an executor whose workers are all busy at once; return it, and after how many seconds each had begun.

    Args:
        make: Makes the executor, after the clock was started.
        workers: How many tasks are submitted to it at once.

    Raises:
        Unmeasurable: This system has no named pipes.
        RuntimeError: Not all of the workers came.

    Blocks:
        Until all have begun, and have ended their task.
    """
    with tempfile.TemporaryDirectory() as directory:
        began, end = _pipe(f"{directory}/began"), _pipe(f"{directory}/end")
        try:
            start = time.perf_counter()
            adapter = make()
            waiting: list[Any] = [adapter.submit(tasks.gather, directory) for _ in range(workers)]
            times: list[float] = []
            while len(times) < workers and select.select([began], [], [], _PATIENCE)[0]:
                times += [time.perf_counter() - start] * len(os.read(began, workers))
            os.write(end, b"." * workers)
            for task in waiting:
                adapter.result(task)
        finally:
            os.close(began)
            os.close(end)
    if len(times) < workers:
        adapter.close()
        raise RuntimeError(f"only {len(times)} of {workers} workers came")
    return adapter, times


def _pipe(path: str) -> int:
    """Make a named pipe and open it so that nobody who opens it has to wait."""
    if sys.platform != "win32":
        os.mkfifo(path)
        return os.open(path, os.O_RDWR)
    raise Unmeasurable("this system has no named pipes, at which workers could meet")
