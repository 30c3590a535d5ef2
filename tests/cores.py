"""A core without a pool: what it asks of futures and workers, and its first steps."""

from __future__ import annotations

from interp_pool._core.core import PoolCore
from interp_pool._core.states import WorkerEvent, WorkerState
from interp_pool._core.task import Task


class Future:
    """Of a task: nothing to the core but whether it was cancelled, or is done."""

    def __init__(self):
        self.is_cancelled = self.is_done = False

    def cancelled(self):
        return self.is_cancelled

    def done(self):
        return self.is_cancelled or self.is_done

    def tell_rest(self):
        """Nobody waits."""

    def forget_pool(self):
        """It has none."""


class Handle:
    """A worker."""

    def __init__(self, number):
        self.number, self.state = number, WorkerState.STARTING
        self.is_started = self.is_dirty = self.may_leave = False
        self.task = 0


class Run:
    """An open map."""

    is_dropped = False


def make_task():
    return Task(Future(), abs, b"")


def settle(task):
    task.future.is_done = True
    task.end()


def make_core(most=2, least=0):
    return PoolCore(Handle, most, least)


def take(core):
    """Take a task, as `submit` does; return it."""
    task = make_task()
    if core.tasks.backlog or len(core.tasks.in_flight) >= core.tasks.window:
        core.tasks.add_waiting(task)
    else:
        send(core, task)
    core.add_wanted_workers(0.0)
    return task


def send(core, task):
    core.tasks.number(task)
    task.placed.append(None)


def top_up(core):
    core.set_window()
    tasks = core.tasks
    while tasks.backlog and len(tasks.in_flight) < tasks.window:
        send(core, tasks.backlog[0])
        tasks.backlog.popleft()


def started(core, count=1):
    """Return workers that are ready, of a core that has tasks for them."""
    while core.workers.active < count:
        take(core)
    workers = [*core.workers.workers.values()]
    for worker in workers:
        worker.is_started = True
        core.worker_told(worker, WorkerEvent.WORKER_READY)
    return workers
