"""Workers that cannot start: the others go on, and if there is none, nobody waits."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from concurrent.futures import wait

import pytest
import scripts
import tasks

import interp_api
from interp_pool import (
    BrokenInterpreterPool,
    InterpreterPoolExecutor,
    ResultPicklingError,
    WorkerLostError,
)
from interp_pool._pool import starting
from interp_pool._pool.starting import TRIES
from interp_pool._process.timer import timer
from interp_pool._wire.messages import PREPARED, TASK, WORKER_ENDED, WORKER_LEFT, WORKER_LOST, WORKER_READY
from interp_pool._workers import handle

SHORT = "not enough memory for another interpreter"


class Flaky:
    """A results queue that has no memory for some of the messages."""

    def __init__(self, queue, failing):
        self.id, self._queue, self._failing = queue.id, queue, failing

    def put(self, item):
        if self._failing.get(item[0], 0):
            self._failing[item[0]] -= 1
            raise MemoryError
        self._queue.put(item)


@pytest.fixture
def fail_obtain(monkeypatch):
    """Let some workers fail to get an interpreter, by the order in which they try."""

    def fail(is_failing):
        original, number = handle.obtain, itertools.count().__next__

        def obtain(options):
            if is_failing(number()):
                raise MemoryError(SHORT)
            return original(options)

        monkeypatch.setattr(handle, "obtain", obtain)

    return fail


@pytest.fixture
def make_flaky(monkeypatch):
    """Let all workers made from now on have too little memory for some messages: {kind: how many}."""

    def make(failing):
        original = handle.Worker.__init__

        def init(self, number, options, calls, results):
            original(self, number, options, calls, results)
            self._results = Flaky(results, failing)

        monkeypatch.setattr(handle.Worker, "__init__", init)

    return make


@pytest.mark.parametrize("works", [0, 2])
def test_worker_that_cannot_start_is_done_without(fail_obtain, gate, logged, works):
    fail_obtain(lambda number: number != works)
    with InterpreterPoolExecutor(3, reuse=False) as executor:
        futures = [executor.submit(tasks.identity, number) for number in range(20)]
        assert [future.result(60) for future in futures] == [*range(20)]
        executor._pool.check_invariants()
    assert len(logged) <= 1  # none if the others failed when nobody needed them any more
    for level, message, _ in logged:
        assert level == logging.WARNING
        assert message == f"a worker could not start: MemoryError: {SHORT}; the pool goes on with the others"


def test_first_task_does_not_wait_for_the_last_worker(monkeypatch):
    original, number, others_may_start = handle.obtain, itertools.count().__next__, threading.Event()

    def obtain(options):
        if number():
            assert others_may_start.wait(60)
        return original(options)

    monkeypatch.setattr(handle, "obtain", obtain)
    with InterpreterPoolExecutor(8) as executor:
        futures = [executor.submit(tasks.identity, n) for n in range(8)]
        assert [future.result(60) for future in futures] == [*range(8)]
        assert executor.statistics().workers_starting == 7
        others_may_start.set()


def test_start_that_failed_is_not_repeated_at_once(monkeypatch, gate, logged):
    started = []

    def start(self):
        started.append(self.number)
        if self.number:
            raise RuntimeError("can't start new thread")
        original(self)

    original = handle.Worker.start
    monkeypatch.setattr(handle.Worker, "start", start)
    monkeypatch.setattr(starting, "PAUSE", 1000.0)
    with InterpreterPoolExecutor(4) as executor:
        executor.submit(tasks.identity, 0).result(60)
        (held,) = gate.hold(executor)
        futures = [executor.submit(tasks.identity, number) for number in range(50)]
        gate.open()
        assert [future.result(60) for future in futures] == [*range(50)]
        held.result(60)
    assert 2 <= len(started) <= 4
    assert [message for _, message, _ in logged] == [
        "a worker could not start: can't start new thread; the pool goes on with the others"
    ]


def test_last_worker_is_tried_again_a_few_times(fail_obtain, logged):
    fail_obtain(lambda number: number < TRIES - 1)
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
    assert logged == []


def test_no_worker_that_can_start_breaks_the_pool_with_the_reason(fail_obtain, logged):
    submitted = threading.Event()  # the pool takes no tasks once it is broken
    fail_obtain(lambda number: submitted.wait(60))
    with InterpreterPoolExecutor(3, reuse=False) as executor:
        futures = [executor.submit(tasks.identity, number) for number in range(9)]
        submitted.set()
        for future in futures:
            with pytest.raises(BrokenInterpreterPool, match=f"a worker could not start: MemoryError: {SHORT}"):
                future.result(60)
    assert logged[-1][:2] == (logging.CRITICAL, "A worker could not start:")


def test_replacement_waits_for_what_another_worker_gives_back(fail_obtain, monkeypatch):
    """The first one's memory is what the second one lacks."""
    ended = threading.Event()
    original = handle.release

    def release(*args, **kwargs):
        original(*args, **kwargs)
        ended.set()

    monkeypatch.setattr(handle, "release", release)
    fail_obtain(lambda number: number and not ended.is_set())
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        assert [executor.submit(tasks.identity, number).result(60) for number in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    "failing",
    [
        {WORKER_LOST: 9},
        {WORKER_LOST: 9, WORKER_LEFT: 5},
        {WORKER_LOST: 1, WORKER_LEFT: 5, WORKER_ENDED: 5},
    ],
)
def test_worker_that_has_no_memory_to_tell_leaves_nobody_waiting(fail_obtain, make_flaky, logged, failing):
    make_flaky(dict(failing))
    fail_obtain(lambda number: True)
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        future = executor.submit(tasks.identity, 1)
        with pytest.raises(BrokenInterpreterPool, match="a worker could not start: "):
            future.result(60)


