"""Who watches a future and who finishes it never miss each other, whichever comes first and whatever strikes."""

from __future__ import annotations

import threading
from concurrent.futures import as_completed, wait

import pytest
from futures import running

import interp_pool._futures.condition
from interp_pool._futures.claims import _CANCELS, cancel_unwatched, finish_quietly, start
from interp_pool._futures.task_future import TaskFuture


def test_cancelling_that_came_too_late_leaves_a_future_that_is_watched_and_finished_as_any_other():
    future = TaskFuture()
    future.__dict__["_fate"] = _CANCELS  # struck; and then the pool starts it
    assert start(future)
    assert not cancel_unwatched(future)
    waiting = threading.Thread(target=wait, args=([future], 60))
    waiting.start()
    while "_waiters" not in future.__dict__ or not future._waiters:
        pass
    assert finish_quietly(future, 5)
    waiting.join()
    assert future.result(0) == 5


@pytest.mark.stress
def test_watcher_and_finisher_that_meet_at_any_moment_do_not_miss_each_other(stress):
    for _ in range(200 * stress):
        future, barrier = running(), threading.Barrier(3)
        found = []

        def watch(future=future, barrier=barrier, found=found):
            barrier.wait()
            found.append(wait([future], 20).done)

        watchers = [threading.Thread(target=watch) for _ in range(2)]
        for watcher in watchers:
            watcher.start()
        barrier.wait()
        if not finish_quietly(future, 5):  # a watcher has just the condition
            future.set_result(5)
        for watcher in watchers:
            watcher.join()
        assert found == [{future}] * 2


@pytest.mark.stress
def test_only_one_of_start_and_cancel_comes_first(stress):
    for n in range(200 * stress):
        future, barrier, started = TaskFuture(), threading.Barrier(2), []

        def begin(future=future, barrier=barrier, started=started):
            barrier.wait()
            started.append(start(future))

        other = threading.Thread(target=begin)
        other.start()
        barrier.wait()
        is_cancelled = future.cancel() if n % 2 else cancel_unwatched(future)
        other.join()
        assert started == [not is_cancelled]
        assert future.running() != future.cancelled()


def leave_locked(future):
    """Have an exception strike where the standard library takes the conditions of several futures."""

    class Struck(Exception):
        pass

    class Strikes:
        @property
        def _condition(self):
            raise Struck

    with pytest.raises(Struck):
        wait_in_order([future, Strikes()])


def wait_in_order(futures):
    from concurrent.futures._base import _AcquireFutures

    acquire = _AcquireFutures([])
    acquire.futures = futures
    acquire.__enter__()


def test_condition_that_the_library_lost_is_replaced_and_nobody_waits_for_it():
    future = running()
    leave_locked(future)
    lost = future._condition._lock
    finisher = threading.Thread(target=future.set_result, args=(5,))
    finisher.start()
    finisher.join(30)
    assert not finisher.is_alive()
    assert future._condition._lock is not lost
    other = threading.Thread(target=wait, args=([future], 30))
    other.start()
    other.join(30)
    assert not other.is_alive()
    assert future.result(0) == 5
    lost.release()


def test_waiter_on_a_condition_it_lost_before_is_told():
    """The program catches the exception of its handler, and waits again."""
    future = running()
    leave_locked(future)
    lost = future._condition._lock
    finisher = threading.Thread(target=future.set_result, args=(5,))
    finisher.start()
    assert wait([future], 60).done == {future}
    finisher.join()
    while lost._is_owned():
        lost.release()


def notify(future):
    with future._condition:
        future._condition.notify_all()


USES = {
    "acquire": lambda future: future._condition.acquire() and future._condition.release(),
    "with": lambda future: future.add_done_callback(str),
    "wait": lambda future: wait([future], 0),
    "as_completed": lambda future: list(as_completed([future], 60)),
    "cancel": lambda future: future.cancel(),
    "notify": notify,
}


@pytest.mark.parametrize("use", USES)
def test_no_other_thread_waits_for_a_condition_that_the_library_lost(use):
    future = running()
    leave_locked(future)
    lost = future._condition._lock
    if use == "as_completed":
        threading.Thread(target=future.set_result, args=(5,)).start()
    others = [threading.Thread(target=USES[use], args=(future,)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert not any(other.is_alive() for other in others)
    with future._condition:  # of this thread, which has lost it: it has another lock by now
        assert future._condition._is_owned()
    assert not future._condition._is_owned()
    lost.release()


def test_condition_is_the_same_for_all_after_it_was_lost(monkeypatch):
    """Whoever finds it lost replaces the lock by the same one, however many there are."""
    monkeypatch.setattr(interp_pool._futures.condition, "LOOK", 0.001)
    future = running()
    leave_locked(future)
    lost, inside, most = future._condition._lock, [], []

    def use():
        for _ in range(50):
            with future._condition:
                inside.append(None)
                most.append(len(inside))
                inside.pop()

    others = [threading.Thread(target=use) for _ in range(8)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert set(most) == {1}
    lost.release()


@pytest.mark.parametrize("arguments", [(False,), (True, 0.01)])
def test_condition_that_is_taken_is_refused_in_time(arguments):
    future = running()
    found = []
    with future._condition:
        thread = threading.Thread(target=lambda: found.append(future._condition.acquire(*arguments)))
        thread.start()
        thread.join()
    assert found == [False]
    assert future._condition.acquire(*arguments)
    future._condition.release()


def test_condition_that_somebody_holds_for_long_is_waited_for(monkeypatch):
    """A handler interrupts `wait` between its look at the states and its entry among the waiters."""
    monkeypatch.setattr(interp_pool._futures.condition, "LOOK", 0.001)
    future = running()
    inside, leave = threading.Event(), threading.Event()

    class Slow(list):
        def append(self, waiter):
            inside.set()
            leave.wait(60)
            super().append(waiter)

    assert future._condition
    future.__dict__["_waiters"] = Slow()
    done = []
    waiting = threading.Thread(target=lambda: done.append(wait([future], 60).done))
    waiting.start()
    inside.wait(60)
    finisher = threading.Thread(target=future.set_result, args=(5,))
    finisher.start()
    finisher.join(0.1)
    assert not future.done()
    leave.set()
    waiting.join()
    finisher.join()
    assert done == [{future}]


def test_future_whose_condition_is_taken_does_not_finish_quietly():
    """The caller has the pool's lock, and the holder's signal handler may be asking for that."""
    future = running()
    finished = []
    with future._condition:
        thread = threading.Thread(target=lambda: finished.append(finish_quietly(future, 5)))
        thread.start()
        thread.join()
    assert finished == [False]
    assert future.running()
