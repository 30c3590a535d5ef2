"""How many workers there are, how many tasks may wait, and the counts of all that.

Owns the sizing of a pool after its start. Workers come when there is work for them, up to `max_workers`, and at once up
to `min_workers`. Each goes when it had no task for `idle_timeout`: the queue of call items wakes the one with the
lowest seat, so that those that are not needed stay idle while tasks go on. Once in that time the timer looks at their
boards, for the work id of the last task; so a task costs nothing for it.

    T1  the timer, with the pool's lock held: the work id is the one of the last look, and negative, which is to say no
        task: write that into the cell RETIRE
    T2  ring all that wait for call items
    W1  a worker finds no call item: RETIRE and its work id are a pair: it ends
    W2  otherwise it sleeps; a ring: go to W1

It is those that are cold that end, not those that run everything and have all loaded: an end in the queue of call items
would be taken by one of these. A worker that has taken a call item between T1 and W1 writes another work id, and the
pair is none any more: it goes on, and nobody has to take anything back. One that is about to sleep at T1 is rung at T2
or sees the cell at W1, as with an item (`interp_api`). One that ends passes a ring on that was for an item. The pool
hears of it as of any that leaves; it is none of those that an end was sent for, and nobody takes its place. Until then
it counts as active: what is computed from that meanwhile may end or keep one too many, which the next task or look
makes good.

A backlog with a limit makes `submit` wait, on the pool's condition, or refuse.
"""

from functools import partial
from time import monotonic

from interp_api import QueueFull, is_held_here
from interp_pool._core.states import PoolState, WorkerState
from interp_pool._core.worker_book import ACTIVE
from interp_pool._options.checks import check_sizes
from interp_pool._pool.waits import count_nested
from interp_pool._process.timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.statistics import Statistics
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._process.timer import Call
    from interp_pool._workers.handle import Worker


_SHORTEST = 0.01  # seconds between two looks for idle workers


