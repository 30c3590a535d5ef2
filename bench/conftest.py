"""The executors to compare: the peers of the benchmark command that can share a process with the others."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from interp_pool.bench.measuring import start_workers
from interp_pool.bench.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interp_pool.bench.peers import Adapter, Peer

WORKERS = os.process_cpu_count() or 1


def obstacle(peer: Peer) -> str | None:
    """Say why a peer cannot be used in this process, beside the threads of others."""
    forks = peer.name == "fork" or (peer.name == "mp.Pool" and multiprocessing.get_start_method() == "fork")
    return "a process with threads must not fork" if forks else peer.obstacle()


@pytest.fixture
def workers() -> int:
    """How many workers each executor has."""
    return WORKERS


@pytest.fixture(params=PEERS.values(), ids=PEERS)
def peer(request: pytest.FixtureRequest) -> Peer:
    """One kind of executor."""
    if reason := obstacle(request.param):
        pytest.skip(reason)
    return request.param


@pytest.fixture
def adapter(peer: Peer, workers: int) -> Iterator[Adapter]:
    """An executor with all its workers started."""
    adapter = peer.load()(workers)
    start_workers(adapter, workers)
    yield adapter
    adapter.close()
