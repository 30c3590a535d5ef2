"""What one task costs: alone, and in a burst."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interp_pool.bench.peers import Adapter

BURST = 1_000


def test_roundtrip(benchmark, adapter: Adapter):
    benchmark(lambda: adapter.result(adapter.submit(abs, -1)))


def test_burst(benchmark, adapter: Adapter):
    def burst() -> None:
        for task in [adapter.submit(abs, -1) for _ in range(BURST)]:
            adapter.result(task)

    benchmark.extra_info["tasks"] = BURST
    benchmark(burst)
