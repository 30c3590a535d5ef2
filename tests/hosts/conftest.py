"""What the tests of hosts share."""

from __future__ import annotations

import itertools

import pytest
from fifos import Fifo

from interp_api import QueueEmpty, create_queue


@pytest.fixture(scope="session", autouse=True)
def _own_bell():
    """Let the main thread open the descriptor it waits with, which it keeps."""
    with pytest.raises(QueueEmpty):
        create_queue().get(timeout=0.001)


@pytest.fixture
def make_fifo(tmp_path):
    """Give a function that makes a FIFO, see `fifos`."""
    numbers, fifos = itertools.count(), []

    def make():
        fifos.append(Fifo(tmp_path / f"fifo{next(numbers)}"))
        return fifos[-1]

    yield make
    for each in fifos:
        each.close()


@pytest.fixture
def fifo(make_fifo):
    """Give one."""
    return make_fifo()
