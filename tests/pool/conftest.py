"""An executor per test, and a gate to hold its tasks."""

from __future__ import annotations

import logging
import os
from functools import partial
from multiprocessing import resource_tracker

import pytest
import routed_tasks
import tasks

from interp_api import QueueEmpty, create_queue
from interp_pool import InterpreterPoolExecutor


class Gate:
    """Holds tasks in the middle."""

    def __init__(self):
        self.started, self.exits = create_queue(), create_queue()

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


class Stuck:
    """Tasks in C code, until they may go on."""

    def __init__(self):
        self._said, self._say = os.pipe()
        self._wait, self._go = os.pipe()

    def hold(self, executor):
        """Submit a task that blocks in C; return its future once it does."""
        return self.submit(executor, partial(os.read, self._wait, 1))

    def submit(self, executor, function):
        """Submit a task that calls a C function; return its future once it is about to, without a line of Python."""
        future = executor.submit(tasks.call_in_c, *self.arguments(function))
        self.wait()
        return future

    def arguments(self, function=None):
        """Return those of `tasks.call_in_c` for a task that says when it calls that function, or blocks in C."""
        return partial(os.write, self._say, b"x"), function or partial(os.read, self._wait, 1)

    def wait(self):
        """Wait until one says so."""
        os.read(self._said, 1)

    def release(self, count=1):
        os.write(self._go, b"x" * count)

    def close(self):
        for descriptor in (self._said, self._say, self._wait, self._go):
            os.close(descriptor)


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
        records.append((record.levelno, record.getMessage(), record.exc_info and record.exc_info[0]))
        return False

    logger = logging.getLogger("concurrent.futures")
    logger.addFilter(take)
    yield records
    logger.removeFilter(take)


@pytest.fixture
def gate(request):
    yield Gate()
    del request.node.funcargs["gate"]  # its queues end before the leak check looks


@pytest.fixture
def stuck():
    stuck = Stuck()
    yield stuck
    stuck.close()


@pytest.fixture
def started(request):
    """A queue for tasks to tell that they run."""
    yield create_queue()
    del request.node.funcargs["started"]  # as above


@pytest.fixture
def ran(request):
    """A queue for tasks to tell that they have run."""
    yield create_queue()
    del request.node.funcargs["ran"]  # as above


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


@pytest.fixture(scope="module")
def helpers_of_multiprocessing():
    """Start what multiprocessing starts once, and which has descriptors."""
    resource_tracker.ensure_running()
    with InterpreterPoolExecutor(1, fallback="process") as executor:
        executor.submit(routed_tasks.where, 0).result(60)


class Door:
    """Holds tasks of processes in the middle."""

    def __init__(self, path):
        self.names = str(path / "started"), str(path / "go")
        for name in self.names:
            os.mkfifo(name)

    def wait(self):
        with open(self.names[0]) as file:
            assert file.read() == routed_tasks.READY

    def open(self, text="went on"):
        with open(self.names[1], "w") as file:
            file.write(text)


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path)


@pytest.fixture
def second_door(tmp_path):
    path = tmp_path / "second"
    path.mkdir()
    return Door(path)
