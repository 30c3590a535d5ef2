"""The one way in for a lock, and waiting for a change."""

from __future__ import annotations

import threading

import pytest

from interp_pool._process.locks import WaitList, start_thread, trying


def test_lock_that_another_thread_holds_is_not_waited_for_by_trying():
    lock = threading.RLock()
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    assert not trying(lock, lambda: pytest.fail("taken"))
    done.set()
    thread.join()
    taken = []
    assert trying(lock, lambda: taken.append(True))
    assert taken


def test_who_enters_before_the_look_misses_no_change():
    """The two orders of a look and a change: what is done after `enter` is seen at the next look."""
    waiting, done = WaitList(), []
    woken = []

    def wait():
        while True:
            waiter = waiting.enter()
            if done:
                woken.append(True)
                return
            waiter.acquire(timeout=60)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    done.append(True)
    waiting.wake_all()
    for thread in threads:
        thread.join(60)
    assert len(woken) == 4


@pytest.mark.parametrize("held", [0, 1])
def test_start_that_is_struck_at_the_list_of_threads_leaves_its_lock_as_it_was(monkeypatch, held):
    lock = threading._active_limbo_lock

    def struck(_thread):
        lock.acquire()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", struck)
    for _ in range(held):
        lock.acquire()
    try:
        with pytest.raises(KeyboardInterrupt):
            start_thread(threading.Thread())
        assert lock._recursion_count() == held
    finally:
        for _ in range(lock._recursion_count()):
            lock.release()
