"""The protocol of `_worker.control_thread`, with each order of its steps forced: the worker's loop in a thread,
here."""

from __future__ import annotations

import _thread
import sys
import threading

import pytest
import tasks
from waiting import sleepers

from interp_api import Doorbell, PoolQueue, SimpleQueue, decode, encode_call, ring, wait_at
from interp_api._wakeup import doorbell
from interp_pool import TaskInterrupted
from interp_pool._options.pool_options import PoolOptions
from interp_pool._process import thread_state
from interp_pool._wire.answer import get_answer
from interp_pool._wire.decoding import decode_failure
from interp_pool._wire.messages import (
    BOARD,
    DATA,
    INTERRUPT,
    MOST_INTERRUPTS,
    QUESTIONS,
    TASK,
    TASK_FAILED,
    VALUE,
    WORKER_LEAVING,
)
from interp_pool._worker import control_thread, running
from interp_pool._worker import loop as loop_module
from interp_pool._workers import handle


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
        is_control = cell == TASK and threading.get_ident() != self.owner
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
        self.calls, self.results, self.load_lock = PoolQueue(), PoolQueue(), SimpleQueue()
        self.load_lock.put(None)
        self.bell = Doorbell()
        self.board = kind([0] * len(BOARD))
        self._made = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self._made.wait(60)

    def _run(self):
        self.board.owner = threading.get_ident()
        self.control = control_thread.Control((self.bell.reader, self.bell.address), self.load_lock, self.board)
        self._made.set()
        try:
            self.is_fit = loop_module._serve_calls(self.calls, self.results, self.control, self.board, 7, 0, None)
        finally:
            self.control.end()

    def send(self, work_id, function, *args):
        self.calls.put((work_id, encode_call(function, args, {})))

    def interrupt(self, work_id):
        self.board[INTERRUPT] = work_id  # R1
        ring(self.bell.address)  # R2

    def ask(self, questions, work_id):
        """Ask where a task is; return the queue for the answer."""
        reply = SimpleQueue()
        questions.put((work_id, reply.id))
        self.board[QUESTIONS] = questions.id  # R1
        ring(self.bell.address)  # R2
        return reply

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
    assert loop.board[TASK] <= 0
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
    monkeypatch.setattr(running, "unpickled", lambda payload: (functions[payload], (), {}))
    loop.calls.put((1, 1))
    assert runs.wait(60)
    loop.interrupt(1)
    assert loop.board.reached.wait(60)  # between C1 and its strike, with the lock
    loop.calls.put((2, 2))
    ended.set()  # the task ends, and the loop waits for the lock at L4
    while list.__getitem__(loop.board, TASK) > 0:
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
    monkeypatch.setattr(running, "unpickled", lambda payload: (functions[payload], (), {}))
    loop.calls.put((1, 1))
    loop.calls.put((2, 2))
    assert runs.wait(60)
    assert loop.board[TASK] == 1
    loop.interrupt(1)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    assert loop.result() == (2, 1999)


def test_interrupt_of_another_task_strikes_nobody(loop):
    loop.interrupt(2)
    loop.send(1, tasks.identity, 5)
    assert loop.result() == (1, 5)


@pytest.fixture
def looked(request, monkeypatch):
    """A loop whose control thread has looked for requests (S1) and waits for them (S3) once it may go on."""
    looked, go = threading.Event(), threading.Event()
    wait_at = control_thread.wait_at

    def wait(reader):
        looked.set()
        assert go.wait(60)
        wait_at(reader)

    monkeypatch.setattr(control_thread, "wait_at", wait)
    loop = Loop(Board)
    assert looked.wait(60)
    yield loop, go
    del request.node.funcargs["looked"]  # its queues end before the leak check looks


def test_request_that_comes_between_the_look_and_the_wait_is_carried_out(looked):
    """The ring is kept until the wait begins."""
    loop, go = looked
    started = SimpleQueue()
    loop.send(1, tasks.spin, started)
    started.get(60)
    loop.interrupt(1)
    go.set()
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    loop.end()


@pytest.fixture
def held(loop, request, monkeypatch):
    """Task 1 waits in C, and the control thread, on its way to strike it, for its turn to load what it needs."""
    runs, end = threading.Event(), _thread.allocate_lock()
    end.acquire()

    def task_that_is_asked():
        runs.set()
        end.acquire()
        for _ in range(1000):
            pass

    monkeypatch.setattr(running, "unpickled", lambda payload: (task_that_is_asked, (), {}))
    monkeypatch.delitem(sys.modules, "interp_pool._process.thread_state")
    loop.load_lock.get(60)
    loop.calls.put((1, 1))
    assert runs.wait(60)
    loop.interrupt(1)
    while not sleepers(loop.load_lock):
        pass
    yield loop
    end.release()
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    del request.node.funcargs["held"]


def test_requests_that_come_while_another_one_is_carried_out_are_all_carried_out(held):
    questions = SimpleQueue()
    replies = [held.ask(questions, work_id) for work_id in (1, 2, 1, 1)]
    held.load_lock.put(None)
    answers = [get_answer(reply, 60) for reply in replies]
    assert [answer is None for answer in answers] == [False, True, False, False]  # the second one does not run


def test_questions_that_nobody_waits_for_any_more_are_in_nobodys_way(held):
    left = held.ask(SimpleQueue(), 1)
    questions = SimpleQueue()
    replies = [held.ask(questions, 1), held.ask(questions, 1)]
    held.load_lock.put(None)
    assert all(get_answer(reply, 60) for reply in replies)
    assert left.qsize() == 0
    del questions
    held.interrupt(1)  # not once more: it was carried out
    other = SimpleQueue()
    assert get_answer(held.ask(other, 1), 60)


