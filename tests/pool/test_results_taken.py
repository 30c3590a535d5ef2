"""Results of real tasks, which the manager or somebody who stands in for it takes."""

from __future__ import annotations

import textwrap
import threading
from concurrent.futures import wait

import pytest
import scripts
import tasks
from waiting import sleepers

from interp_pool import InterpreterPoolExecutor
from interp_pool._pool.manager import Manager


def test_manager_is_not_woken_for_a_result_that_somebody_waits_for(executor, gate, monkeypatch):
    (held,) = gate.hold(executor)
    pool = executor._pool
    while pool._kernel.results.qsize() or not sleepers(pool._kernel.results):
        pass  # until the manager sleeps
    dealt: list[None] = []
    carry_out = Manager.carry_out
    monkeypatch.setattr(Manager, "carry_out", lambda manager: (dealt.append(None), carry_out(manager)))

    def open_when_main_sleeps():
        while not (pool._kernel.reader._owner and sleepers(pool._kernel.results)):
            pass
        gate.open()

    opener = threading.Thread(target=open_when_main_sleeps)
    opener.start()
    assert held.result(60) is not None
    opener.join()
    assert not dealt


@pytest.mark.programs
def test_signal_handler_may_wait_for_the_manager_while_its_thread_stands_in(tmp_path):
    """It interrupts `result` of the main thread, submits, and shuts the pool down."""
    script = """
        import os, signal
        from interp_pool import InterpreterPoolExecutor

        def handle(*args):
            print(executor.submit(abs, -2).result(30))
            os.write(writer, b"x")
            executor.shutdown()

        if __name__ == "__main__":
            reader, writer = os.pipe()
            executor = InterpreterPoolExecutor(2)
            executor.submit(abs, -1).result()
            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            print(executor.submit(os.read, reader, 1).result())
    """
    assert scripts.run_text(tmp_path, textwrap.dedent(script)) == (0, "2\nb'x'\n", "")


def test_result_of_a_short_task_arrives_while_its_worker_is_in_a_long_one(gate):
    with InterpreterPoolExecutor(1) as executor:
        short = executor.submit(tasks.identity, 5)
        (long,) = gate.hold(executor)  # the only worker is in it
        assert short.result(60) == 5
        gate.open()
        assert long.result(60) is not None


def test_each_task_takes_one_message_each_way(executor):
    """No message is spent on anything else while tasks come and go."""
    pool = executor._pool
    wait([executor.submit(tasks.identity, n) for n in range(20)])  # the workers are there
    sent: list[object] = []
    put = pool._kernel.calls.queue.put_recorded

    class Calls:
        def __getattr__(self, name):
            return getattr(calls, name)

        def put_recorded(self, item, placed):
            sent.append(item)
            put(item, placed)

    calls, pool._kernel.calls.queue = pool._kernel.calls.queue, Calls()
    try:
        assert [executor.submit(tasks.identity, n).result(60) for n in range(50)] == list(range(50))
    finally:
        pool._kernel.calls.queue = calls
    assert [len(item) for item in sent] == [2] * 50
    assert pool._kernel.results.qsize() == 0
