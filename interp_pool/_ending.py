"""The end of a pool that is shut down and told to stop: what else than tasks can keep it from ending.

Owns how long a pool waits, then, for an initializer that runs, and for threads that tasks have left in an interpreter,
which cannot be closed before these end. An initializer is interrupted like a task. What does not end in time is left
behind, as the worker of a task that does not stop is: the pool ends without it, and the exit of the process tells.
"""

from functools import partial
from time import monotonic

from interp_pool._control import HASTY_GRACE, NOT_SO_SOON, Controlling
from interp_pool._exit import note_stuck
from interp_pool._lifecycle import Instruction, PoolState, WorkerEvent, WorkerState, step_worker
from interp_pool._messages import INITIALIZING
from interp_pool._stopping import GRACE, Reason
from interp_pool._timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._ledger import Ledger
    from interp_pool._options import PoolOptions
    from interp_pool._timer import Call
    from interp_pool._work import WorkItem
    from interp_pool._worker import Worker


class Ending(Controlling):
    """Controlling, and the bounded end of a pool that is told to stop."""

    __slots__ = ("_end_by", "_next_look")

    def __init__(self, options: "PoolOptions") -> None:
        super().__init__(options)
        self._end_by = float("inf")  # on the monotonic clock; guarded by self._lock, as what follows
        self._next_look: Call | None = None

    def stop_all(
        self,
        grace: float,
        reason: Reason = Reason.INTERRUPT,
        ledger: "Ledger | None" = None,
        patience: float = 0.0,
    ) -> "list[WorkItem]":
        """Do what `Controlling.stop_all` does; a pool that is shut down then ends soon after its last task."""
        if ledger is None and not self.is_closed:
            timer.call_at(0.0, partial(self._hurry, monotonic() + grace))
        return super().stop_all(grace, reason, ledger, patience)

    def name_what_runs(self) -> list[str]:
        """Return the names of the tasks that run, or were sent to run next, and of what else the pool waits for."""
        with self._lock:
            tasks = [item.name for item in self._in_flight.values()]
            return tasks + [
                _name_obstacle(worker)
                for worker in self._workers.values()
                if worker.is_initializing or worker.state is WorkerState.LEFT
            ]

    def _hurry(self, stop_by: float) -> None:
        """Leave behind what keeps a pool that is shut down from ending. Called by the timer, until it has ended."""
        with self._lock:
            if self._state is PoolState.RUNNING or self.is_closed:
                return  # a program that catches Ctrl-C may go on with the pool
            self._stop_looking()
            now = monotonic()
            self._end_by = stop_by = min(self._end_by, stop_by)
            for worker in [*self._workers.values()]:
                if worker.is_initializing and worker.told_at is None:
                    worker.told_at = now
                    worker.interrupt(INITIALIZING)
                if now >= max(stop_by, _latest_end(worker)):
                    self._leave_behind(worker)
            self._finish_if_done()
            if not self.is_closed:
                self._next_look = timer.call_at(now + NOT_SO_SOON, partial(self._hurry, stop_by))
        self._carry_out_soon()

    # Everything below is called with self._lock held.

    def _call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        self._stop_looking()

    def _stop_looking(self) -> None:
        if self._next_look is not None:
            self._next_look.call_off()
            self._next_look = None

    def _leave_behind(self, worker: "Worker") -> None:
        """Do without a worker that keeps the pool from ending."""
        note_stuck(worker.thread, _name_obstacle(worker))
        worker.state, instructions = step_worker(worker.state, WorkerEvent.WORKER_LEFT_BEHIND)
        self._active -= Instruction.COUNT_OUT in instructions
        worker.is_dirty = True
        del self._workers[worker.number]
        self._abandoned[-1 - worker.number] = worker
        self._call_manager()  # it may have been the last


def _latest_end(worker: "Worker") -> float:
    """Return when a worker is left behind that has not ended until then."""
    if worker.state is WorkerState.LEFT:
        return worker.left_at + GRACE
    if worker.is_initializing and worker.state is WorkerState.STARTING and worker.told_at is not None:
        return worker.told_at + HASTY_GRACE
    return float("inf")


def _name_obstacle(worker: "Worker") -> str:
    """Return what keeps a worker from ending, which is no task."""
    what = "a thread that a task has left" if worker.state is WorkerState.LEFT else "the initializer"
    return f"{what} in {worker.thread.name}"
