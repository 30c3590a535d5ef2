"""Futures as a thread alone sees them: cheap until somebody watches, whatever strikes who finishes them."""

from __future__ import annotations

from concurrent.futures import InvalidStateError, as_completed, wait
from functools import partial

import pytest
from futures import running

from interp_pool._core.task import Task
from interp_pool._futures.claims import _CANCELS, finish_quietly, start
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._futures.task_future import TaskFuture
from interp_pool._futures.undecoded import Undecoded
from interp_pool._pool.outcomes import cancel, fail_broken, fail_stopped


def test_unwatched_future_finishes_quietly_and_answers_like_any_other():
    future = running()
    assert finish_quietly(future, 5)
    assert (future.result(0), future.exception(), future.done(), future.running(), future.cancelled()) == (
        5,
        None,
        True,
        False,
        False,
    )
    assert not future.cancel()
    assert wait([future]).done == {future} == set(as_completed([future]))
    with pytest.raises(InvalidStateError):
        future.set_result(6)


def test_future_with_a_callback_does_not_finish_quietly():
    future = running()
    called: list[object] = []
    future.add_done_callback(called.append)
    assert not finish_quietly(future, 5)
    assert future.running()
    future.set_result(5)
    assert called == [future]


def test_future_that_is_done_does_not_finish_quietly():
    future = running()
    future.set_result("mine")
    assert not finish_quietly(future, "another")
    assert future.result() == "mine"


def test_pending_future_starts_unless_it_was_cancelled():
    first, second = TaskFuture(), TaskFuture()
    assert start(first)
    assert start(first)
    assert first.running()
    second.cancel()
    assert not start(second)
    assert second.cancelled()


def test_result_that_does_not_come_in_time_raises_and_leaves_no_waiter():
    future = running()
    for timeout in (0, -1, 0.001):
        with pytest.raises(TimeoutError):
            future.result(timeout)
        with pytest.raises(TimeoutError):
            future.exception(timeout)
    assert future._waiters == []


class StruckOnce:
    """A waiter in whose own code an exception strikes, as a signal handler's would, when it first hears of the end."""

    def __init__(self):
        self.heard = 0

    def add_cancelled(self, future):
        self.heard += 1
        if self.heard == 1:
            raise InterruptedError

    add_result = add_exception = add_cancelled


@pytest.mark.parametrize(
    "end", [cancel, partial(fail_broken, cause="broken"), partial(fail_stopped, what="was not started")]
)
def test_waiters_that_a_strike_left_untold_are_told_when_the_pool_ends_the_task(end):
    future, waiters = TaskFuture(), [StruckOnce(), StruckOnce()]
    item = Task(future, pow, b"", control=TaskControl(reason=Reason.DEADLINE))
    waiters[1].heard = 1
    with future._condition:
        future._waiters.extend(waiters)
    with pytest.raises(InterruptedError):
        future.cancel()
    assert future.cancelled()
    assert waiters[1].heard == 1
    end(item)
    assert [waiter.heard for waiter in waiters] == [2, 2]


def test_who_begins_to_wait_for_a_future_that_is_done_is_not_told_again():
    """`concurrent.futures.wait` adds itself to futures that are done as well, and counts what it hears."""
    future = TaskFuture()
    item = Task(future, pow, b"")
    assert future.cancel()
    waiter = StruckOnce()
    with future._condition:
        future._waiters.append(waiter)
    item.end()
    assert waiter.heard == 0


def claimed(result):
    """A future whose finishing was struck after the first step."""
    future = running()
    future.__dict__["_fate"] = (result,)
    return future


def test_claim_that_a_strike_left_changes_nothing_for_readers():
    future = claimed(5)
    assert future.running()
    assert not future.done()


@pytest.mark.parametrize(
    "watch",
    [
        lambda future: wait([future], 60).done.pop(),
        lambda future: next(as_completed([future], 60)),
        lambda future: (future.add_done_callback(id), future)[1],
        lambda future: (future.result(60), future)[1],
    ],
    ids=["wait", "as_completed", "add_done_callback", "result"],
)
def test_claim_that_a_strike_left_is_carried_out_by_who_watches(watch):
    assert watch(claimed(5)).result(0) == 5


def test_claim_that_a_strike_left_is_carried_out_by_who_finishes_again():
    future = claimed(5)
    assert finish_quietly(future, 5)
    assert future.result(0) == 5
    assert "_pool" not in future.__dict__ or future.pool is None


@pytest.mark.parametrize("steps", range(4))
def test_claim_that_was_carried_out_in_part_is_carried_out(steps):
    future = claimed([5])
    future.__dict__.update([*{"_result": [5], "_state": "FINISHED", "_pool": None}.items()][:steps])
    assert wait([future], 60).done == {future}
    assert future.result(0) == [5]


def test_cancelling_that_a_strike_left_is_carried_out_by_who_watches():
    future = TaskFuture()
    future.__dict__["_fate"] = _CANCELS
    assert wait([future], 60).done == {future}
    assert future.cancelled()
    assert not start(future)


def test_watcher_that_comes_between_the_steps_of_who_finishes_finds_the_result():
    """A finalizer that the garbage collector runs there, in the same thread."""
    future, seen, entered = running(), [], []

    class Own(dict):
        def __setitem__(self, key, value):
            if key == "_result" and not entered:
                entered.append(True)
                seen.append(wait([future], 0).done)
            super().__setitem__(key, value)

    future.__dict__ = Own(future.__dict__)
    assert finish_quietly(future, 5)
    assert seen == [{future}]
    assert future.result(0) == 5


def test_outcome_that_two_threads_unpickle_is_the_same_object():
    outcomes = iter([([1], None), ([2], None)])
    future = running()
    future.finish_undecoded(Undecoded(lambda: next(outcomes), is_failure=False))
    undecoded = future.__dict__["_exception"]
    first = undecoded.decode()
    assert future.result() is first[0]
    assert undecoded.decode() is first
