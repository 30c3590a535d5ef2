"""Queue against `queue.Queue`, operation by operation."""

from __future__ import annotations

import queue as stdlib_queue

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from interp_api import create_queue

ITEMS = st.one_of(st.none(), st.integers(), st.text(), st.tuples(st.integers(), st.text()), st.lists(st.booleans()))

KINDS = (stdlib_queue.Empty, stdlib_queue.Full, stdlib_queue.ShutDown, ValueError)


def outcome(function, *args):
    """Return what a call returned or the standard library's class of what it raised."""
    try:
        return function(*args)
    except KINDS as exc:
        return next(kind for kind in KINDS if isinstance(exc, kind))


class QueueMachine(RuleBasedStateMachine):
    @initialize(maxsize=st.integers(-1, 4))
    def create(self, maxsize):
        self.ours, self.model = create_queue(maxsize), stdlib_queue.Queue(maxsize)

    @rule(item=ITEMS)
    def put(self, item):
        assert outcome(self.ours.put_nowait, item) == outcome(self.model.put_nowait, item)

    @rule(item=ITEMS)
    def put_waiting(self, item):
        assert outcome(self.ours.put, item, True, 0.001) == outcome(self.model.put, item, True, 0.001)

    @rule()
    def get(self):
        assert outcome(self.ours.get_nowait) == outcome(self.model.get_nowait)

    @rule()
    def get_waiting(self):
        assert outcome(self.ours.get, True, 0.001) == outcome(self.model.get, True, 0.001)

    @rule()
    def finish(self):
        assert outcome(self.ours.task_done) == outcome(self.model.task_done)

    @rule()
    def join(self):
        if not self.model.unfinished_tasks:
            self.ours.join()

    @rule(immediate=st.booleans())
    def shut_down(self, immediate):
        self.ours.shutdown(immediate)
        self.model.shutdown(immediate)

    @invariant()
    def shows_the_same(self):
        ours, model = self.ours, self.model
        assert (ours.qsize(), ours.empty(), ours.full()) == (model.qsize(), model.empty(), model.full())
        assert ours._store.counter.is_zero() == (model.unfinished_tasks == 0)


def test_queue_does_what_the_standard_librarys_does():
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
