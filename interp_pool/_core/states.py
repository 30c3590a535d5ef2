"""The states of a pool and of a worker, and what each event leads to: pure tables.

`step(state, event)` is the only way a state changes. It touches nothing: it returns the next state and the instructions
for the caller to carry out, in their order. An event the table does not list for a state raises InvalidTransition and
changes nothing.
"""

from enum import Enum, auto


class PoolState(Enum):
    """What a pool does with tasks."""

    RUNNING = auto()
    """Takes tasks."""
    DRAINING = auto()
    """Was shut down; finishes what it took."""
    STOPPING = auto()
    """Has nothing left to do; its workers are ending."""
    BROKEN = auto()
    """Refuses tasks; its workers are ending or have ended."""
    CLOSED = auto()
    """Has no worker left."""


class PoolEvent(Enum):
    """What happened to a pool."""

    SHUTDOWN_ASKED = auto()
    WORK_FINISHED = auto()
    WORKERS_GONE = auto()
    INITIALIZER_FAILED = auto()
    """Or no worker can start for another reason."""
    MANAGER_FAILED = auto()
    """An error in the pool's own code ended the manager thread."""
    FORKED = auto()
    """This is the child process, which has neither the workers nor the tasks."""


class WorkerState(Enum):
    """What a worker is good for."""

    STARTING = auto()
    """Its interpreter is being made or prepared."""
    READY = auto()
    """Takes call items."""
    STUCK = auto()
    """Runs a task that does not stop; another worker has its place."""
    LEAVING = auto()
    """Takes nothing any more; its loop is ending."""
    LEFT = auto()
    """Everything it sent has been taken; its interpreter is being given back."""
    DETACHED = auto()
    """Keeps a pool that was told to stop from ending, which does so without it."""
    DEAD = auto()
    """Its thread has nothing left to do."""


class WorkerEvent(Enum):
    """What happened to a worker."""

    WORKER_READY = auto()
    INITIALIZER_FAILED = auto()
    WORKER_STUCK = auto()
    WORKER_RETURNED = auto()
    """The task of an abandoned worker has ended."""
    WORKER_DETACHED = auto()
    WORKER_LEAVING = auto()
    WORKER_LOST = auto()
    WORKER_LEFT = auto()
    WORKER_ENDED = auto()


class Instruction(Enum):
    """What the caller of `step` has to do now."""

    STOP_WORKERS = auto()
    """Send so many ends; None: one for each worker that has not been sent one."""
    FAIL_TASKS = auto()
    """End every task that was taken with BrokenInterpreterPool."""
    FAIL_LOST_TASK = auto()
    """End the task the worker was running with WorkerLostError."""
    BREAK_POOL = auto()
    """Tell the pool that no worker can be initialized."""
    DO_WITHOUT = auto()
    """Go on with the other workers; if there is none, tell the pool that no worker can start."""
    LET_GO = auto()
    """Once its results are settled, let the worker's thread close the interpreter, in whose memory they may lie."""
    FORGET_WORKER = auto()
    """The worker's thread is ending: forget it, and wait for that."""
    END_MANAGER = auto()
    """The manager thread ends, and those who wait for the shutdown go on; abandoned workers may end on their own."""
    RELEASE_WORKERS = auto()
    """Let go of every worker and forget it: nobody reads their messages any more."""


class InvalidTransition(RuntimeError):
    """An event came in a state in which it cannot happen."""


_I = Instruction
_P, _PE = PoolState, PoolEvent
_W, _WE = WorkerState, WorkerEvent
_MANAGER_FAILED = (_I.FAIL_TASKS, _I.STOP_WORKERS, _I.RELEASE_WORKERS)

