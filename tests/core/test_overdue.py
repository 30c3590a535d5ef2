"""When a batch of a map is split: decisions over workers that are not there."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from interp_pool._core.core import PoolCore
from interp_pool._pool.overdue import Overdue, timer
from interp_pool._process.timer import Call
from interp_pool._wire.messages import SPLIT


class Worker:
    def __init__(self, task, seconds_running):
        self.task, self.seconds_running = task, seconds_running
        self.asked_for_rest_of = 0

    def give_back(self, work_id):
        assert self.asked_for_rest_of != work_id
        self.asked_for_rest_of = work_id


class Run:
    def __init__(self, is_all_sent):
        self.is_all_sent = is_all_sent

    def lateness(self, items):
        return 0.001 * items


def pool_with(*workers, most=2, flags=SPLIT, is_all_sent=True, promises=1, backlog=()):
    """Return a pool in which these workers run batches of five, and what it asks for."""
    run = Run(is_all_sent)
    in_flight = {
        worker.task: SimpleNamespace(flags=flags, count=5, future=SimpleNamespace(run=run))
        for worker in workers
        if worker.task
    }
    core = PoolCore(None, most, 0)
    core.tasks.in_flight.update(in_flight)
    core.tasks.backlog.extend(backlog)
    core.workers.workers.update(enumerate(workers))
    core.open_maps.update([run] if promises else [])
    kernel = SimpleNamespace(core=core, tasks=core.tasks, staff=core.workers, lock=threading.RLock())
    return Overdue(kernel)


def come(call):
    """Do what the timer does when the time has come."""
    function, call.function = call.function, None
    function()


def asked(pool):
    return [worker.asked_for_rest_of for worker in pool._kernel.staff.workers.values()]


def test_batch_that_is_late_is_asked_while_a_worker_is_idle():
    pool = pool_with(Worker(1, 0.006), Worker(0, None))
    assert pool._ask_for_rest() is None
    assert asked(pool) == [1, 0]
    assert pool._ask_for_rest() is None  # and not again, which `give_back` asserts


def test_batch_that_is_not_late_is_looked_at_again_when_it_is():
    pool = pool_with(Worker(1, 0.002), Worker(0, None))
    assert abs(pool._ask_for_rest() - 0.003) < 1e-9
    assert asked(pool) == [0, 0]


def test_batch_is_left_alone_while_no_worker_is_idle():
    pool = pool_with(Worker(1, 1.0), Worker(2, 1.0))
    assert pool._ask_for_rest() is None
    assert asked(pool) == [0, 0]


def test_batch_is_left_alone_while_tasks_wait():
    pool = pool_with(Worker(1, 1.0), Worker(0, None), backlog=(1,))
    assert pool._ask_for_rest() is None
    assert asked(pool) == [0, 0]


def test_batch_is_left_alone_while_its_map_has_others_to_send():
    pool = pool_with(Worker(1, 1.0), Worker(0, None), is_all_sent=False)
    assert pool._ask_for_rest() is None
    assert asked(pool) == [0, 0]


def test_batch_that_may_not_be_split_is_left_alone():
    pool = pool_with(Worker(1, 1.0), Worker(0, None), flags=0)
    assert pool._ask_for_rest() is None
    assert asked(pool) == [0, 0]


def test_all_late_batches_are_asked_when_one_worker_is_idle():
    pool = pool_with(Worker(1, 1.0), Worker(2, 1.0), Worker(0, None), most=3)
    assert pool._ask_for_rest() is None
    assert asked(pool) == [1, 2, 0]


def test_worker_that_could_be_started_counts_as_idle():
    pool = pool_with(Worker(1, 1.0))
    assert pool._ask_for_rest() is None
    assert asked(pool) == [1]


def test_batch_that_no_worker_has_begun_is_looked_for_less_and_less():
    pool = pool_with(Worker(0, None))
    pool._kernel.tasks.in_flight[7] = SimpleNamespace(
        flags=SPLIT, count=5, future=SimpleNamespace(run=next(iter(pool._kernel.core.open_maps)))
    )
    waits = [pool._ask_for_rest() for _ in range(12)]
    assert waits == sorted(waits)
    assert waits[0] < 0.01
    assert waits[-1] == waits[-2] <= 0.1


def test_nothing_is_looked_at_without_a_map():
    pool = pool_with(Worker(1, 1.0), Worker(0, None), promises=0)
    assert pool._ask_for_rest() is None
    assert asked(pool) == [0, 0]


def test_batches_sent_while_a_look_is_due_share_one_more(monkeypatch):
    pool, looks = pool_with(), []
    monkeypatch.setattr(timer, "call_at", lambda _when, look: looks.append(Call(look)) or looks[-1])
    for _ in range(3):
        pool.watch_batches()
    assert len(looks) == 1
    come(looks[0])  # none of them runs any more, but one that was sent after the first may be on its way
    assert len(looks) == 2
    come(looks[1])
    assert len(looks) == 2
    assert not pool.is_looking


def test_look_that_has_come_before_it_was_noted_keeps_no_other_away(monkeypatch):
    pool, looks = pool_with(), []

    def call_at(_when, look):
        looks.append(Call(look))
        if len(looks) == 1:
            come(looks[0])  # the timer is quicker than who asks it
        return looks[-1]

    monkeypatch.setattr(timer, "call_at", call_at)
    pool.watch_batches()
    assert not pool.is_looking
    pool.watch_batches()
    assert len(looks) == 2
    assert pool.is_looking
