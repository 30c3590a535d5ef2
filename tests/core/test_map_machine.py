"""Batches of a map in every order of events: each item runs once, and the results come in order.

The real map and its futures, over a model of the pool and its workers: no interpreter and no thread. Who waits for a
future has the model go on until that has something.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from unittest import mock

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import interp_api
from interp_pool import WorkerLostError
from interp_pool._executor.map_run import MapRun
from interp_pool._executor.results import chained
from interp_pool._futures.claims import start_new
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._pool import outcomes
from interp_pool._pool.kernel import Kernel
from interp_pool._pool.outcomes import fail_lost, settle, settle_quietly
from interp_pool._wire.messages import BATCH_DONE, BATCH_PART, BATCH_REST, SPLIT

LOST = -1


class Batch:
    """What a worker does with a batch: items before `kept` are begun here, the others were given back."""

    def __init__(self, item):
        self.item = item
        self.items = list(item.future.items)
        self.begun = self.sent = 0
        self.kept = len(self.items)


class Pool:
    """The part of a pool that a map sees, and its workers."""

    max_workers = 2
    logs_unread = True
    books = SimpleNamespace(is_dirty=False)

    def __init__(self):
        self.core, self.todo = SimpleNamespace(open_maps=set()), deque()
        self.calls, self.running, self.messages = deque(), [], deque()
        self.ran = []
        self.in_flight = set()
        self.sizes = []

    def open_map(self, run, _open_tasks):
        self.core.open_maps.add(run)
        run.is_open = True

    def close_map(self, run, _open_tasks):
        self.core.open_maps.discard(run)
        run.is_open = False

    def submit(self, item):
        start_new(item.future)
        self.sizes.append(item.count)
        self.in_flight.add(item)
        self.calls.append(Batch(item))

    def watch_batches(self):
        """The model asks when it likes."""

    def recall(self, futures):
        """Cancel what is in the calls queue, which is the timer's part."""
        wanted = set(map(id, futures))
        for batch in [batch for batch in self.calls if id(batch.item.future) in wanted]:
            self.calls.remove(batch)
            self.in_flight.discard(batch.item)
            batch.item.future.cancel_sent()
            batch.item.future.run.note_done(batch.item.future, 0, 0.0)

    def note_cancelled(self):
        """Nothing is in the backlog."""

    def call_manager(self):
        """There is none."""

    def stand_in(self, future, _deadline):
        while not future.has_arrived():
            assert self.go_on(), "who waits here waits for ever"
            future.run.feed()

    def go_on(self):
        """Have the next thing happen; return whether there is any."""
        if self.messages:
            self.deliver()
        elif self.running:
            self.work(0, 1 << 20)
        elif self.calls:
            self.begin()
        else:
            return self.manage()
        return True

    def begin(self):
        if self.calls and len(self.running) < self.max_workers:
            self.running.append(Batch(self.calls.popleft().item))

    def work(self, number, count):
        """Have a worker run some items; it sends a part, or its last results."""
        batch = self.running[number % len(self.running)]
        end = min(batch.begun + count, batch.kept)
        self.ran.extend(batch.items[batch.begun : end])
        start, results = batch.sent, batch.items[batch.sent : end]
        batch.begun = batch.sent = end
        if end == batch.kept:
            self.running.remove(batch)
            if batch.kept < len(batch.items):
                self.messages.append((BATCH_REST, batch.item, batch.kept))
        kind = BATCH_DONE if end == batch.kept else BATCH_PART
        self.messages.append((kind, batch.item, interp_api.encode((start, results, {}), share=False)))

    def ask(self, number):
        batch = self.running[number % len(self.running)]
        if batch.item.flags & SPLIT and batch.kept > batch.begun:
            batch.kept = batch.begun + 1  # it is in the middle of one
            self.messages.append((BATCH_REST, batch.item, batch.kept))

    def lose(self, number):
        batch = self.running.pop(number % len(self.running))
        self.messages.append((LOST, batch.item, None))

    def deliver(self, *, is_again=False):
        """Deal with a message; again: after somebody left it unfinished, as its future was not free just then."""
        kind, item, body = self.messages.popleft()
        assert item in self.in_flight
        run = item.future.run
        if kind == BATCH_REST:
            Kernel.note_rest(self, item, body, 0.01)
        elif kind == LOST:
            run.note_done(item.future, 0, 0.0)
            fail_lost(item, "it is gone")
        elif not item.is_ended:
            if is_again:
                with mock.patch.object(outcomes, "finish_quietly", return_value=False):
                    settle_quietly(item, kind, body)
                settle(item, kind, body)
            else:
                assert settle_quietly(item, kind, body)
        if kind in (BATCH_DONE, LOST):
            self.in_flight.discard(item)
            run.note_done(item.future, item.count, 1e-6 * item.count)
            if kind == LOST:
                run._measured.pop()
            if run in self.core.open_maps:
                self.todo.append(run.feed)

    def manage(self):
        """Do what the manager owes; return whether there was anything."""
        had = bool(self.todo)
        while self.todo:
            self.todo.popleft()()
        return had


