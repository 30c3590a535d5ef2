"""Interrupts and timeouts by the thousand: every future ends, every worker answers rightly, memory stays flat."""

from __future__ import annotations

import random
from collections import Counter, deque
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor, TaskInterrupted

STATM = Path("/proc/self/statm")
SHORT, LONG = 450, 30_000  # tasks; a third of them is interrupted, a third times out
ALLOWED = 32 * 1024 * 1024  # bytes
OUTSTANDING = 40

LENGTHS = [SHORT, pytest.param(LONG, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]


def resident():
    return int(STATM.read_text().split()[1]) * 4096 if STATM.exists() else 0


def run(executor, count, choice):
    """Submit tasks of three kinds; return how they ended."""
    ends = Counter()
    limited = executor.options(timeout=1e-4)
    outstanding = deque()

    def take():
        n, kind, future = outstanding.popleft()
        try:
            assert future.result(60) == n
            ends[kind, "result"] += 1
        except (TaskInterrupted, CancelledError, TimeoutError) as exc:
            ends[kind, type(exc).__name__] += 1

    for n in range(count):
        kind = n % 3
        if kind == 0:
            future = executor.submit(tasks.identity, n)
        elif kind == 1:
            future = executor.submit(tasks.spend_and_return, choice.choice([0.0, 1e-4, 3e-3, 1e-2]), n)
        else:
            future = limited.submit(tasks.spend_and_return, choice.choice([0.0, 1e-4, 2e-2]), n)
        outstanding.append((n, kind, future))
        if kind == 1:
            victims = [future for _, kind, future in outstanding if kind == 1 and not future.done()]
            if victims:
                choice.choice([victims[0], victims[-1]]).interrupt(0.0)
        while len(outstanding) > choice.randrange(OUTSTANDING):
            take()
    while outstanding:
        take()
    return ends


@pytest.mark.parametrize("count", LENGTHS)
def test_interrupts_and_timeouts_by_the_thousand(count):
    choice = random.Random(count)
    with InterpreterPoolExecutor(2) as executor:
        run(executor, SHORT, choice)
        before = resident()
        ends = run(executor, count, choice)
        assert sum(ends.values()) == count
        assert ends[0, "result"] == count // 3  # nobody's exception hit another task
        assert ends[1, "TaskInterrupted"]
        assert ends[2, "TimeoutError"]
        assert [executor.submit(tasks.identity, n).result(60) for n in range(100)] == [*range(100)]
        executor._pool.check_invariants()
        statistics = executor.statistics()
        assert statistics.tasks_waiting == statistics.tasks_sent == statistics.tasks_running == 0
        assert resident() - before < ALLOWED
