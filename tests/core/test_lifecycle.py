"""The pure tables: what can happen to a pool and to a worker."""

from __future__ import annotations

import pytest

from interp_pool._core.states import (
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


@pytest.mark.parametrize("missing", [("lost",), ("lost", "left")])
@pytest.mark.parametrize("state", [WorkerState.STARTING, WorkerState.READY])
def test_worker_that_cannot_tell_of_its_end_is_told_of_once_and_forgotten(state, missing):
    """For want of memory: what it tells first may be missing, and then the next as well."""
    events = {"lost": WorkerEvent.WORKER_LOST, "left": WorkerEvent.WORKER_LEFT, "ended": WorkerEvent.WORKER_ENDED}
    given = []
    for name, event in events.items():
        if name not in missing:
            state, instructions = step_worker(state, event)
            given.extend(instructions)
    assert state is WorkerState.DEAD
    assert given.count(Instruction.DO_WITHOUT) + given.count(Instruction.FAIL_LOST_TASK) == 1
    assert given[-1] is Instruction.FORGET_WORKER


def test_worker_that_cannot_start_does_not_break_the_pool_by_itself():
    _, instructions = step_worker(WorkerState.STARTING, WorkerEvent.WORKER_LOST)
    assert Instruction.DO_WITHOUT in instructions
    assert Instruction.BREAK_POOL not in instructions


def test_instructions_are_all_given():
    given = {
        instruction
        for table in (POOL_TABLE, WORKER_TABLE)
        for _, instructions in table.values()
        for instruction in instructions
    }
    assert given == set(Instruction)
