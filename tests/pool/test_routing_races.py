"""Two pools that are one: callbacks, signal handlers and interrupts between a pool and its fallback."""

from __future__ import annotations

import signal
import sys
import threading

import pytest
import routed_tasks
import tasks

from interp_pool import BrokenInterpreterPool, InterpreterPoolExecutor, TaskInterrupted


def test_callbacks_of_either_may_submit_to_the_other_although_the_backlog_is_full():
    with InterpreterPoolExecutor(1, fallback="thread", route=["routed_tasks"], max_backlog=1) as executor:
        lock, ended = threading.Lock(), threading.Event()
        left, unfinished = [3000], [0]

        def submit(function, then):
            with lock:
                unfinished[0] += 1

            def go_on(future):
                for _ in range(20):
                    with lock:
                        left[0] -= 1
                        is_enough = left[0] <= 0
                    if not is_enough:
                        submit(*then)
                with lock:
                    unfinished[0] -= 1
                    if not unfinished[0]:
                        ended.set()

            executor.submit(function, 1).add_done_callback(go_on)

        there, here = [routed_tasks.echo, None], [tasks.identity, None]
        there[1], here[1] = here, there
        with lock:
            unfinished[0] += 1  # this thread's own
        submit(*there)
        submit(*here)
        with lock:
            unfinished[0] -= 1
            if not unfinished[0]:
                ended.set()
        assert ended.wait(60)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGALRM")
def test_signal_handler_may_submit_in_the_middle_of_a_step_of_the_fallback(request):
    """The manager takes the lock of the one, then of the other, at the same time."""
    with InterpreterPoolExecutor(1, fallback="thread") as executor:
        executor.submit(tasks.identity, 1).result(60)
        futures = []
        previous = signal.signal(signal.SIGALRM, lambda *_: futures.append(executor.submit(tasks.identity, 2)))
        request.addfinalizer(lambda: signal.signal(signal.SIGALRM, previous))
        kernel, other = executor._pool._kernel, executor._pool._fallback._kernel
        arrived = threading.Event()
        original = kernel.routing.give

        def give(*args):
            arrived.set()
            original(*args)

        class Routing:
            def __getattr__(self, name):
                return give if name == "give" else getattr(routing, name)

        routing, kernel.routing = kernel.routing, Routing()
        moved = executor.submit(routed_tasks.echo, 3)

        def step():
            assert arrived.wait(60)  # the manager wants this lock
            signal.raise_signal(signal.SIGALRM)

        other.step(step)
        kernel.routing = routing
        assert moved.result(60) == 3
        assert futures[0].result(60) == 2


@pytest.mark.programs
@pytest.mark.usefixtures("helpers_of_multiprocessing")
class TestReplacedProcess:
    """What comes after a process that was killed."""

    def test_initializer_that_fails_in_it_breaks_the_pool(self, tmp_path, door):
        path = str(tmp_path / "once")
        with InterpreterPoolExecutor(1, fallback="process", initializer=routed_tasks.once, initargs=(path,)) as made:
            stopped = made.submit(routed_tasks.spin, door.names[0])
            door.wait()
            assert stopped.interrupt(60)
            with pytest.raises(BrokenInterpreterPool, match="the second time"):
                made.submit(routed_tasks.place).result(60)

    def test_interrupt_while_it_starts_strikes(self, tmp_path, door, second_door):
        marker = tmp_path / "ran"
        with InterpreterPoolExecutor(1, fallback="process", initializer=routed_tasks.hold, initargs=door.names) as made:
            first = made.submit(routed_tasks.spin, second_door.names[0])
            door.wait()
            door.open()
            second_door.wait()
            waits = made.submit(routed_tasks.touch, str(marker))
            assert first.interrupt(60)
            assert isinstance(first.exception(60), TaskInterrupted)
            door.wait()  # the other process is starting
            waits.interrupt(60)
            door.open()
            assert waits.cancelled() or isinstance(waits.exception(60), TaskInterrupted)
        assert not marker.exists()

    def test_initializer_may_go_by_value(self):
        def initialize():
            import _curses  # noqa: F401  # which moves it

        with InterpreterPoolExecutor(1, fallback="process", initializer=initialize) as made:
            assert made.submit(pow, 2, 3).result(60) == 8
