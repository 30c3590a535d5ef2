"""InterpreterPool, the service under the executor, with another pool behind it if there is a fallback.

Owns what the two are to their users: one pool. The pool behind it runs tasks that no worker interpreter can load, in
processes or on threads; what goes there, and how, is `_pool.routing`'s. It ends after this one.

A fork does not wait for the one behind: there is no interpreter in it that the runtime could not do without.
"""

from dataclasses import fields
from time import monotonic

from interp_pool._core.routes import Routes
from interp_pool._core.statistics import Statistics
from interp_pool._futures.stopping import Reason
from interp_pool._options.declared import takes
from interp_pool._options.pool_options import PoolOptions
from interp_pool._pool.process_hooks import all_pools, register
from interp_pool._pool.routing import RoutedIntake, Routing
from interp_pool._pool.single import SinglePool
from interp_pool._pool.tracing import join_trace
from interp_pool._process.profiles import profiles
from interp_pool._process.stuck import expect_stuck
from interp_pool._process.watched import is_monitored
from interp_pool._seeing.logs import forward_logs
from interp_pool._seeing.reports import hear
from interp_pool._wire.messages import PROFILE, PROGRESS
from interp_pool._wire.names import names_of
from interp_pool._wire.texts import IN_OWNER, stays_here
from interp_pool._workers.hosted_worker import host_maker
from interp_pool._workers.reserve import reserve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, NoReturn

    from interp_pool._core.task import Task
    from interp_pool._core.told import Told
    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._seeing.shapes import PoolShape


def _note_profile(told: "Told") -> None:
    profiles.note(told.task_name, *told.body)


_WHERE = {"process": "in a process", "thread": "on a thread of the main interpreter"}


