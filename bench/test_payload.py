"""What it costs to send much data: bytes each way, a bytearray there and back, a memoryview that is shared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interp_pool.bench import tasks
from interp_pool.bench.measures import PAYLOAD

if TYPE_CHECKING:
    from interp_pool.bench.peers import Adapter, Peer

SIZES = [2**10, 2**20, PAYLOAD]


@pytest.fixture
def workers() -> int:
    """One, which then has the payload it makes."""
    return 1


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    return request.param


def payload(size: int) -> bytes:
    return os.urandom(2**10) * (size // 2**10)


def test_bytes_argument(benchmark, adapter: Adapter, size: int):
    data = payload(size)
    assert benchmark(lambda: adapter.result(adapter.submit(len, data))) == size


def test_bytes_result(benchmark, adapter: Adapter, size: int):
    assert len(benchmark(lambda: adapter.result(adapter.submit(tasks.kept_bytes, size)))) == size


def test_bytearray_there_and_back(benchmark, adapter: Adapter, size: int):
    data = bytearray(payload(size))
    assert benchmark(lambda: adapter.result(adapter.submit(tasks.identity, data))) == data


def test_memoryview_written_by_the_task(benchmark, peer: Peer, adapter: Adapter, size: int):
    if not peer.shares_memory:
        pytest.skip("it does not share memory with tasks")
    data = bytearray(size)
    with memoryview(data) as view:
        assert benchmark(lambda: adapter.result(adapter.submit(tasks.write_marks, view))) == size
    assert data.count(0) < size
