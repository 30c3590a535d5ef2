"""The pool's core, driven directly: any order of what can happen, with its invariants after every event."""

from __future__ import annotations

import pytest
from cores import make_core, make_task, send, settle, take, top_up
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interp_pool._core.lease import Lease
from interp_pool._core.states import WORKER_TABLE, Instruction, InvalidTransition, PoolState, WorkerEvent
from interp_pool._core.task import TaskState


class Core(RuleBasedStateMachine):
    """Any order of events; and steps that were torn between two lines, after which there is an audit."""

    @initialize(most=st.integers(1, 4), least=st.integers(0, 1))
    def begin(self, most, least):
        self.core = make_core(most, least)
        self.core.add_wanted_workers(0.0)
        self.leases, self.stuck = [], set()
        self.is_torn = False

    def follow(self, instructions):
        """Do what the core asks for, as the pool does."""
        core = self.core
        for what, subject in instructions:
            if what is Instruction.STOP_WORKERS:
                core.workers.stop_sentinels += core.workers.unsentenced if subject is None else subject
            elif what is Instruction.FAIL_TASKS:
                for task in subject:
                    settle(task)
            elif what is Instruction.RELEASE_WORKERS:
                core.workers.release_all()
            elif what is Instruction.FORGET_WORKER:
                core.workers.forget(subject)
            elif what is Instruction.BREAK_POOL or (
                what is Instruction.DO_WITHOUT and not core.workers.active and core.is_alive
            ):
                self.follow(core.break_(RuntimeError()))
        for worker in core.workers.workers.values():
            worker.is_started = True

    def go_on(self):
        if self.core.is_alive:
            self.core.add_wanted_workers(0.0)
            top_up(self.core)
        self.follow(self.core.end_if_done())

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule()
    def submit(self):
        take(self.core)
        self.go_on()

    @precondition(lambda self: self.core.tasks.in_flight)
    @rule(data=st.data())
    def end_task(self, data):
        work_id = data.draw(st.sampled_from(sorted(self.core.tasks.in_flight)))
        task = self.core.tasks.in_flight[work_id]
        settle(task)
        del self.core.tasks.in_flight[work_id]
        self.core.tasks.note_duration(0.001)
        self.go_on()

    @precondition(lambda self: self.core.tasks.backlog)
    @rule(data=st.data())
    def cancel_task(self, data):
        task = data.draw(st.sampled_from([*self.core.tasks.backlog]))
        task.future.is_cancelled = self.core.tasks.has_cancelled = True
        for cancelled in self.core.tasks.take_cancelled():
            cancelled.end()
        self.go_on()

    @precondition(lambda self: self.core.workers.workers)
    @rule(data=st.data(), how=st.sampled_from([{}, {"took_sentinel": True}, {"is_retired": True}]))
    def hear_of_worker(self, data, how):
        worker = data.draw(st.sampled_from([*self.core.workers.workers.values()]))
        possible = [event for state, event in WORKER_TABLE if state is worker.state]
        event = data.draw(st.sampled_from(possible))
        if event is WorkerEvent.WORKER_STUCK:
            if self.core.tasks.in_flight:
                work_id = data.draw(st.sampled_from(sorted(self.core.tasks.in_flight)))
                self.core.workers.give_up(worker, work_id)
                settle(self.core.tasks.in_flight.pop(work_id))
        elif event is WorkerEvent.WORKER_DETACHED:
            if not self.core.is_alive:
                self.core.workers.leave_behind(worker)
        else:
            self.follow(self.core.worker_told(worker, event, **how if event is WorkerEvent.WORKER_LEAVING else {}))
        self.go_on()

    @precondition(lambda self: any(work_id > 0 for work_id in self.core.workers.stuck))
    @rule()
    def worker_comes_back(self):
        work_id = next(work_id for work_id in self.core.workers.stuck if work_id > 0)
        worker, instructions = self.core.worker_returned(work_id)
        assert (worker is None) == (self.core.state is PoolState.CLOSED)
        self.follow(instructions)
        self.go_on()

    @precondition(lambda self: self.core.workers.workers)
    @rule(data=st.data(), event=st.sampled_from(WorkerEvent))
    def illegal_event_changes_nothing(self, data, event):
        worker = data.draw(st.sampled_from([*self.core.workers.workers.values()]))
        before = worker.state, self.core.workers.active
        if (worker.state, event) not in WORKER_TABLE:
            with pytest.raises(InvalidTransition):
                self.core.worker_told(worker, event)
            assert (worker.state, self.core.workers.active) == before

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule()
    def lend(self):
        lease = Lease()
        self.leases.append(lease)
        self.core.workers.place(lease)
        if self.core.workers.surplus:
            self.core.workers.stop_sentinels += 1

    @precondition(lambda self: self.leases)
    @rule()
    def end_lease(self):
        self.leases[-1].is_over = True
        self.core.workers.leases.pop(self.leases.pop(), None)
        self.go_on()

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule(most=st.integers(1, 4))
    def resize(self, most):
        # Those that are too many end later, which `check` does not know.
        if most >= self.core.workers.max_workers:
            self.follow(self.core.resize(most, 0))
            self.go_on()

    @rule(extra=st.integers(0, 2))
    def relieve(self, extra):
        self.follow(self.core.relieve(extra))
        self.go_on()

    @rule()
    def shut_down(self):
        self.follow(self.core.ask_shutdown())
        self.go_on()

    @rule(data=st.data())
    def tear(self, data):
        """Leave a step in the middle, and have the books put right."""
        core = self.core
        kind = data.draw(st.sampled_from(["sent", "moved", "ended", "counted", "lease"]))
        lost = None
        if kind == "sent" and core.is_alive:
            lost = make_task()
            core.tasks.number(lost)  # and not placed: nobody has its future
        elif kind == "moved" and core.tasks.backlog:
            send(core, core.tasks.backlog[0])  # and is still in the backlog
        elif kind == "ended" and core.tasks.in_flight:
            settle(next(iter(core.tasks.in_flight.values())))
        elif kind == "counted":
            core.workers.active += 3
        elif kind == "lease" and self.leases:
            self.leases.pop().is_over = True
        assert core.audit(is_managed=True) == ([] if lost is None else [lost])
        self.go_on()

    @invariant()
    def books_agree(self):
        core = getattr(self, "core", None)
        if core is not None:
            core.check()
            assert all(task.state is not TaskState.ENDED for task in core.tasks.in_flight.values())
            assert all(task.state is TaskState.WAITING for task in core.tasks.backlog)

    def teardown(self):
        """Whatever happened, the pool can end."""
        if not hasattr(self, "core"):
            return
        core = self.core
        while self.leases:
            self.end_lease()
        self.shut_down()
        while not core.tasks.is_empty:
            settle(core.tasks.in_flight.popitem()[1])
            self.go_on()
        for worker in [*core.workers.workers.values()]:
            for event in (WorkerEvent.WORKER_READY, WorkerEvent.WORKER_LEAVING, WorkerEvent.WORKER_LEFT):
                if (worker.state, event) in WORKER_TABLE:
                    self.follow(core.worker_told(worker, event))
            self.follow(core.worker_told(worker, WorkerEvent.WORKER_ENDED))
            self.go_on()
        assert core.state is PoolState.CLOSED


TestCore = Core.TestCase


TestCore.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
