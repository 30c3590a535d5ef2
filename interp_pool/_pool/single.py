"""SinglePool, a pool whose workers are all of one kind: the service under the executor.

Owns the parts that a pool is made of, and hands each what it needs. They stand on one another in this order.

    kernel      the lock, the core behind it, and the steps that several threads take
    pump        results become settled futures
    recall      taking back what was sent and nobody has begun
    overdue     having batches of map split
    control     stopping tasks
    ending      the bounded end of a pool that is told to stop
    sizing      how many workers and waiting tasks there are
    starting    starting workers, and what if that fails
    intake      taking tasks and maps
    nesting     tasks that tasks have submitted
    manager     the thread that does all this with what the workers send
    forking     giving way to a fork
    leases      lending interpreters

A task waits in the backlog, where it can be cancelled, until the window has room; then its future is RUNNING and its
call item lies in the calls queue, which all workers share. One thread, the manager, starts the workers and takes the
result items. A thread that waits for a future may take the manager's place for a while, and one that submits may take
results when the window is full: see `_pool.result_stream`.

Under the lock no user code runs: no pickling, no callbacks, no settling of futures.
"""

import threading
from functools import partial
from weakref import ref

from interp_api import is_held_here
from interp_pool._core.states import PoolEvent, PoolState, step_pool
from interp_pool._errors import broken
from interp_pool._futures.lazy import lose
from interp_pool._futures.stopping import Reason
from interp_pool._pool.control import HASTY_GRACE, Control
from interp_pool._pool.ending import Ending
from interp_pool._pool.forking import Forking
from interp_pool._pool.intake import Intake
from interp_pool._pool.kernel import Kernel
from interp_pool._pool.leases import Leases
from interp_pool._pool.manager import Manager
from interp_pool._pool.metering import pump_of, submit_of
from interp_pool._pool.nesting import Nesting
from interp_pool._pool.overdue import Overdue
from interp_pool._pool.recall import Recall
from interp_pool._pool.sizing import Sizing
from interp_pool._pool.starting import Starting
from interp_pool._process.ctrl_c import struck_by_ctrl_c
from interp_pool._process.open_tasks import OpenTasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager
    from typing import Any, Self

    from interp_api import Interpreter
    from interp_pool._core.ports import Books, OpenMap
    from interp_pool._core.statistics import Statistics
    from interp_pool._core.task import Task
    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._wire.messages import Place


