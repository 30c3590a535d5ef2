"""Every way a future starts and ends, in any order: what is done has told everybody who waits."""

from __future__ import annotations

from concurrent.futures import InvalidStateError

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interp_pool._core.task import Task
from interp_pool._futures.claims import cancel_unwatched, finish_quietly, start
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._futures.task_future import TaskFuture
from interp_pool._pool.outcomes import call_off, cancel, fail_broken, fail_lost, fail_stopped, settle, settle_quietly
from interp_pool._wire.messages import DATA, TASK_FAILED, VALUE


class Ear:
    """A waiter as `concurrent.futures.wait` installs one: it hears how the future ended."""

    def __init__(self):
        self.heard: list[str] = []

    def add_result(self, future):
        self.heard.append("result")

    def add_exception(self, future):
        self.heard.append("exception")

    def add_cancelled(self, future):
        self.heard.append("cancelled")


FAILURE = (None, (), "ValueError", "ValueError", "builtins", "no", "ValueError: no", "Traceback", None)


class FutureMachine(RuleBasedStateMachine):
    """One task; its user, the pool and the timer do with it what they like."""

    def __init__(self):
        super().__init__()
        self.future = TaskFuture()
        self.item = Task(self.future, pow, b"", control=TaskControl(reason=Reason.DEADLINE))
        self.ears: list[Ear] = []
        self.late: list[Ear] = []
        self.calls: list[TaskFuture] = []
        self.hopes = 0

    @rule()
    def wait(self):
        """As `concurrent.futures.wait` does, which has also the futures that are done wake it."""
        ear = Ear()
        with self.future._condition:
            (self.late if self.future.done() else self.ears).append(ear)
            self.future._waiters.append(ear)

    @rule()
    def add_callback(self):
        self.future.add_done_callback(self.calls.append)
        self.hopes += 1

    @rule()
    def user_cancels(self):
        was_running = self.future.running()
        was_done = self.future.done()
        assert self.future.cancel() == self.future.cancelled()
        assert self.future.cancelled() or was_running or was_done

    @rule()
    def pool_starts(self):
        assert start(self.future) == self.future.running()

    @rule()
    def pool_cancels(self):
        cancel(self.item)

    @rule()
    def pool_cancels_what_nobody_watches(self):
        cancel_unwatched(self.future)

    @rule()
    def worker_has_not_got_it(self):
        call_off(self.item)

    @rule(how=strategies.sampled_from([fail_broken, fail_lost, fail_stopped]))
    def pool_fails_it(self, how):
        if how is fail_lost and not self.future.running():
            return  # a worker only loses what it runs
        how(self.item, FAILURE if how is fail_lost else "was not started")
        assert self.future.done()

    @precondition(lambda self: self.future.running())
    @rule(
        message=strategies.sampled_from([(VALUE, 5), (DATA, b"\x80\x05]."), (TASK_FAILED, FAILURE)]),
        quietly=strategies.booleans(),
    )
    def result_comes(self, message, quietly):
        if not (quietly and settle_quietly(self.item, *message)):
            settle(self.item, *message)
        assert self.future.done()

    @rule()
    def somebody_else_finishes_it(self):
        was_done = self.future.done()
        try:
            self.future.set_result("mine")
        except InvalidStateError:
            assert was_done
        else:
            assert not was_done

    @precondition(lambda self: self.future.running())
    @rule()
    def it_finishes_quietly(self):
        finish_quietly(self.future, 6)

    @invariant()
    def what_is_done_has_told_everybody_once(self):
        done = self.future.done()
        assert not any(ear.heard for ear in self.late)
        for ear in self.ears:
            assert len(ear.heard) == done
        if done:
            heard = {each for ear in self.ears for each in ear.heard}
            failed = not self.future.cancelled() and self.future.exception(0) is not None
            assert heard <= {"cancelled" if self.future.cancelled() else "exception" if failed else "result"}
            assert len(self.calls) == self.hopes
        else:
            assert not self.calls


TestFuture = FutureMachine.TestCase
