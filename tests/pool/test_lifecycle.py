"""The pure tables: what can happen to a pool and to a worker, in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interp_pool._lifecycle import (
    POOL_TABLE,
    WORKER_TABLE,
    Instruction,
    InvalidTransition,
    PoolEvent,
    PoolState,
    WorkerEvent,
    WorkerState,
    step_pool,
    step_worker,
)

MACHINES = [
    pytest.param(POOL_TABLE, step_pool, PoolState, PoolEvent, PoolState.RUNNING, id="pool"),
    pytest.param(WORKER_TABLE, step_worker, WorkerState, WorkerEvent, WorkerState.STARTING, id="worker"),
]


@pytest.mark.parametrize(("table", "step", "states", "events", "start"), MACHINES)
def test_step_with_any_state_and_event_follows_table_or_refuses(table, step, states, events, start):
    for state in states:
        for event in events:
            if (state, event) in table:
                assert step(state, event) == table[state, event]
            else:
                with pytest.raises(InvalidTransition, match=f"{state.name}.*{event.name}"):
                    step(state, event)


@pytest.mark.parametrize(("table", "step", "states", "events", "start"), MACHINES)
def test_table_every_state_is_reachable_and_every_event_is_used(table, step, states, events, start):
    reached = {start}
    while new := {after for (state, _), (after, _) in table.items() if state in reached} - reached:
        reached |= new
    assert reached == set(states)
    assert {event for _, event in table} == set(events)


@pytest.mark.parametrize("state", PoolState)
@pytest.mark.parametrize("event", [PoolEvent.SHUTDOWN_ASKED, PoolEvent.MANAGER_FAILED, PoolEvent.FORKED])
def test_pool_event_from_outside_is_possible_in_every_state(state, event):
    assert step_pool(state, event)


def test_instructions_are_all_given():
    given = {
        instruction
        for table in (POOL_TABLE, WORKER_TABLE)
        for _, instructions in table.values()
        for instruction in instructions
    }
    assert given == set(Instruction)


class PoolOfWorkers(RuleBasedStateMachine):
    """A pool and its workers, driven by what can really happen; instructions are followed as `_pool` does."""

    workers: dict[int, WorkerState]

    @initialize(count=st.integers(1, 4))
    def begin(self, count):
        self.pool = PoolState.RUNNING
        self.most = count
        self.workers = {}
        self.abandoned = set()  # which a pool does not wait for
        self.made = self.ends = self.tasks = 0

    def step_pool(self, event):
        self.pool, instructions = step_pool(self.pool, event)
        for instruction in instructions:
            if instruction is Instruction.FAIL_TASKS:
                self.tasks = 0
            elif instruction is Instruction.STOP_WORKERS:
                self.ends += len(self.active())
            elif instruction is Instruction.RELEASE_WORKERS:
                self.workers.clear()
            if instruction in (Instruction.RELEASE_WORKERS, Instruction.END_MANAGER):
                self.abandoned.clear()

    def step_worker(self, number, event):
        self.workers[number], instructions = step_worker(self.workers[number], event)
        for instruction in instructions:
            if instruction is Instruction.BREAK_POOL:
                self.step_pool(PoolEvent.INITIALIZER_FAILED)
            elif instruction is Instruction.FAIL_LOST_TASK:
                self.tasks = max(0, self.tasks - 1)
            elif instruction is Instruction.FORGET_WORKER:
                del self.workers[number]
        if event is WorkerEvent.WORKER_ABANDONED:
            self.abandoned.add(number)
            assert self.workers.pop(number) is WorkerState.ABANDONED
        elif event is WorkerEvent.WORKER_LEFT_BEHIND:
            assert self.workers.pop(number) is WorkerState.LEFT_BEHIND
        self.look()

    def look(self):
        if self.pool is PoolState.DRAINING and not self.tasks:
            self.step_pool(PoolEvent.WORK_FINISHED)
        if self.pool in (PoolState.STOPPING, PoolState.BROKEN) and not self.workers:
            self.step_pool(PoolEvent.WORKERS_GONE)

    def active(self):
        return [n for n, s in self.workers.items() if s in (WorkerState.STARTING, WorkerState.READY)]

    @precondition(lambda self: self.pool is PoolState.RUNNING)
    @rule()
    def submit(self):
        self.tasks += 1
        if len(self.workers) < self.most:
            self.workers[self.made] = WorkerState.STARTING
            self.made += 1

    @precondition(lambda self: self.tasks)
    @rule()
    def finish_task(self):
        self.tasks -= 1
        self.look()

    @rule()
    def shut_down(self):
        self.step_pool(PoolEvent.SHUTDOWN_ASKED)
        self.look()

    @rule()
    def fork(self):
        if self.made == 3:  # rare
            self.step_pool(PoolEvent.FORKED)
            self.tasks = 0
            self.workers.clear()

    @rule()
    def fail_manager(self):
        if self.made == 5:  # rare
            self.step_pool(PoolEvent.MANAGER_FAILED)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def hear_of_worker(self, data):
        number = data.draw(st.sampled_from(sorted(self.workers)))
        possible = [event for state, event in WORKER_TABLE if state is self.workers[number]]
        self.step_worker(number, data.draw(st.sampled_from(possible)))

    @precondition(lambda self: self.abandoned)
    @rule()
    def return_worker(self):
        number = self.abandoned.pop()
        self.workers[number] = WorkerState.ABANDONED
        self.step_worker(number, WorkerEvent.WORKER_RETURNED)
        assert self.workers[number] is WorkerState.READY

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def illegal_event_changes_nothing(self, data):
        number = data.draw(st.sampled_from(sorted(self.workers)))
        state = self.workers[number]
        event = data.draw(st.sampled_from(WorkerEvent))
        if (state, event) not in WORKER_TABLE:
            with pytest.raises(InvalidTransition):
                step_worker(state, event)

    @invariant()
    def closed_pool_owes_nothing(self):
        if getattr(self, "pool", None) is PoolState.CLOSED:
            assert not self.workers
            assert not self.tasks

    def teardown(self):
        """Whatever happened, the pool can end."""
        if not hasattr(self, "pool"):
            return
        self.shut_down()
        for number in list(self.workers):
            if self.workers.get(number) is WorkerState.STARTING:
                self.step_worker(number, WorkerEvent.WORKER_READY)
            if self.workers.get(number) is WorkerState.READY:
                self.step_worker(number, WorkerEvent.WORKER_LEAVING)
        while self.tasks:
            self.finish_task()
        for number in list(self.workers):
            if self.workers[number] is WorkerState.LEAVING:
                self.step_worker(number, WorkerEvent.WORKER_LEFT)
            self.step_worker(number, WorkerEvent.WORKER_ENDED)
        assert self.pool is PoolState.CLOSED


TestPoolOfWorkers = PoolOfWorkers.TestCase
TestPoolOfWorkers.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
