"""A batch that another thread asks for its rest, as the control thread does."""

from __future__ import annotations

import sys
import threading

import pytest
from batch_runs import Clock, Run

from interp_pool._worker import batch


@pytest.mark.stress
def test_batch_asked_by_another_thread_at_any_moment_keeps_each_item_or_gives_it_back(stress, monkeypatch):
    monkeypatch.setattr(batch, "perf_counter", Clock())  # nothing takes long
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    begun, asked = threading.Semaphore(0), threading.Semaphore(0)
    runs = []

    def ask():
        while begun.acquire() and runs[-1] is not None:
            runs[-1].give_back()
            runs[-1].give_back()
            asked.release()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(300 * stress):
            run = Run([*range(200)], lambda _, item: sum(range(item % 7)))
            runs.append(run)
            begun.release()
            results, failures = run.go()
            asked.acquire()
            assert run.ran == [*range(len(results))]
            assert not failures
            assert run.kept == len(results)
    finally:
        sys.setswitchinterval(usual)
        runs.append(None)
        begun.release()
        asker.join()
