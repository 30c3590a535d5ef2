"""How much memory workers take, and whether it grows: measured in processes of their own, told in extra_info."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interp_pool.bench.memory import family_memory
from interp_pool.bench.rounds import Cell, run_cell

if TYPE_CHECKING:
    from interp_pool.bench.peers import Peer

pytestmark = pytest.mark.skipif(family_memory() is None, reason="this system does not tell the memory of processes")


@pytest.mark.parametrize("measure", ["memory_worker", "memory_growth"])
def test_memory(benchmark, peer: Peer, workers: int, measure: str):
    cell = Cell(peer.name, measure, workers)
    outcome = benchmark.pedantic(lambda: run_cell(cell, 1, is_quick=True), rounds=1)
    assert outcome.error is None
    benchmark.extra_info["MiB"] = outcome.value
