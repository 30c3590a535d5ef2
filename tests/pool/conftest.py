"""An executor per test, and a gate to hold its tasks."""

from __future__ import annotations

import logging

import pytest
import tasks

from interp_api import QueueEmpty, create_queue
from interp_pool import InterpreterPoolExecutor


class Gate:
    """Holds tasks in the middle."""

    def __init__(self):
        self.started, self.exits = create_queue(), tasks.Door()

    def hold(self, executor, count=1):
        """Submit tasks that wait; return their futures once all of them run."""
        futures = [self.submit(executor) for _ in range(count)]
        for _ in futures:
            self.started.get(timeout=60)
        return futures

    def submit(self, executor):
        """Submit a task that waits; return its future at once."""
        return executor.submit(tasks.hold, self.started, self.exits)

    def open(self, count=1):
        """Let tasks go on."""
        for _ in range(count):
            self.exits.put(None)


@pytest.fixture(scope="session", autouse=True)
def _own_bell():
    """Let the main thread open the descriptor it waits with, which it keeps."""
    with pytest.raises(QueueEmpty):
        create_queue().get(timeout=0.001)


@pytest.fixture
def logged():
    """What is logged where the standard library's executors log: (level, message, type of the exception).

    Not with caplog, which keeps the exceptions, and with them pools, until after the leak check.
    """
    records = []

    def take(record):
        records.append((record.levelno, record.getMessage(), record.exc_info[0]))
        return False

    logger = logging.getLogger("concurrent.futures")
    logger.addFilter(take)
    yield records
    logger.removeFilter(take)


@pytest.fixture
def gate(request):
    gate = Gate()
    yield gate
    gate.exits.close()
    del gate, request.node.funcargs["gate"]  # its queue ends before the leak check looks


@pytest.fixture
def started(request):
    """A queue for tasks to tell that they run."""
    yield create_queue()
    del request.node.funcargs["started"]  # as above


@pytest.fixture
def single(request):
    """An executor with one worker."""
    with InterpreterPoolExecutor(1) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["single"]  # as above


@pytest.fixture
def executor(request):
    with InterpreterPoolExecutor(2) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["executor"]  # as above
