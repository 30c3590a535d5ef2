"""How long it takes to the first result: of the first executor in a process, and of later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interp_pool.bench.rounds import Cell, run_cell

if TYPE_CHECKING:
    from interp_pool.bench.peers import Peer


def test_first_executor_in_a_process(benchmark, peer: Peer, workers: int):
    """The time is that of the whole process; what is of interest is in extra_info."""
    cell = Cell(peer.name, "start_first", workers)
    outcome = benchmark.pedantic(lambda: run_cell(cell, 1, is_quick=True), rounds=3)
    assert outcome.error is None
    benchmark.extra_info["first_result_ms"] = outcome.value


def test_later_executor(benchmark, peer: Peer, workers: int):
    make = peer.load()

    def start_and_close() -> None:
        adapter = make(workers)
        adapter.result(adapter.submit(abs, -1))
        adapter.close()

    start_and_close()
    benchmark(start_and_close)
