"""Who takes the results: forced interleavings of the manager and of those that stand in for it.

T1 to T6 are the steps of `interp_pool._reader`.
"""

from __future__ import annotations

import textwrap
import threading
from concurrent.futures import wait

import pytest
import scripts
import tasks

from interp_api import SimpleQueue, _doorbell
from interp_api._cpython import queue_append, queue_count, queue_get
from interp_pool import InterpreterPoolExecutor
from interp_pool._reader import ResultReader


class Struck(BaseException):
    """What a signal handler raises."""


class Asleep:
    """A reader whose manager sleeps on the results queue."""

    def __init__(self):
        self.results = SimpleQueue()
        self.reader = ResultReader(self.results)
        self.bell = _doorbell.Doorbell()
        queue_append(self.results._sleepers, self.bell.address)

    def is_manager_rung(self):
        return self.bell.wait(0.0)

    def is_manager_asleep(self):
        """Its address is where a put finds it, once, and the turn is free."""
        return queue_count(self.results._sleepers) == 1 and not self.reader._turn.locked()

    def take_all(self):
        self.reader.fill(100)
        self.reader.inbox.clear()
        return True


@pytest.fixture
def asleep(request):
    made = Asleep()
    yield made
    while queue_count(made.results._sleepers):
        queue_get(made.results._sleepers)
    del request.node.funcargs["asleep"]  # its queues end before the leak check looks


def test_who_stands_in_takes_the_result_and_the_manager_sleeps_on(asleep):
    arrived: list[object] = []

    def advance():
        if not arrived:
            asleep.results.put("item")  # a worker's: it finds no sleeper
        asleep.reader.fill(100)
        arrived.extend(item[0] for item in asleep.reader.inbox)
        asleep.reader.inbox.clear()
        return True

    asleep.reader.stand_in(lambda: bool(arrived), advance, None, 0.0)
    assert arrived == ["item"]
    assert not asleep.is_manager_rung()
    assert asleep.is_manager_asleep()


def test_what_only_the_manager_may_do_rings_it(asleep):
    def advance():
        asleep.results.put("for the manager")
        asleep.reader.fill(100)
        return False

    asleep.reader.stand_in(lambda: False, advance, None, 0.0)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()
    asleep.reader.inbox.clear()


def test_item_that_comes_when_the_own_result_is_there_rings_the_manager(asleep):
    # It was put after T3 looked and before T5: its worker found no sleeper, so T6 has to ring.
    done: list[bool] = []

    def is_done():
        asleep.results.put("late")
        done.append(True)
        return True

    asleep.reader.stand_in(is_done, lambda: True, None, 0.0)
    assert asleep.is_manager_rung()


def test_nobody_stands_in_for_a_manager_that_is_awake():
    results = SimpleQueue()
    reader = ResultReader(results)
    reader.stand_in(lambda: False, lambda: pytest.fail("advanced"), None, 0.0)
    assert not reader._turn.locked()


def test_only_one_stands_in(asleep):
    asleep.reader._turn.acquire()
    asleep.reader.stand_in(lambda: False, lambda: pytest.fail("advanced"), None, 0.0)
    asleep.reader.with_turn(lambda: pytest.fail("called"))
    asleep.reader._turn.release()
    assert asleep.is_manager_asleep()


def test_time_that_is_up_ends_standing_in(asleep):
    asleep.reader.stand_in(lambda: False, asleep.take_all, 0.0, 0.0)
    assert asleep.is_manager_asleep()


@pytest.mark.parametrize("where", ["advance", "is_done", "wait"])
def test_who_is_struck_rings_the_manager_and_gives_the_turn_back(asleep, where, monkeypatch):
    def strike(*args, **kwargs):
        asleep.reader.inbox.append((("taken",), None))
        raise Struck

    calls = {"advance": lambda: True, "is_done": lambda: False}
    if where == "wait":
        monkeypatch.setattr(SimpleQueue, "wait", strike)
    else:
        calls[where] = strike
    with pytest.raises(Struck):
        asleep.reader.stand_in(calls["is_done"], calls["advance"], None, 0.0)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()


def test_who_is_struck_in_its_turn_rings_the_manager(asleep):
    def strike():
        raise Struck

    with pytest.raises(Struck):
        asleep.reader.with_turn(strike)
    assert asleep.is_manager_rung()
    assert not asleep.reader._turn.locked()


def test_manager_is_not_woken_for_a_result_that_somebody_waits_for(executor, gate, monkeypatch):
    (held,) = gate.hold(executor)
    pool = executor._pool
    while pool._results.qsize() or not queue_count(pool._results._sleepers):
        pass  # until the manager sleeps
    dealt: list[None] = []
    carry_out = pool._carry_out
    monkeypatch.setattr(pool, "_carry_out", lambda: (dealt.append(None), carry_out()))

    def open_when_main_sleeps():
        while not (pool._reader._owner and queue_count(pool._results._sleepers)):
            pass
        gate.open()

    opener = threading.Thread(target=open_when_main_sleeps)
    opener.start()
    assert held.result(60) is not None
    opener.join()
    assert not dealt


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
    put = pool._calls.put_recorded

    class Calls:
        def __getattr__(self, name):
            return getattr(calls, name)

        def put_recorded(self, item, placed):
            sent.append(item)
            put(item, placed)

    calls, pool._calls = pool._calls, Calls()
    try:
        assert [executor.submit(tasks.identity, n).result(60) for n in range(50)] == list(range(50))
    finally:
        pool._calls = calls
    assert [len(item) for item in sent] == [2] * 50
    assert pool._results.qsize() == 0