POOL_TABLE: dict[tuple[PoolState, PoolEvent], tuple[PoolState, tuple[Instruction, ...]]] = {
    (_P.RUNNING, _PE.SHUTDOWN_ASKED): (_P.DRAINING, ()),
    (_P.RUNNING, _PE.INITIALIZER_FAILED): (_P.BROKEN, (_I.FAIL_TASKS, _I.STOP_WORKERS)),
    (_P.RUNNING, _PE.MANAGER_FAILED): (_P.CLOSED, _MANAGER_FAILED),
    (_P.RUNNING, _PE.FORKED): (_P.RUNNING, ()),
    (_P.DRAINING, _PE.SHUTDOWN_ASKED): (_P.DRAINING, ()),
    (_P.DRAINING, _PE.WORK_FINISHED): (_P.STOPPING, (_I.STOP_WORKERS,)),
    (_P.DRAINING, _PE.INITIALIZER_FAILED): (_P.BROKEN, (_I.FAIL_TASKS, _I.STOP_WORKERS)),
    (_P.DRAINING, _PE.MANAGER_FAILED): (_P.CLOSED, _MANAGER_FAILED),
    (_P.DRAINING, _PE.FORKED): (_P.CLOSED, ()),
    (_P.STOPPING, _PE.SHUTDOWN_ASKED): (_P.STOPPING, ()),
    (_P.STOPPING, _PE.INITIALIZER_FAILED): (_P.STOPPING, ()),
    (_P.STOPPING, _PE.WORKERS_GONE): (_P.CLOSED, (_I.END_MANAGER,)),
    (_P.STOPPING, _PE.MANAGER_FAILED): (_P.CLOSED, _MANAGER_FAILED),
    (_P.STOPPING, _PE.FORKED): (_P.CLOSED, ()),
    (_P.BROKEN, _PE.SHUTDOWN_ASKED): (_P.BROKEN, ()),
    (_P.BROKEN, _PE.INITIALIZER_FAILED): (_P.BROKEN, ()),
    (_P.BROKEN, _PE.WORKERS_GONE): (_P.CLOSED, (_I.END_MANAGER,)),
    (_P.BROKEN, _PE.MANAGER_FAILED): (_P.CLOSED, _MANAGER_FAILED),
    (_P.BROKEN, _PE.FORKED): (_P.CLOSED, ()),
    (_P.CLOSED, _PE.SHUTDOWN_ASKED): (_P.CLOSED, ()),
    (_P.CLOSED, _PE.MANAGER_FAILED): (_P.CLOSED, ()),
    (_P.CLOSED, _PE.FORKED): (_P.CLOSED, ()),
}

WORKER_TABLE: dict[tuple[WorkerState, WorkerEvent], tuple[WorkerState, tuple[Instruction, ...]]] = {
    (_W.STARTING, _WE.WORKER_READY): (_W.READY, ()),
    (_W.STARTING, _WE.INITIALIZER_FAILED): (_W.LEAVING, (_I.BREAK_POOL,)),
    (_W.STARTING, _WE.WORKER_LOST): (_W.LEAVING, (_I.DO_WITHOUT,)),
    # What comes before these may be missing: there was no memory to say it.
    (_W.STARTING, _WE.WORKER_LEFT): (_W.LEFT, (_I.DO_WITHOUT, _I.LET_GO)),
    (_W.STARTING, _WE.WORKER_ENDED): (_W.DEAD, (_I.DO_WITHOUT, _I.FORGET_WORKER)),
    (_W.READY, _WE.WORKER_LEFT): (_W.LEFT, (_I.FAIL_LOST_TASK, _I.LET_GO)),
    (_W.READY, _WE.WORKER_ENDED): (_W.DEAD, (_I.FAIL_LOST_TASK, _I.FORGET_WORKER)),
    (_W.LEAVING, _WE.WORKER_ENDED): (_W.DEAD, (_I.FORGET_WORKER,)),
    (_W.STARTING, _WE.WORKER_DETACHED): (_W.DETACHED, ()),
    (_W.READY, _WE.WORKER_STUCK): (_W.STUCK, ()),
    (_W.STUCK, _WE.WORKER_RETURNED): (_W.READY, ()),
    (_W.READY, _WE.WORKER_LEAVING): (_W.LEAVING, ()),
    (_W.READY, _WE.WORKER_LOST): (_W.LEAVING, (_I.FAIL_LOST_TASK,)),
    (_W.LEAVING, _WE.WORKER_LOST): (_W.LEAVING, ()),
    (_W.LEAVING, _WE.WORKER_LEFT): (_W.LEFT, (_I.LET_GO,)),
    (_W.LEFT, _WE.WORKER_LOST): (_W.LEFT, ()),  # its interpreter could not be closed
    (_W.LEFT, _WE.WORKER_DETACHED): (_W.DETACHED, ()),
    (_W.LEFT, _WE.WORKER_ENDED): (_W.DEAD, (_I.FORGET_WORKER,)),
}


def step_pool(state: PoolState, event: PoolEvent) -> tuple[PoolState, tuple[Instruction, ...]]:
    """Return the pool's next state and what to do.

    Raises:
        InvalidTransition: the event cannot happen in this state.
    """
    try:
        return POOL_TABLE[state, event]
    except KeyError:
        raise InvalidTransition(f"a pool that is {state.name} cannot have {event.name}") from None


def step_worker(state: WorkerState, event: WorkerEvent) -> tuple[WorkerState, tuple[Instruction, ...]]:
    """Return the worker's next state and what to do.

    Raises:
        InvalidTransition: the event cannot happen in this state.
    """
    try:
        return WORKER_TABLE[state, event]
    except KeyError:
        raise InvalidTransition(f"a worker that is {state.name} cannot have {event.name}") from None
