"""The end of a pool that is shut down and told to stop: what else than tasks can keep it from ending.

Owns how long a pool waits, then, for an initializer that runs, and for threads that tasks have left in an interpreter,
which cannot be closed before these end. An initializer is interrupted like a task. What does not end in time is left
behind, as the worker of a task that does not stop is: the pool ends without it, and the exit of the process tells.
"""

from functools import partial
from time import monotonic

from interp_pool._core.states import PoolState, WorkerState
from interp_pool._futures.stopping import GRACE, Reason
from interp_pool._pool.control import HASTY_GRACE, NOT_SO_SOON, Control
from interp_pool._process.exit_status import is_exiting
from interp_pool._process.stuck import expect_stuck, note_stuck
from interp_pool._process.timer import timer
from interp_pool._wire.messages import INITIALIZING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._core.task import Task
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._process.timer import Call
    from interp_pool._workers.handle import Worker


class Ending:
    """The bounded end of a pool that is told to stop. Thread safety: all methods."""

    __slots__ = ("_control", "_end_by", "_kernel", "_next_look")

    def __init__(self, kernel: "Kernel", control: Control) -> None:
        self._kernel, self._control = kernel, control
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._end_by = float("inf")  # on the monotonic clock; guarded by the lock, as what follows
        self._next_look: Call | None = None

    def begin(self) -> None:
        """Refuse further tasks. Called with the lock held."""
        self._kernel.perform(self._kernel.core.ask_shutdown())
        for run in [*self._kernel.core.open_maps]:
            run.call_for_items()  # which it will refuse
        if self._kernel.manager is None:
            self._kernel.end_if_done()
        else:
            self._kernel.call_manager()  # which finishes; also again, when a signal struck here before

    def stop_all(
        self,
        grace: float,
        reason: Reason = Reason.INTERRUPT,
        open_tasks: "OpenTasks | None" = None,
        patience: float = 0.0,
    ) -> "list[Task]":
        """Do what `Control.stop_tasks` does; a pool that is shut down then ends soon after its last task.

        From a signal handler in the middle of a step of the pool it begins after that, and returns nothing.
        """
        expect_stuck()
        if self._kernel.later(partial(self.stop_all, grace, reason, open_tasks, patience)):
            return []
        if open_tasks is None and not self._kernel.is_closed:
            timer.call_at(0.0, partial(self._hurry, monotonic() + grace))
        return self._control.stop_tasks(grace, reason, open_tasks, patience)

    def stop_at_once(self, open_tasks: "OpenTasks | None" = None) -> None:
        """Do what Ctrl-C asks for: cancel what waits, and have what runs stop, unless workers ignore it. Never blocks.

        Called by the thread that was struck, and not while it holds the condition of a future.

        Args:
            open_tasks: of the executor whose tasks are meant; None for all.
        """
        if self._kernel.ignores_ctrl_c:
            return
        for item in self.stop_all(HASTY_GRACE, open_tasks=open_tasks, patience=GRACE):
            item.future.release_condition()

    def name_what_runs(self) -> list[str]:
        """Return the names of the tasks that run, or were sent to run next, and of what else the pool waits for."""
        return self._kernel.step(self._name_what_runs)

    def _hurry(self, stop_by: float) -> None:
        """Leave behind what keeps a pool that is shut down from ending. Called by the timer, until it has ended."""
        with self._kernel.lock:
            self._leave_behind_what_is_late(stop_by)
        self._kernel.carry_out_soon()

    # Everything below is called with the lock held.

    def _name_what_runs(self) -> list[str]:
        tasks = [item.name for item in self._kernel.tasks.in_flight.values()]
        return tasks + [
            _name_obstacle(worker)
            for worker in self._kernel.staff.workers.values()
            if worker.is_initializing or worker.state is WorkerState.LEFT
        ]

    def _leave_behind_what_is_late(self, stop_by: float) -> None:
        if self._kernel.core.state is PoolState.RUNNING or self._kernel.is_closed:
            return  # a program that catches Ctrl-C may go on with the pool
        self._stop_looking()
        now = monotonic()
        self._end_by = stop_by = min(self._end_by, stop_by)
        for worker in [*self._kernel.staff.workers.values()]:
            if worker.is_initializing and worker.told_at is None:
                worker.told_at = now
                worker.interrupt(INITIALIZING)
            if now >= max(stop_by, _latest_end(worker)):
                self._leave_behind(worker)
        self._kernel.end_if_done()
        if not self._kernel.is_closed:
            self._next_look = timer.call_at(now + NOT_SO_SOON, partial(self._hurry, stop_by))

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        self._stop_looking()

    def _stop_looking(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def _leave_behind(self, worker: "Worker") -> None:
        """Do without a worker that keeps the pool from ending."""
        note_stuck(worker.thread, _name_obstacle(worker), is_by_exit=is_exiting())
        self._kernel.staff.leave_behind(worker)
        self._kernel.wake_manager()  # it may have been the last


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