class MapMachine(RuleBasedStateMachine):
    @initialize(count=strategies.integers(0, 150), is_lazy=strategies.booleans())
    def begin_map(self, count, is_lazy):
        self.pool = Pool()
        self.count, self.taken = count, []
        self.is_closed = self.has_lost = False
        items = (each for each in range(count)) if is_lazy else range(count)
        self.run = MapRun(self.pool, None, lambda *_, **__: b"1", abs, (items,), None, None, NO_OPTIONS)
        self.results = chained(self.run.parts(None, None))

    @precondition(lambda self: self.pool.calls)
    @rule()
    def begin(self):
        self.pool.begin()

    @precondition(lambda self: self.pool.running)
    @rule(number=strategies.integers(0, 3), count=strategies.sampled_from([1, 2, 5, 100]))
    def work(self, number, count):
        self.pool.work(number, count)

    @precondition(lambda self: self.pool.running)
    @rule(number=strategies.integers(0, 3))
    def ask(self, number):
        self.pool.ask(number)

    @precondition(lambda self: self.pool.running and not self.has_lost and len(self.pool.ran) > 60)
    @rule(number=strategies.integers(0, 3))
    def lose(self, number):
        self.has_lost = True
        self.pool.lose(number)

    @precondition(lambda self: self.pool.messages)
    @rule(is_again=strategies.booleans())
    def deliver(self, is_again):
        self.pool.deliver(is_again=is_again)

    @precondition(lambda self: self.pool.todo)
    @rule()
    def manage(self):
        self.pool.manage()

    @rule()
    def feed(self):
        self.run.feed()

    @precondition(lambda self: not self.is_closed)
    @rule(count=strategies.integers(1, 20))
    def take(self, count):
        for _ in range(count):
            try:
                self.taken.append(next(self.results))
            except (StopIteration, WorkerLostError):
                self.is_closed = True
                return

    @precondition(lambda self: len(self.taken) > 20 and not self.is_closed)
    @rule()
    def close(self):
        self.is_closed = self.has_lost = True
        self.results.close()

    @invariant()
    def results_are_in_order(self):
        assert self.taken == [*range(len(self.taken))]

    @invariant()
    def nothing_runs_twice(self):
        assert len(self.pool.ran) == len(set(self.pool.ran))

    def teardown(self):
        if not hasattr(self, "run"):
            return
        while self.pool.go_on():  # consumed or not, everything runs
            pass
        assert not self.pool.core.open_maps
        assert not self.pool.in_flight
        self.nothing_runs_twice()
        if self.has_lost:
            self.results.close()
            return
        assert sorted(self.pool.ran) == [*range(self.count)]
        while not self.is_closed:
            self.take(1)
        assert self.taken == [*range(self.count)]


MapMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestMapMachine = MapMachine.TestCase


def map_of(items):
    pool = Pool()
    return pool, MapRun(pool, None, lambda *_, **__: b"1", abs, (items,), None, None, NO_OPTIONS)


def test_tiny_items_behind_the_first_ones_go_in_one_message():
    pool, run = map_of(range(22))
    assert list(chained(run.parts(None, None))) == [*range(22)]
    assert pool.sizes == [1, 1, 1, 1, 18]


def test_feeding_without_news_looks_at_nothing(monkeypatch):
    pool, run = map_of(range(1000))
    looks, cut_all = [], run._cut_all
    monkeypatch.setattr(run, "_cut_all", lambda: looks.append(cut_all()))
    run.feed()
    assert looks == []
    pool.begin()
    pool.work(0, 1)
    pool.deliver()
    run.feed()
    run.feed()
    assert len(looks) == 1
    run.drop()
