"""What the tests of hosts share."""

from __future__ import annotations

import itertools

import pytest
from fifos import Fifo


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