class SinglePool:
    """Workers of one kind, each with a thread of its own, that run tasks for one or several executors.

    Thread safety: all methods.
    """

    def __init__(self, options: "PoolOptions") -> None:
        """Make a pool with options that are checked; workers start when there is work for them."""
        self._kernel = kernel = Kernel(options)
        self.pump, self._recall, self._overdue = pump_of(kernel), Recall(kernel), Overdue(kernel)  # first: for lodgers
        self._control, self._sizing = Control(kernel, self._recall), Sizing(kernel)
        self._ending, self._starting = Ending(kernel, self._control), Starting(kernel)
        self._intake, self._leases = Intake(kernel, self.pump, self._sizing), Leases(kernel)
        submit = submit_of(kernel, self._intake.submit)
        self._nesting = Nesting(kernel, self._control, self.pump, submit)
        movers = self.pump, self._control, self._sizing, self._starting, self._nesting
        timed = self._overdue, self._ending, self._sizing, self._starting, self._nesting
        self._manager = Manager(kernel, *movers, timed)
        self._forking = Forking(kernel, self._manager)
        self.submit: Callable[..., bool] = submit
        """Take a task. An attribute, and no method that calls the other: it is on the way of every task."""
        kernel.connect(self._manage, self._control.watch, self._overdue.watch_if_idle)

    def _manage(self) -> None:
        """Run the manager, whose thread keeps the pool: forks and the exit have to find it."""
        self._manager.manage()

    # What it is.

    @property
    def max_workers(self) -> int:
        """Most interpreters at a time."""
        return self._kernel.staff.max_workers

    @property
    def thread_name_prefix(self) -> str:
        """How the workers' threads are named."""
        return self._kernel.options.thread_name_prefix

    @property
    def exit_timeout(self) -> float | None:
        """Seconds that the exit of the process waits for tasks, None for no limit."""
        return self._kernel.options.exit_timeout

    @property
    def broken(self) -> "BaseException | str | None":
        """Why the pool cannot run tasks any more, None if it can."""
        return self._kernel.core.broken

    @property
    def is_shut_down(self) -> bool:
        """Whether the pool takes no more tasks."""
        return self._kernel.core.state is not PoolState.RUNNING or self._kernel.core.refuses

    @property
    def is_closed(self) -> bool:
        """Whether the pool was shut down, or broke, and its last worker has ended."""
        return self._kernel.is_closed

    @property
    def logs_unread(self) -> bool:
        """Whether errors are logged that nobody has asked for."""
        return self._kernel.options.unread == "log"

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles the pool's futures, as in a callback: none ends then unless it waits for one."""
        return self._kernel.manager is threading.current_thread()

    @property
    def is_held_here(self) -> bool:
        """Whether this thread is in the middle of something of the pool's."""
        return is_held_here(self._kernel.lock)

    @property
    def must_not_wait(self) -> bool:
        """Whether waiting for the pool's tasks in this thread would never end.

        In a callback the pool waits for this thread. So it does when a signal handler or a finalizer has interrupted
        what holds others up.
        """
        return (
            self.is_managed_here
            or self.is_held_here
            or any(run.is_cut_here for run in [*self._kernel.core.open_maps])
            or any(item.future.is_held_here for item in self.list_tasks())
        )

    @property
    def worker_threads(self) -> set[threading.Thread]:
        """The threads of the workers that have not ended."""
        return self._kernel.step(lambda: {worker.thread for worker in self._kernel.staff.workers.values()})

    def statistics(self) -> "Statistics":
        """Return a snapshot of the pool's counts."""
        return self._sizing.statistics()

    def __repr__(self) -> str:
        state, most = self._kernel.core.state.name.lower(), self.max_workers
        return f"<{type(self).__name__} {state}, at most {most} workers: {self.statistics().describe()}>"

    def check_invariants(self) -> None:
        """Assert what holds whenever the lock is free."""
        with self._kernel.lock:
            self._kernel.core.check()

    def check_open(self) -> None:
        """Raise what `submit` would raise now."""
        self._kernel.check_open()

    # Tasks and maps.

    def note_executor(self) -> OpenTasks:
        """Return what an executor that shares the pool notes its tasks in."""
        return OpenTasks(self._kernel)

    def open_map(self, run: "OpenMap", open_tasks: OpenTasks | None) -> None:
        """Count a run of `map` among the tasks that were taken; see `Intake.open_map`."""
        self._intake.open_map(run, open_tasks)

    def close_map(self, run: "OpenMap", open_tasks: OpenTasks | None) -> None:
        """Strike a run off that has submitted its last batch."""
        self._intake.close_map(run, open_tasks)

    def feed_soon(self, run: "OpenMap") -> None:
        """Have the manager feed a run. For the timer."""
        self._intake.feed_soon(run)

    @property
    def has_idle(self) -> bool:
        """Whether a worker has nothing to do, or could be started, and no task waits. Needs no lock."""
        return self._overdue.has_idle

    def watch_batches(self) -> None:
        """If a worker has nothing to do, look soon whether a batch that was just sent takes too long. Never blocks."""
        self._overdue.watch_batches()

    @property
    def books(self) -> "Books":
        """What is marked as dirty by who may be struck from then on: the manager puts it right."""
        return self._kernel

    def stand_in(self, future: "TaskFuture[Any]", deadline: float | None) -> None:
        """Take results, while the manager sleeps, until a future is done; see `Pump.stand_in`."""
        if self._kernel.core.is_pausing:
            self._forking.end_pause_here()
        worker = self._manager if self._manager.in_callback.is_here() else self.pump
        worker.stand_in(future, self._has_arrived(future), deadline)

    def _has_arrived(self, future: "TaskFuture[Any]") -> "Callable[[], bool]":
        """Return what tells whether it is of no use any more to wait for a future here."""
        return future.has_arrived

    def call_off_stand_in(self) -> None:
        """Before this thread waits for the manager: let it work, if this thread stands in further up its stack."""
        self._kernel.reader.call_off()

    def call_manager(self) -> None:
        """Have the manager look at everything, and whoever stands in for it give way. Never blocks, needs no lock."""
        self._kernel.call_manager()

    def note_cancelled(self) -> None:
        """Note that a future was cancelled whose task may be in the backlog. Never blocks, needs no lock."""
        self._kernel.tasks.has_cancelled = True

    def recall(self, futures: "Collection[TaskFuture[Any]]") -> None:
        """Cancel those of some futures whose tasks no worker has begun; see `Recall.recall`."""
        self._recall.recall(futures)

    def interrupt(self, future: "TaskFuture[Any]", grace: float) -> bool:
        """Begin to stop the task of a future; see `Control.interrupt`."""
        if not hasattr(future, "pool"):
            raise TypeError(f"future must be one of this pool, got {future!r}")
        if not self._has_future(future):
            raise ValueError(f"{future!r} is not a future of {self!r}")
        return self._control.interrupt(future, grace)

    def _has_future(self, future: "TaskFuture[Any]") -> bool:
        """Return whether it is one of this pool's, or done."""
        return future.pool in (self, None)

    def where(self, future: "TaskFuture[Any]", timeout: float) -> "tuple[str, list[Place]]":
        """Find out where the task of a future is; see `Control.where`."""
        return self._control.where(future, timeout)

    # What another pool asks of the one behind it.

    def stop(self, items: "list[Task]", reason: Reason, stop_by: float, patience: float) -> None:
        """Begin to stop tasks; see `Control.stop`."""
        self._control.stop(items, reason, stop_by, patience)

    @property
    def manager(self) -> threading.Thread | None:
        """The thread that settles its futures, if there is one."""
        return self._kernel.manager

    def follow(self, other: "SinglePool") -> None:
        """Be the one behind another pool."""
        self._kernel.front = ref(other._kernel)

    def list_tasks(self) -> "list[Task]":
        """Return those that have not ended. Needs no lock."""
        return [*self._kernel.tasks.in_flight.values(), *self._kernel.tasks.backlog]

    # Sizes.

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay; see `Sizing.resize`."""
        self._sizing.resize(max_workers, min_workers=min_workers)

    def begin_waiting(self) -> None:
        """Drop what is cancelled at once, from now on: somebody waits for the end of an executor's tasks."""
        self._sizing.begin_waiting()

    def end_waiting(self) -> None:
        """That one waits no more."""
        self._sizing.end_waiting()

    def tell_submitters(self) -> None:
        """Have those who submit, or take items for a map, look whether their executor still takes tasks."""
        self._sizing.tell_submitters()

    def lease(self) -> "AbstractContextManager[Interpreter]":
        """Lend a warm interpreter, with the initializer run in it, to the caller alone.

        It counts as a worker. At the end of the `with` block it is tidied up and becomes warm again.

        Raises:
            BrokenInterpreterPool: the initializer failed, or the pool is broken.
            RuntimeError: the pool is shut down.
            InterpreterError: at the end of the block: something is still running in the interpreter.

        Thread safety: each lease belongs to the thread that entered it. Shutting the pool down does not wait for it.

        Blocks: while `max_workers` interpreters are in use, until a worker has done what is queued before, or another
            lease ends.
        """
        return self._leases.lease()

    # The end.

    def cancel_waiting(self, open_tasks: OpenTasks | None = None) -> None:
        """Cancel the tasks, of one executor or of all, that no worker has begun with; see `Recall.cancel_waiting`."""
        self._recall.cancel_waiting(open_tasks)

    def wait_done(self, open_tasks: OpenTasks) -> None:
        """Block until no task of an executor is open."""
        self._sizing.wait_done(open_tasks)

    def stop_all(
        self,
        grace: float,
        reason: Reason = Reason.INTERRUPT,
        open_tasks: OpenTasks | None = None,
        patience: float = 0.0,
    ) -> "list[Task]":
        """Begin to cancel what waits, and to stop what runs; see `Ending.stop_all`."""
        return self._ending.stop_all(grace, reason, open_tasks, patience)

    def stop_at_once(self, open_tasks: OpenTasks | None = None) -> None:
        """Do what Ctrl-C asks for; see `Ending.stop_at_once`."""
        self._ending.stop_at_once(open_tasks)

    def name_what_runs(self) -> list[str]:
        """Return the names of the tasks that run, or were sent to run next, and of what else the pool waits for."""
        return self._ending.name_what_runs()

    def forget(self) -> None:
        """Shut the pool down without waiting; for a finalizer, which may run in a thread that holds the lock."""
        self._kernel.is_forgotten = True
        if self._kernel.manager is not None:
            self._kernel.call_manager()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks, and end when those that were taken are done; see `InterpreterPool.shutdown`."""
        self._kernel.core.refuses = True
        if self._kernel.later(partial(self.shutdown, False, cancel_futures=cancel_futures)):
            return
        self._kernel.step(self._ending.begin)
        if cancel_futures:
            self.cancel_waiting()
        self.call_off_stand_in()
        if not wait or self.must_not_wait:
            return
        try:
            self._forking.wait_for_end()
        except KeyboardInterrupt:
            self.stop_at_once()
            manager = self._kernel.manager
            if manager is not None and manager.ident is not None:
                manager.join(2 * HASTY_GRACE)
            raise

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and struck_by_ctrl_c(exc_type, *exc_info[:1]):
            self.shutdown(wait=False)
            self.stop_at_once()
        self.shutdown()

    # Forks; see `Forking`.

    def can_pause(self) -> bool:
        """Return whether it is worth waiting, before a fork, for the workers to end. Never blocks."""
        return self._forking.can_pause()

    def begin_pause(self) -> None:
        """Have the workers end, and the manager after them. Never blocks."""
        self._forking.begin_pause()

    def wait_until_paused(self) -> bool:
        """Wait for that; return whether it has happened."""
        return self._forking.wait_until_paused()

    def end_pause(self) -> None:
        """Go on, with what was submitted meanwhile. Doing so again does no harm."""
        self._forking.end_pause()

    def after_fork_in_child(self) -> None:
        """Be a new pool with the old options; the futures that are not done here end."""
        kernel, core = self._kernel, self._kernel.core
        lost, runs = self._forking.list_lost(), [*core.open_maps]
        kernel.changed.wake_all()  # this thread may wait, further up its stack
        for part in (kernel, self._overdue, self._ending, self._sizing, self._starting, self._manager, self._forking):
            part.reset()
        kernel.core.state, kernel.core.broken = step_pool(core.state, PoolEvent.FORKED)[0], core.broken
        kernel.staff.max_workers, kernel.staff.min_workers = core.workers.max_workers, core.workers.min_workers
        for run in runs:
            run.lose()
        for item in lost:
            item.is_ended = True
            lose(item.future, broken("the process was forked: the task is done by the parent, not here"))