class Sizing:
    """How many workers and waiting tasks one pool has. Thread safety: all methods."""

    __slots__ = ("_idle_call", "_kernel")

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._idle_call: Call | None = None  # guarded by the lock

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay; None leaves a number as it is.

        Workers that are too many end once they have done what they do. Never blocks.

        Raises:
            TypeError: a number is not an int.
            ValueError: it is out of range.
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down.
        """
        if self._kernel.later(partial(self._resize_after_all, max_workers, min_workers)):
            self._kernel.check_open()
            self._check_sizes(max_workers, min_workers)
            return
        error = self._kernel.step(partial(self._resize, max_workers, min_workers))
        if error is not None:
            raise error

    def renew(self) -> None:
        """Have each worker end once it has done what it does; others take their places for the work there is.

        One that looks for call items ends at W1, as above, unless it finds one first. What is submitted after this has
        returned is none of these: they have been heard of by then. A worker that does something else looks at its cell
        before it looks for a call item.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down.

        Blocks: until the workers that have no task have said that they end, some ms. Not in a callback of a future, nor
            in a signal handler that has interrupted a step of the pool.
        """
        if self._kernel.later(partial(self._kernel.step, self._renew)):
            self._kernel.check_open()
            return
        told = self._kernel.step(self._renew)
        if isinstance(told, Exception):
            raise told
        if not self._kernel.is_managed_here:
            self._kernel.reader.call_off()
            while (waiter := self._kernel.step(partial(self._look_at_renewed, told))) is not None:
                waiter.acquire(timeout=_SHORTEST)  # nobody tells that one has found a task instead

    def _renew(self) -> "list[Worker] | Exception":
        error = self._kernel.refusal()
        if error is not None:
            return error
        staff = self._kernel.staff
        told = [worker for worker in (*staff.workers.values(), *staff.stuck.values()) if worker.is_started]
        for worker in told:
            worker.renew()
        self._kernel.calls.queue.ring_all()  # T2
        return told

    def _look_at_renewed(self, told: "list[Worker]") -> "Any":
        """Return what to wait for, None if none of these can take another call item."""
        present = self._kernel.staff.workers
        told[:] = [worker for worker in told if worker.number in present and worker.may_take_another]
        return self._kernel.changed.enter() if told and self._kernel.core.is_alive else None

    def _resize(self, max_workers: int | None, min_workers: int | None) -> Exception | None:
        error = self._kernel.refusal()
        if error is not None:
            return error
        try:
            most, least = self._check_sizes(max_workers, min_workers)
        except (TypeError, ValueError) as exc:
            return exc
        self._kernel.perform(self._kernel.core.resize(most, least))
        self._kernel.want_workers()
        return None

    def _resize_after_all(self, max_workers: int | None, min_workers: int | None) -> None:
        try:
            self.resize(max_workers, min_workers=min_workers)
        except (TypeError, ValueError, RuntimeError):
            pass  # whoever asked for it in the middle of a step was told; or the pool has been shut down since

    def _check_sizes(self, max_workers: int | None, min_workers: int | None) -> tuple[int, int]:
        most = self._kernel.staff.max_workers if max_workers is None else max_workers
        least = self._kernel.staff.min_workers if min_workers is None else min_workers
        check_sizes(most, least)
        return most, least

    def tell_submitters(self) -> None:
        """Have those who submit, or take items for a map, look whether their executor still takes tasks."""
        self._kernel.step(self._tell_submitters)

    def statistics(self) -> "Statistics":
        """Return a snapshot of the pool's counts."""
        if self._kernel.tasks.has_cancelled and not is_held_here(self._kernel.lock):
            self._kernel.step(self._kernel.drop_cancelled)
        return self._kernel.step(self._count)

    def wait_done(self, open_tasks: "OpenTasks") -> None:
        """Block until no task of an executor is open."""
        self.begin_waiting()
        try:
            open_tasks.wait_done()
        finally:
            self.end_waiting()

    def begin_waiting(self) -> None:
        """Have the manager drop what is cancelled from now on; see `wait_done`."""
        self._kernel.step(self._begin_waiting)

    def end_waiting(self) -> None:
        """Somebody waits no more; see `wait_done`."""
        self._kernel.step(self._end_waiting)

    def _begin_waiting(self) -> None:
        self._kernel.room_wanted += 1  # from now on the manager drops what is cancelled
        self._kernel.drop_cancelled()

    def _end_waiting(self) -> None:
        self._kernel.room_wanted -= 1

    # Everything below is called with the lock held, but for _end_idle.

    def _tell_submitters(self) -> None:
        self._kernel.changed.wake_all()
        for run in [*self._kernel.core.open_maps]:
            run.call_for_items()

    def _count(self) -> "Statistics":
        from interp_pool._core.histogram import Meters
        from interp_pool._core.statistics import Statistics

        # One that runs its first task is busy, whether or not the manager has heard that it is ready.
        active = [worker for worker in self._kernel.staff.workers.values() if worker.state in ACTIVE]
        are_busy = [worker.task != 0 for worker in active]
        busy = sum(are_busy)
        starting = sum(
            worker.state is WorkerState.STARTING and not is_busy
            for worker, is_busy in zip(active, are_busy, strict=True)
        )
        tasks = self._kernel.tasks
        meters = tasks.meters or (Meters() if self._kernel.options.is_metered else None)
        buried = self._kernel.nested.count_buried()  # these have begun, and wait
        in_place, deepest, waits = count_nested(self._kernel) if self._kernel.nested.submitted else (0, 0, ())
        return Statistics(
            workers_starting=starting,
            workers_idle=len(active) - starting - busy,
            workers_busy=busy,
            workers_leaving=len(self._kernel.staff.workers) - len(active),
            workers_abandoned=len(self._kernel.staff.stuck),
            workers_lent=sum(self._kernel.staff.leases.values()),
            tasks_waiting=tasks.count_waiting(),
            tasks_sent=max(0, len(tasks.in_flight) - busy - buried),
            tasks_running=busy + buried,
            tasks_ended=tasks.count_ended(),
            interrupts=tasks.interrupts,
            timeouts=tasks.timeouts,
            abandoned=self._kernel.staff.abandonings,
            restarts=self._kernel.staff.restarts,
            tasks_in_processes=0,
            tasks_in_threads=0,
            messages_sent=tasks.last_work_id,
            messages_received=tasks.messages_received,
            bytes_sent=tasks.bytes_sent,
            bytes_received=tasks.bytes_received,
            tasks_nested=self._kernel.nested.submitted,
            tasks_in_place=in_place,
            deepest_nesting=deepest,
            workers_extra=self._kernel.staff.extra,
            waits=waits,
            run_times=None if meters is None else meters.run.read(),
            wait_times=None if meters is None else meters.wait.read(),
            encode_times=None if meters is None else meters.encode.read(),
        )

    def room(self, open_tasks: "OpenTasks | None", waiter: "Any" = None) -> "Any":
        """Before a submission to a pool with a limited backlog: return None, what to wait for, or the error.

        A thread that settles futures does not wait: it would wait for itself.

        Args:
            open_tasks: of the executor that submits, if it shares the pool.
            waiter: is returned as what to wait for, if it is given; its `release` is called when there may be room.
        """
        limit = self._kernel.options.max_backlog
        if limit is None or len(self._kernel.tasks.backlog) < limit or self._kernel.is_managed_here:
            return None
        if (
            self._kernel.tasks.has_cancelled
            and self._kernel.drop_cancelled()
            and len(self._kernel.tasks.backlog) < limit
        ):
            return None
        if self._kernel.options.when_full == "raise":
            return QueueFull(f"{limit} tasks wait already, which is max_backlog")
        if open_tasks is not None and open_tasks.is_closed:
            return RuntimeError("cannot schedule new futures after shutdown")
        return self._kernel.changed.enter(waiter)

    def watch_for_idleness(self) -> None:
        """Have the timer end workers that have nothing to do."""
        seconds = self._kernel.options.idle_timeout
        staff = self._kernel.staff
        is_needed = self._kernel.core.state is PoolState.RUNNING and staff.unsentenced > staff.min_workers
        if self._idle_call is None and seconds is not None and is_needed:
            self._look_for_idle()
            try:
                self._idle_call = timer.call_at(monotonic() + max(seconds, _SHORTEST), self._end_idle)
            except (RuntimeError, MemoryError):
                pass  # no thread for the timer: asked for again with the next message

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        if self._idle_call is not None:
            self._idle_call.cancel()
            self._idle_call = None

    def _end_idle(self) -> None:
        """Called by the timer."""
        with self._kernel.lock:
            self._idle_call = None
            if self._kernel.core.state is not PoolState.RUNNING:
                return
            staff = self._kernel.staff
            needed = max(staff.min_workers, len(self._kernel.tasks.in_flight))
            idle = self._look_for_idle()
            idle.sort(key=_last_task_of)
            count = max(0, min(staff.unsentenced - needed, staff.max_workers - staff.count_left()))
            for worker in idle[:count]:
                worker.retire()  # T1
            if idle[:count]:
                self._kernel.calls.queue.ring_all()  # T2
            self.watch_for_idleness()

    def _look_for_idle(self) -> "list[Worker]":
        """Return the workers that had nothing to do since the last look."""
        idle = [worker for worker in self._kernel.staff.workers.values() if worker.look_whether_idle()]
        return [worker for worker in idle if worker.state is WorkerState.READY]


def _last_task_of(worker: "Worker") -> int:
    return worker.last_task
