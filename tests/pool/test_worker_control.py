"""The protocol of `_worker_control`, with each order of its steps forced: the worker's loop in a thread, here."""

from __future__ import annotations

import sys
import threading

import pytest
import tasks

from interp_api import SimpleQueue, decode, encode_call
from interp_api._cpython import queue_count
from interp_pool import TaskInterrupted, _thread_state, _worker_control, _worker_main
from interp_pool._failures import decode_failure
from interp_pool._messages import CONTROL_INTERRUPT, DATA, TASK_FAILED, VALUE, WORKER_LEAVING


class Board(list):
    """A board that keeps nobody waiting."""


class PausedAtC2(Board):
    """A board that stops the control thread when it has found the task at C2, or before it looks."""

    pauses_after = True

    def __init__(self, cells):
        super().__init__(cells)
        self.reached, self.go = threading.Event(), threading.Event()
        self.owner = None
        self.looks = 0

    def __getitem__(self, cell):
        is_control = threading.get_ident() != self.owner
        if is_control:
            self.looks += 1
        if is_control and self.looks == 2 and not self.pauses_after:
            self._pause()
        found = super().__getitem__(cell)
        if is_control and self.looks == 2 and self.pauses_after:
            self._pause()
        return found

    def _pause(self):
        self.reached.set()
        assert self.go.wait(60)


class PausedBeforeC2(PausedAtC2):
    pauses_after = False


class Loop:
    """A worker's loop with its control thread in this interpreter."""

    def __init__(self, kind):
        self.calls, self.results, self.messages, self.turns = (SimpleQueue() for _ in range(4))
        self.turns.put(None)
        self.board = kind([0, 0, 0])
        self._made = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self._made.wait(60)

    def _run(self):
        self.board.owner = threading.get_ident()
        self.control = _worker_control.Control(self.messages.id, self.turns, self.board)
        self._made.set()
        try:
            self.is_fit = _worker_main._serve_calls(self.calls, self.results, self.control, self.board, 7, 0, None)
        finally:
            self.control.end()

    def send(self, work_id, function, *args):
        self.calls.put((work_id, encode_call(function, args, {})))

    def interrupt(self, work_id):
        self.messages.put((CONTROL_INTERRUPT, work_id))

    def result(self):
        """Return (work id, result or exception) of the next result item."""
        kind, work_id, body, _ = self.results.get(60)
        if kind == VALUE:
            return work_id, body
        if kind == DATA:
            return work_id, decode(body)
        assert kind == TASK_FAILED
        return work_id, decode_failure(body)

    def end(self):
        self.calls.put(None)
        assert self.results.get(60) == (WORKER_LEAVING, 7, True, 0.0)
        self.thread.join()
        assert self.is_fit


@pytest.fixture
def loop(request):
    kind = getattr(request, "param", Board)
    loop = Loop(kind)
    yield loop
    loop.end()
    assert loop.board[0] <= 0
    assert loop.control.struck == 0
    del request.node.funcargs["loop"]  # its queues end before the leak check looks


@pytest.mark.parametrize("loop", [PausedAtC2, PausedBeforeC2], indirect=True)
def test_task_that_ends_while_the_control_thread_is_about_to_strike(loop, monkeypatch):
    ended = threading.Event()
    runs = threading.Event()

    def first():
        runs.set()
        return ended.wait(60)

    functions = {1: first, 2: lambda: max(n for n in range(2000))}
    monkeypatch.setattr(_worker_main, "_unpickled", lambda payload: (functions[payload], (), {}))
    loop.calls.put((1, 1))
    assert runs.wait(60)
    loop.interrupt(1)
    assert loop.board.reached.wait(60)  # between C1 and its strike, with the lock
    loop.calls.put((2, 2))
    ended.set()  # the task ends, and the loop waits for the lock at L4
    while list.__getitem__(loop.board, 0) > 0:
        pass
    loop.board.go.set()
    assert loop.result() == (1, True)
    assert loop.result() == (2, 1999)


def test_task_is_struck_and_the_next_one_is_not(loop, monkeypatch):
    runs = threading.Event()

    def spin():
        runs.set()
        while True:
            pass

    functions = {1: spin, 2: lambda: max(n for n in range(2000))}
    monkeypatch.setattr(_worker_main, "_unpickled", lambda payload: (functions[payload], (), {}))
    loop.calls.put((1, 1))
    loop.calls.put((2, 2))
    assert runs.wait(60)
    assert loop.board[0] == 1
    loop.interrupt(1)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    assert loop.result() == (2, 1999)


def test_interrupt_of_another_task_strikes_nobody(loop):
    loop.interrupt(2)
    loop.send(1, tasks.identity, 5)
    assert loop.result() == (1, 5)


def test_control_threads_load_what_shares_a_table_one_at_a_time(loop, monkeypatch):
    """Two interpreters that import `_ctypes` at once: once in 100 a segmentation fault on 3.13, a TypeError on 3.15."""
    monkeypatch.delitem(sys.modules, "interp_pool._thread_state")
    started = SimpleQueue()
    loop.turns.get(60)
    loop.send(1, tasks.spin, started)
    started.get(60)
    loop.interrupt(1)
    while not queue_count(loop.turns._sleepers):
        pass
    assert loop.board[0] == 1
    loop.turns.put(None)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    assert loop.turns.qsize() == 1


def test_exception_struck_outside_of_the_tasks_function_is_still_its_outcome(loop, monkeypatch):
    def struck(*_):
        raise TaskInterrupted

    monkeypatch.setattr(_worker_main, "_encode_result", struck)
    loop.send(1, tasks.identity, 5)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)


def test_exception_that_is_still_to_come_after_the_task_is_taken_back(loop, monkeypatch):
    """At L4 the exception may have been asked for and not been raised."""
    cleared = []
    raise_in_thread = _thread_state.raise_in_thread
    monkeypatch.setattr(
        _thread_state,
        "raise_in_thread",
        lambda thread_id, exception: (cleared.append(exception), raise_in_thread(thread_id, exception)),
    )

    def strike(*_):
        loop.control.struck = 1
        return (VALUE, 1, "done", 0.0)

    monkeypatch.setattr(_worker_main, "_run", strike)
    loop.send(1, tasks.identity, 5)
    assert loop.result() == (1, "done")
    assert cleared == [None]
