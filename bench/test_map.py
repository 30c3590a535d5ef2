"""What an item of a map costs: with default arguments, and with a chunksize that was chosen by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interp_pool.bench.measures import CHUNKSIZES

if TYPE_CHECKING:
    from interp_pool.bench.peers import Adapter, Peer

FEW, MANY = 1_000, 20_000


def test_map_of_tiny_items(benchmark, adapter: Adapter):
    benchmark.extra_info["items"] = FEW
    benchmark(lambda: list(adapter.map(abs, range(FEW))))


@pytest.mark.parametrize("chunksize", CHUNKSIZES)
def test_map_in_chunks(benchmark, peer: Peer, adapter: Adapter, chunksize: int):
    if not peer.honours_chunksize:
        pytest.skip("it ignores chunksize")
    benchmark.extra_info["items"] = MANY
    benchmark(lambda: list(adapter.map(abs, range(MANY), chunksize)))
