"""U1 to V2 of `_worker.control_thread`, with each order of the steps forced, in threads of this interpreter."""

from __future__ import annotations

import _thread
import threading

import pytest

from interp_api import Doorbell, SimpleQueue, ring
from interp_pool import TaskInterrupted
from interp_pool._process import thread_state
from interp_pool._wire.messages import BOARD, BURIED, BURIED_COUNT, INTERRUPT, STRUCK, TASK
from interp_pool._worker import control_thread


class Waiting:
    """A control thread, and a thread that does what one does whose task waits."""

    def __init__(self):
        self.load_lock, self.bell = SimpleQueue(), Doorbell()
        self.load_lock.put(None)
        self.board = [0] * len(BOARD)
        self.woken = threading.Event()

    def run(self, task):
        """Call a function with the control of a thread of its own; return what it returns."""
        results = []

        def main():
            control = control_thread.Control((self.bell.reader, self.bell.address), self.load_lock, self.board)
            try:
                results.append(task(control))
            finally:
                control.end()

        thread = threading.Thread(target=main)
        thread.start()
        thread.join(60)
        return results[0]

    def interrupt(self, *work_ids):
        self.board[INTERRUPT : INTERRUPT + len(work_ids)] = work_ids  # R1
        ring(self.bell.address)  # R2


@pytest.fixture
def waiting(request):
    yield Waiting()
    del request.node.funcargs["waiting"]  # its queues end before the leak check looks


def test_interrupt_of_a_task_that_waits_is_a_note_and_wakes_it(waiting):
    def task(control):
        waiting.board[TASK] = 5
        control.pause(waiting.woken.set)  # U1, U2
        waiting.interrupt(5)
        assert waiting.woken.wait(60)  # C2
        for _ in range(1000):
            abs(-1)  # nothing comes up here
        control.pausing = None  # V1
        with pytest.raises(TaskInterrupted):
            control.deliver()  # V2
        control.deliver()  # once alone
        return control.has_struck

    assert waiting.run(task)
    assert waiting.board[STRUCK]


def test_interrupt_of_a_buried_task_is_kept_until_it_is_on_top(waiting):
    def task(control):
        waiting.board[TASK] = 7
        waiting.board[BURIED], waiting.board[BURIED_COUNT] = 5, 1
        waiting.interrupt(5)
        while not waiting.board[STRUCK]:
            pass
        control.deliver()  # 7 is on top
        waiting.board[BURIED_COUNT], waiting.board[TASK] = 0, 5
        with pytest.raises(TaskInterrupted):
            control.deliver()
        return True

    assert waiting.run(task)


@pytest.mark.parametrize("work_ids", [(5, 7, 6), (7, 6, 5)])
def test_interrupts_of_a_whole_stack_that_come_at_once_are_all_carried_out(waiting, work_ids):
    def task(control):
        waiting.board[TASK] = 7
        waiting.board[BURIED : BURIED + 2], waiting.board[BURIED_COUNT] = [5, 6], 2
        control.pause(waiting.woken.set)
        waiting.interrupt(*work_ids)
        assert waiting.woken.wait(60)
        while control.owed != {5, 6, 7}:
            pass
        control.pausing = None
        return True

    assert waiting.run(task)


def test_interrupt_of_a_task_that_has_left_the_stack_strikes_nobody(waiting):
    def task(control):
        waiting.board[TASK] = 7
        waiting.interrupt(5)
        waiting.interrupt(0)
        control.pause(waiting.woken.set)
        control.pausing = None
        control.deliver()
        return control.owed

    assert waiting.run(task) == set()


def test_strike_that_was_decided_before_the_pause_comes_up_within_it(waiting, monkeypatch):
    """C2 has seen that nobody pauses; U1 comes; only then is the exception raised, while U2 waits for the lock."""
    reached, go = threading.Event(), threading.Event()
    raise_in_thread = thread_state.raise_in_thread

    def paused(ident, kind):
        if kind is not None:
            reached.set()
            assert go.wait(60)
        raise_in_thread(ident, kind)

    monkeypatch.setattr(thread_state, "raise_in_thread", paused)

    class Lock:
        """Lets the control thread go on when somebody waits for it."""

        def __init__(self):
            self._lock = _thread.RLock()

        def __enter__(self):
            if reached.is_set():
                go.set()
            return self._lock.__enter__()

        def __exit__(self, *exc_info):
            self._lock.__exit__(*exc_info)

        def release(self):
            self._lock.release()

    def task(control):
        control._lock = Lock()
        waiting.board[TASK] = 5
        waiting.interrupt(5)
        assert reached.wait(60)
        control.pause(waiting.woken.set)  # U1, and U2 waits
        control.pausing = None
        with pytest.raises(TaskInterrupted):
            control.deliver()
        control.clear_up()
        return control.owed

    assert waiting.run(task) == set()
