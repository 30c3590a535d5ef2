"""What one task costs: alone, and in a burst."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

BURST = 1_000


def test_submit_and_wait(benchmark, executor: Executor):
    benchmark(lambda: executor.submit(abs, -1).result())


def test_burst(benchmark, executor: Executor):
    def burst() -> None:
        for future in [executor.submit(abs, -1) for _ in range(BURST)]:
            future.result()

    benchmark(burst)


def test_map(benchmark, executor: Executor):
    benchmark(lambda: list(executor.map(abs, range(BURST), chunksize=50)))