@pytest.mark.parametrize("has_task", [True, False])
def test_worker_lost_without_memory_to_tell_fails_its_task(monkeypatch, make_flaky, logged, has_task):
    make_flaky({WORKER_LOST: 99})
    original, numbers = handle.Worker._serve, itertools.count().__next__

    def serve(self, interpreter):
        if numbers():
            return original(self, interpreter)
        self._cells[PREPARED] = 1
        self._results._queue.put((WORKER_READY, self.number, None, 0.0))
        if has_task:
            self._cells[TASK] = self._calls.get()[0]
        raise MemoryError

    monkeypatch.setattr(handle.Worker, "_serve", serve)
    monkeypatch.setattr(handle.Worker, "_tell_loss", lambda self, work_id, exc: None)
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.identity, 1)
        if has_task:
            with pytest.raises(WorkerLostError, match=r"identity\(\): the worker ended and had no memory to say why"):
                future.result(60)
        else:
            assert future.result(60) == 1
        assert executor.submit(tasks.identity, 2).result(60) == 2
        executor._pool.check_invariants()


def test_workers_that_are_lost_before_they_have_a_task_break_the_pool_in_the_end(monkeypatch, logged):
    monkeypatch.setattr(starting, "PAUSE", 0.0)

    def serve(self, interpreter):
        self._cells[PREPARED] = 1
        self._results.put((WORKER_READY, self.number, None, 0.0))
        raise ValueError("of its own code")

    monkeypatch.setattr(handle.Worker, "_serve", serve)
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.identity, 1)
        with pytest.raises(BrokenInterpreterPool, match="a worker could not start: ValueError: of its own code"):
            future.result(60)


def test_no_thread_for_the_timer_does_not_end_the_pool(monkeypatch, logged):
    def call_at(*args):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched, InterpreterPoolExecutor(1, idle_timeout=1) as executor:
        patched.setattr(timer, "call_at", call_at)
        assert [executor.submit(tasks.identity, number).result(60) for number in range(3)] == [0, 1, 2]
    assert logged == []


LIMITED = """
import os, resource, sys
from interp_pool import InterpreterPoolExecutor

def task(number):
    return number

if __name__ == "__main__":
    {limit}
    outcomes = set()
    with InterpreterPoolExecutor(8, reuse=False) as executor:
        try:
            futures = [executor.submit(task, number) for number in range(60)]
        except Exception as exc:
            futures = []
            outcomes.add(type(exc).__name__)
        for future in futures:
            error = future.exception(50)
            outcomes.add("ok" if error is None else type(error).__name__)
    print(*sorted(outcomes))
"""
MEMORY = """
    used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + ({} << 20),) * 2)
"""
FILES = """
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + {},) * 2)
"""


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="where the limit is one on address space")
@pytest.mark.parametrize("mebibytes", [20, 60, 100, 200, 300, 400])
def test_little_memory_leaves_no_future_waiting_and_the_process_alive(tmp_path, mebibytes):
    script = LIMITED.format(limit=MEMORY.format(mebibytes))
    status, output, errors = scripts.run_text(tmp_path, script, options=())
    assert status == 0
    # With less than a worker may need, one can find no memory for its task, and is lost with it.
    assert set(output.split()) <= {"ok", "BrokenInterpreterPool", "WorkerLostError"}
    assert output == "ok\n" or mebibytes < 200
    assert "InvalidTransition" not in errors
    assert "manager thread" not in errors


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="where descriptors can be counted so")
@pytest.mark.parametrize("count", [0, 3, 6])
def test_few_descriptors_leave_no_future_waiting(tmp_path, count):
    """It is the end of the script that counts: its own main thread may lack one, too."""
    status, _, errors = scripts.run_text(tmp_path, LIMITED.format(limit=FILES.format(count)), options=())
    assert status == 0 or (status == 1 and "Too many open files" in errors)
    assert "InvalidTransition" not in errors


@pytest.mark.parametrize("times", [1, 99])
@pytest.mark.parametrize("waiter", ["stands in", "leaves it to the manager"])
def test_result_there_is_no_memory_for_ends_its_future_alone(single, monkeypatch, times, waiter):
    failing = iter(range(times))
    original = interp_api.decode

    def decode(payload):
        if next(failing, None) is not None:
            raise MemoryError
        return original(payload)

    with monkeypatch.context() as patched:
        patched.setattr(interp_api, "decode", decode)
        future = single.submit(tasks.identity, [1, 2])
        if waiter != "stands in":
            wait([future], 60)
        error = future.exception(60)
    if times == 1:
        assert error is None
        assert future.result() == [1, 2]
    else:
        assert type(error) is ResultPicklingError
        assert str(error) == "result could not be unpickled: MemoryError"
    assert single.submit(tasks.identity, [3]).result(60) == [3]