class InterpreterPool(SinglePool):
    """Workers, each an interpreter with a thread of its own, that run tasks for one or several executors.

    Thread safety: all methods.
    """

    def __getstate__(self) -> "NoReturn":
        raise stays_here(self, IN_OWNER)

    @takes(PoolOptions)
    def __init__(self, options: PoolOptions) -> None:
        """Make a pool; workers start when there is work for them.

        {options}

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        super().__init__(options)
        options.hearers.update({PROGRESS: hear, PROFILE: _note_profile})
        self._fallback = None if options.fallback is None else self._make_fallback(options)
        forward_logs(options, self._kernel)
        if options.output is not None:
            from interp_pool._seeing.output import forward_output

            forward_output(options)
        register(self)
        join_trace(self)
        watch()
        if options.exit_timeout is not None:
            expect_stuck()  # the exit will stop tasks, when it is too late to see its status
        if options.min_workers and not options.moves_at_once:
            try:
                error = self._kernel.step(self._kernel.want_workers)
                if error is not None:
                    raise error
            except BaseException:
                self.forget()  # nobody else will shut it down
                raise

    @property
    def kernels(self) -> "list[Kernel]":
        """Its own, and that of its fallback; for a trace."""
        return [self._kernel] if self._fallback is None else [self._kernel, self._fallback._kernel]

    def _manage(self) -> None:
        watch()  # in a forked child nobody has yet
        super()._manage()

    def do_without_main(self) -> None:
        """Have workers load the main module only for what names it. Called before there are any."""
        self._kernel.options.main = None

    def _make_fallback(self, options: PoolOptions) -> SinglePool:
        assert options.fallback is not None
        host_maker(options.fallback)  # now: what it imports may wait for another thread
        kernel, fallback, routes = self._kernel, SinglePool(options.of_fallback()), Routes(names_of, options.route)
        routes.leads_all = options.moves_at_once
        has_processes = options.fallback == "process"
        kernel.routing = Routing(routes, fallback, _WHERE[options.fallback], has_processes=has_processes)
        kernel.calls.keeps_payloads = True
        fallback.follow(self)
        self.submit = self._nesting.submit = RoutedIntake(self.submit, kernel.check_open, kernel.routing).submit
        return fallback

    @property
    def broken(self) -> "BaseException | str | None":
        """Why the pool cannot run tasks any more, None if it can."""
        routing = self._kernel.routing
        is_moved = self._fallback is not None and routing is not None and routing.routes.leads_all
        return super().broken or (self._fallback.broken if self._fallback is not None and is_moved else None)

    @property
    def is_closed(self) -> bool:
        """Whether the pool was shut down, or broke, and its last worker has ended."""
        return super().is_closed and (self._fallback is None or self._fallback.is_closed)

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles the pool's futures, as in a callback: none ends then unless it waits for one."""
        return super().is_managed_here or (self._fallback is not None and self._fallback.is_managed_here)

    @property
    def is_held_here(self) -> bool:
        """Whether this thread is in the middle of something of the pool's."""
        return super().is_held_here or (self._fallback is not None and self._fallback.is_held_here)

    @property
    def must_not_wait(self) -> bool:
        """Whether waiting for the pool's tasks in this thread would never end; see `SinglePool.must_not_wait`."""
        return super().must_not_wait or (self._fallback is not None and self._fallback.must_not_wait)

    def statistics(self) -> Statistics:
        """Return a snapshot of the counts of the pool and its fallback."""
        own = super().statistics()
        if self._fallback is None:
            return own
        other, routing = self._fallback.statistics(), self._kernel.routing
        counts: dict[str, Any] = {
            each.name: None if value is None else value + getattr(other, each.name)
            for each in fields(Statistics)
            for value in [getattr(own, each.name)]
        }
        where = "tasks_in_processes" if self._kernel.options.fallback == "process" else "tasks_in_threads"
        counts[where] = other.tasks_waiting + other.tasks_sent + other.tasks_running + other.tasks_ended
        if routing is not None:
            counts["fallback_reasons"] = tuple(routing.reasons.values())
        return Statistics(**counts)

    def look(self, number: int, timeout: float) -> "PoolShape":
        """Return what the pool does, as `python -m interp_pool top` shows it.

        Args:
            number: what to call it.
            timeout: seconds that the workers have to tell where their tasks are.

        Blocks: until they have, or that is up.
        """
        from interp_pool._pool.looking import counts_of, first_waiting, look_at_workers, times_of

        end = monotonic() + timeout
        workers, waiting, statistics = (
            look_at_workers(self._kernel, end),
            first_waiting(self._kernel),
            self.statistics(),
        )
        if self._fallback is not None:
            others = look_at_workers(self._fallback._kernel, end)
            for worker in others:
                if worker["task"] is not None:
                    worker["task"]["id"] *= -1  # it has numbers of its own
            workers += others
            waiting += first_waiting(self._fallback._kernel)
        return {
            "number": number,
            "name": self.thread_name_prefix,
            "max_workers": self.max_workers,
            "counts": counts_of(statistics),
            "times": times_of(statistics),
            "workers": workers,
            "waiting": waiting,
        }

    def interrupt_task(self, work_id: int) -> str | None:
        """Begin to stop a task by the number that `look` has told; return its name, None if it does not run any more.

        Never blocks.
        """
        from interp_pool._pool.looking import interrupt_task

        if work_id >= 0:
            return interrupt_task(self._kernel, self._control, work_id)
        if self._fallback is None:
            return None
        return interrupt_task(self._fallback._kernel, self._fallback._control, -work_id)

    def _has_arrived(self, future: "TaskFuture[Any]") -> "Callable[[], bool]":
        if self._fallback is None:
            return future.has_arrived
        # Done, and its pool has let it go; or moved, and another pool brings its result.
        return lambda: future.pool is not self or future.has_arrived()

    def _has_future(self, future: "TaskFuture[Any]") -> bool:
        return super()._has_future(future) or future.pool is self._fallback

    def recall(self, futures: "Collection[TaskFuture[Any]]") -> None:
        """Cancel those of some futures whose tasks no worker has begun; see `Recall.recall`."""
        super().recall(futures)
        if self._fallback is not None:
            self._fallback.recall(futures)

    def interrupt(self, future: "TaskFuture[Any]", grace: float) -> bool:
        """Begin to stop the task of a future; see `Control.interrupt`."""
        return super().interrupt(future, grace) or (
            self._fallback is not None and self._fallback.interrupt(future, grace)
        )

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay; see `Sizing.resize`."""
        super().resize(max_workers, min_workers=min_workers)
        if self._fallback is not None:
            self._fallback.resize(max_workers)

    def renew_workers(self) -> None:
        """Give each worker a new interpreter, in which the program's modules are loaded as their files are now.

        A worker that is idle ends at once, and one that is busy after its task, or its message of `map`. Others take
        their places for the work there is: all that is submitted from now on, and nothing that was before is lost.
        Workers of a fallback are renewed, too; what a fork server has loaded stays as it is.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down.

        Blocks: until the idle ones have said that they end, some ms; with `reuse="modules"` also 10 ms for each warm
            interpreter that has modules, which are closed. Not for workers when called in a callback of a future.
        """
        if self._kernel.options.keeps_modules:
            reserve.close_with_modules()
        self._sizing.renew()
        if self._fallback is not None:
            self._fallback._sizing.renew()

    def tell_submitters(self) -> None:
        """Have those who submit, or take items for a map, look whether their executor still takes tasks."""
        super().tell_submitters()
        if self._fallback is not None:
            self._fallback.tell_submitters()

    def call_off_stand_in(self) -> None:
        """Before this thread waits for the manager: let it work, if this thread stands in further up its stack."""
        super().call_off_stand_in()
        if self._fallback is not None:
            self._fallback.call_off_stand_in()

    def cancel_waiting(self, open_tasks: "OpenTasks | None" = None) -> None:
        """Cancel the tasks, of one executor or of all, that no worker has begun with; see `Recall.cancel_waiting`."""
        super().cancel_waiting(open_tasks)
        if self._fallback is not None:
            self._fallback.cancel_waiting(open_tasks)

    def wait_done(self, open_tasks: "OpenTasks") -> None:
        """Block until no task of an executor is open."""
        if self._fallback is None:
            super().wait_done(open_tasks)
        else:
            self._fallback.begin_waiting()
            try:
                super().wait_done(open_tasks)
            finally:
                self._fallback.end_waiting()
        profiles.write_or_log()

    def stop_all(
        self,
        grace: float,
        reason: Reason = Reason.INTERRUPT,
        open_tasks: "OpenTasks | None" = None,
        patience: float = 0.0,
    ) -> "list[Task]":
        """Begin to cancel what waits, and to stop what runs; see `Ending.stop_all`."""
        stopped = super().stop_all(grace, reason, open_tasks, patience)
        return stopped + (
            [] if self._fallback is None else self._fallback.stop_all(grace, reason, open_tasks, patience)
        )

    def stop_at_once(self, open_tasks: "OpenTasks | None" = None) -> None:
        """Do what Ctrl-C asks for; see `Ending.stop_at_once`."""
        super().stop_at_once(open_tasks)
        if self._fallback is not None:
            self._fallback.stop_at_once(open_tasks)

    def name_what_runs(self) -> list[str]:
        """Return the names of the tasks that run, or were sent to run next, and of what else the pool waits for."""
        return super().name_what_runs() + ([] if self._fallback is None else self._fallback.name_what_runs())

    def forget(self) -> None:
        """Shut the pool down without waiting; for a finalizer, which may run in a thread that holds the lock."""
        super().forget()
        if self._fallback is not None and self._kernel.manager is None:  # otherwise that does it at its end
            register(self._fallback)  # the exit, and a fork, have to find it
            self._fallback.forget()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks and let the workers end when those that were taken are done.

        Args:
            wait: return only when that has happened and all threads of the pool have ended.
            cancel_futures: cancel the tasks that no worker has begun with.

        Blocks: with `wait`, until the last task has ended. Called from a callback of one of the pool's own futures it
        does not wait, nor from a signal handler or a finalizer that has interrupted the pool's own code.
        """
        super().shutdown(wait, cancel_futures=cancel_futures)
        if self._fallback is not None and super().is_closed:
            self._fallback.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            profiles.write_or_log()

    def after_fork_in_child(self) -> None:
        """Be a new pool with the old options; the futures that are not done here end."""
        super().after_fork_in_child()
        if self._fallback is not None:
            self._fallback.after_fork_in_child()


def living_pools() -> list[InterpreterPool]:
    """Return the pools of this process, each with its fallback, and without those that have ended."""
    return [pool for pool in all_pools() if isinstance(pool, InterpreterPool) and not pool.is_closed]


def watch() -> None:
    """Have others look at this process, if it was started so. In a pool that works, for a forked child has to begin."""
    if is_monitored():
        from interp_pool._seeing.monitor import monitor

        monitor.start(living_pools)
