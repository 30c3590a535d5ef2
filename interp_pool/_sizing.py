"""How many workers there are, how many tasks may wait, and the counts of all that.

Owns the sizing of a pool after its start. Workers come when there is work for them, up to `max_workers`, and at once up
to `min_workers`. They go when no task was sent for `idle_timeout`: the timer compares the number of the last task with
the one it saw the last time. So a pool that has anything to do keeps its workers, and a task costs nothing for it.

A backlog with a limit makes `submit` wait, on the pool's condition, or refuse.
"""

from threading import current_thread
from time import monotonic

from interp_api import QueueFull
from interp_pool._dispatch import ACTIVE
from interp_pool._ending import Ending
from interp_pool._lazy_future import start
from interp_pool._ledger import holding, release_if_held
from interp_pool._lifecycle import PoolState, WorkerState
from interp_pool._options import check_sizes
from interp_pool._timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._ledger import Ledger
    from interp_pool._options import PoolOptions
    from interp_pool._statistics import Statistics
    from interp_pool._timer import Call


_SHORTEST = 0.01  # seconds between two looks for idle workers


class Sizing(Ending):
    """Ending, and the sizing of the pool."""

    __slots__ = ("_idle_call", "_last_seen")

    def __init__(self, options: "PoolOptions") -> None:
        super().__init__(options)
        self._idle_call: Call | None = None  # guarded by self._lock, as what follows
        self._last_seen = 0  # work id

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay; None leaves a number as it is.

        Workers that are too many end once they have done what they do. Never blocks.

        Raises:
            TypeError: a number is not an int.
            ValueError: it is out of range.
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down.
        """
        try:
            with self._lock:
                self._check_open()
                most = self._max_workers if max_workers is None else max_workers
                least = self._min_workers if min_workers is None else min_workers
                check_sizes(most, least)
                self._max_workers, self._min_workers = most, least
                room = max(0, most - len(self._leases))
                self._stop_workers(max(0, self._active - self._ends - room))
                self._want_workers()
                self._changed.notify_all()
        except BaseException:
            release_if_held(self._lock)
            raise

    def tell_submitters(self) -> None:
        """Have those who wait for room in the backlog look whether their executor still takes tasks."""
        holding(self._lock, self._changed.notify_all)

    def statistics(self) -> "Statistics":
        """Return a snapshot of the pool's counts."""
        return holding(self._lock, self._count)

    # Everything below is called with self._lock held, but for _end_idle.

    def _count(self) -> "Statistics":
        from interp_pool._statistics import Statistics

        # One that runs its first task is busy, whether or not the manager has heard that it is ready.
        active = [worker for worker in self._workers.values() if worker.state in ACTIVE]
        are_busy = [worker.task != 0 for worker in active]
        busy = sum(are_busy)
        starting = sum(
            worker.state is WorkerState.STARTING and not is_busy
            for worker, is_busy in zip(active, are_busy, strict=True)
        )
        return Statistics(
            workers_starting=starting,
            workers_idle=len(active) - starting - busy,
            workers_busy=busy,
            workers_leaving=len(self._workers) - len(active),
            workers_abandoned=len(self._abandoned),
            workers_lent=sum(self._leases.values()),
            tasks_waiting=len(self._backlog),
            tasks_sent=max(0, len(self._in_flight) - busy),
            tasks_running=busy,
            tasks_ended=self._last_work_id - len(self._in_flight),
            interrupts=self._interrupts,
            timeouts=self._timeouts,
            abandoned=self._abandonings,
            restarts=self._restarts,
            messages_sent=self._last_work_id,
            messages_received=self._last_work_id - len(self._in_flight) - self._recalled + self._parts,
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
        )

    def _wait_for_room(self, ledger: "Ledger | None") -> None:
        """Before a submission to a pool with a limited backlog: wait until there is room, or refuse.

        A thread that settles futures does not wait: it would wait for itself.
        """
        limit = self._options.max_backlog
        self._room_wanted += 1
        try:
            while limit is not None and len(self._backlog) >= limit and self._manager is not current_thread():
                if self._drop_cancelled():
                    continue
                if self._options.when_full == "raise":
                    raise QueueFull(f"{limit} tasks wait already, which is max_backlog")
                self._changed.wait()
                self._check_open()
                if ledger is not None and ledger.is_closed:
                    raise RuntimeError("cannot schedule new futures after shutdown")
        finally:
            self._room_wanted -= 1

    def _drop_cancelled(self) -> bool:
        """Take what was cancelled out of the backlog; return whether there was any."""
        cancelled = [item for item in self._backlog if item.future.cancelled()]
        for item in cancelled:
            start(item.future)  # which tells those who wait that it never will
            item.end()
            self._backlog.remove(item)
        return bool(cancelled)

    def _watch_for_idleness(self) -> None:
        """Have the timer end workers that have nothing to do."""
        seconds = self._options.idle_timeout
        is_needed = self._state is PoolState.RUNNING and self._active - self._ends > self._min_workers
        if self._idle_call is None and seconds is not None and is_needed:
            self._last_seen = self._last_work_id
            self._idle_call = timer.call_at(monotonic() + max(seconds, _SHORTEST), self._end_idle)

    def _call_off_timers(self) -> None:
        super()._call_off_timers()
        if self._idle_call is not None:
            self._idle_call.call_off()
            self._idle_call = None
        self._todo.append(timer.rest)  # who waits for the pool's end finds no thread left

    def _end_idle(self) -> None:
        """Called by the timer."""
        with self._lock:
            self._idle_call = None
            if self._state is not PoolState.RUNNING:
                return
            if self._last_seen == self._last_work_id:
                needed = max(self._min_workers, len(self._in_flight))
                self._stop_workers(max(0, self._active - self._ends - needed))
            self._watch_for_idleness()