def test_request_is_carried_out_once(loop, monkeypatch):
    """A second exception would strike what the task does about the first."""
    struck = SimpleQueue()
    actions = [lambda control, work_id: struck.put(work_id)] * len(control_thread._ACTIONS)
    monkeypatch.setattr(control_thread, "_ACTIONS", actions)
    for work_id in (1, 2, 3):
        loop.interrupt(work_id)
        assert struck.get(60) == work_id
        loop.interrupt(work_id)
    questions = SimpleQueue()
    for _ in range(2):
        get_answer(loop.ask(questions, 1), 60)  # so the last one was looked at
    assert struck.qsize() == 0


def test_end_comes_after_what_was_wanted_before(looked):
    loop, go = looked
    questions = SimpleQueue()
    loop.calls.put(None)
    while not loop.control._is_ending:
        pass
    reply = loop.ask(questions, 1)
    go.set()
    assert get_answer(reply, 60) is None
    loop.thread.join()


def test_interrupts_do_not_take_each_others_place():
    """A whole stack of tasks may be told to stop before the control thread has looked once."""
    worker = handle.Worker(0, PoolOptions(), PoolQueue(), PoolQueue())
    for work_id in range(1, MOST_INTERRUPTS + 1):
        worker.interrupt(work_id)
        worker.interrupt(work_id)  # no new request
    assert sorted(worker._cells[INTERRUPT : INTERRUPT + MOST_INTERRUPTS]) == [*range(1, MOST_INTERRUPTS + 1)]
    worker.interrupt(1)
    worker.interrupt(1000)
    assert {*worker._cells[INTERRUPT : INTERRUPT + MOST_INTERRUPTS]} == {*range(2, MOST_INTERRUPTS + 1), 1000}
    worker.thread = None  # it was not started, and keeps the worker


@pytest.mark.parametrize("kind", ["eventfd", "pipe"])
def test_rings_that_nobody_hears_keep_nobody_waiting(monkeypatch, kind):
    """A pipe takes some thousands."""
    if kind == "eventfd" and sys.platform != "linux":
        pytest.skip("Linux has these")
    monkeypatch.setattr(doorbell, "KIND", kind)
    worker = handle.Worker(0, PoolOptions(), PoolQueue(), PoolQueue())
    worker._bell = Doorbell()
    for _ in range(20_000):
        worker.interrupt(1)
    wait_at(worker._bell.reader)
    worker.thread = None  # it was not started, and keeps the worker


def test_control_threads_load_what_shares_a_table_one_at_a_time(loop, monkeypatch):
    """Two interpreters that import `_ctypes` at once: once in 100 a segmentation fault on 3.13, a TypeError on 3.15."""
    monkeypatch.delitem(sys.modules, "interp_pool._process.thread_state")
    started = SimpleQueue()
    loop.load_lock.get(60)
    loop.send(1, tasks.spin, started)
    started.get(60)
    loop.interrupt(1)
    while not sleepers(loop.load_lock):
        pass
    assert loop.board[TASK] == 1
    loop.load_lock.put(None)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)
    assert loop.load_lock.qsize() == 1


def test_exception_struck_outside_of_the_tasks_function_is_still_its_outcome(loop, monkeypatch):
    def struck(*_):
        raise TaskInterrupted

    monkeypatch.setattr(running, "_encode_result", struck)
    loop.send(1, tasks.identity, 5)
    work_id, error = loop.result()
    assert (work_id, type(error)) == (1, TaskInterrupted)


def test_exception_that_is_still_to_come_after_the_task_is_taken_back(loop, monkeypatch):
    """At L4 the exception may have been asked for and not been raised."""
    cleared = []
    raise_in_thread = thread_state.raise_in_thread
    monkeypatch.setattr(
        thread_state,
        "raise_in_thread",
        lambda thread_id, exception: (cleared.append(exception), raise_in_thread(thread_id, exception)),
    )

    def strike(*_):
        loop.control.struck = 1
        return (VALUE, 1, "done", 0.0)

    monkeypatch.setattr(loop_module, "run_task", strike)
    loop.send(1, tasks.identity, 5)
    assert loop.result() == (1, "done")
    assert cleared == [None]


def test_leftover_threads_are_not_counted_before_the_control_thread_is(monkeypatch):
    """It begins when the machine lets it, and until then what a task has left could be taken for it."""
    asked = threading.Event()
    start = control_thread._start_thread

    class Begun:
        """The lock that is held until the control thread runs; tells when somebody waits for it."""

        def __init__(self, lock):
            self.lock, self.release, self.locked = lock, lock.release, lock.locked

        def acquire(self):
            asked.set()
            self.lock.acquire()

    def start_late(serve):
        def wait_and_serve():
            assert asked.wait(60)
            serve()

        return start(wait_and_serve)

    monkeypatch.setattr(control_thread, "_start_thread", start_late)
    monkeypatch.setattr(control_thread, "_count_threads", lambda: 3 - control._begun.locked())
    bell, load_lock = Doorbell(), SimpleQueue()
    control = control_thread.Control((bell.reader, bell.address), load_lock, [0] * len(BOARD))
    control._begun = Begun(control._begun)
    try:
        assert control.leftover_threads == 2
        assert asked.is_set()
    finally:
        asked.set()
        control.end()
