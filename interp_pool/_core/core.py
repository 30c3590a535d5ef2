"""PoolCore: what a pool knows and decides. Events in, instructions out; no lock, thread, queue, clock or interpreter.

Owns the pool's state and its books. A hot step, such as taking a task, is a method of a book, called by who does the
rest of it. Whatever is rare enters as an event here and returns instructions, pairs of what to do and with what, which
the kernel, and for a worker's messages the manager, perform in their order.

    submit, messages of workers, timer, users        PoolCore         kernel, manager
    ------------------------------------------> state, TaskBook,  ----------------------> queues, threads, futures
                     events                        WorkerBook          instructions

Whoever takes a step can be struck by an exception between two lines. So a step writes its truth before what is derived
from it, each in one C call; `audit` derives the rest anew.
"""

from interp_pool._core.states import Instruction, PoolEvent, PoolState, step_pool
from interp_pool._core.task_book import MOST_SENT, TaskBook
from interp_pool._core.worker_book import WorkerBook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.ports import OpenMap, WorkerHandle
    from interp_pool._core.states import WorkerEvent
    from interp_pool._core.task import Task

    type Instructions = list[tuple[Instruction, Any]]

_ALIVE = (PoolState.RUNNING, PoolState.DRAINING)


class PoolCore[W: "WorkerHandle", M: "OpenMap"]:
    """The state and the books of a pool. Not thread-safe: guarded by the pool's lock, but for what says otherwise."""

    __slots__ = ("broken", "coming", "is_pausing", "open_maps", "refuses", "state", "tasks", "workers")

    def __init__(self, make_worker: "Callable[[int], W]", max_workers: int, min_workers: int) -> None:
        """Make the books of a pool that runs.

        Args:
            make_worker: makes what stands for a worker of a number.
            max_workers: most workers and leases at a time.
            min_workers: so many stay without work.
        """
        self.state = PoolState.RUNNING
        self.tasks = TaskBook()
        self.workers: WorkerBook[W] = WorkerBook(make_worker, max_workers, min_workers)
        self.open_maps: set[M] = set()
        self.broken: BaseException | str | None = None
        self.refuses = False  # a shutdown has begun, or was asked for in the middle of a step; set without the lock
        self.is_pausing = False  # for a fork
        self.coming = 0  # messages with tasks of tasks that are about to be taken: it does not end before

    @property
    def is_alive(self) -> bool:
        """Whether it takes tasks, or finishes those that it took."""
        return self.state in _ALIVE

    def set_window(self) -> None:
        """Decide how many tasks may be in flight."""
        self.tasks.set_window(self.workers.active, is_pausing=self.is_pausing)

    def note_failed_start(self) -> int:
        """The last worker could not start, or was lost before it had a task; return how often in a row that was so."""
        self._forgive_failed_starts()
        self.workers.failed_starts += 1
        self.workers.ended_before = self.tasks.count_ended()
        return self.workers.failed_starts

    def _forgive_failed_starts(self) -> None:
        # That a worker is ready shows little: it may be lost before it does anything.
        if self.workers.failed_starts and self.tasks.count_ended() > self.workers.ended_before:
            self.workers.failed_starts = 0

    def add_wanted_workers(self, now: float) -> bool:
        """Make the workers that there is work for; return whether there are any to start."""
        self._forgive_failed_starts()
        least = self.workers.min_workers if self.state is PoolState.RUNNING else 0
        if self.is_pausing or not self.workers.add_wanted(self.tasks.count, least, now):
            return False
        self.set_window()
        return True

    def ask_shutdown(self) -> "Instructions":
        """Refuse further tasks; end when those that were taken have."""
        return self._step(PoolEvent.SHUTDOWN_ASKED)

    def break_(self, cause: BaseException) -> "Instructions":
        """No worker can start."""
        self.broken = cause
        return self._step(PoolEvent.INITIALIZER_FAILED)

    def fail(self, cause: BaseException) -> "Instructions":
        """An error in the pool's own code has ended the manager."""
        self.broken = cause
        return self._step(PoolEvent.MANAGER_FAILED)

    def end_if_done(self) -> "Instructions":
        """Go on towards the end of a pool that is shut down, or broken, if nothing is left to do."""
        instructions: Instructions = []
        if self.state is PoolState.DRAINING and self.tasks.is_empty and not (self.open_maps or self.coming):
            instructions += self._step(PoolEvent.WORK_FINISHED)
        if self.state in (PoolState.STOPPING, PoolState.BROKEN):
            for worker in self.workers.unstarted():
                self.workers.drop(worker)
            if not self.workers.workers:
                instructions += self._step(PoolEvent.WORKERS_GONE)
        return instructions

    def worker_told(
        self, worker: W, event: "WorkerEvent", *, took_sentinel: bool = False, is_retired: bool = False
    ) -> "Instructions":
        """A worker has said what happened to it; see `WorkerBook.step`."""
        given = self.workers.step(worker, event, took_sentinel=took_sentinel, is_retired=is_retired)
        return [(instruction, worker) for instruction in given]

    def worker_returned(self, work_id: int) -> "tuple[W | None, Instructions]":
        """The task of a worker that was given up has ended: count on it again, and end one if there are too many."""
        if self.state is PoolState.CLOSED:
            return None, []  # it is let go soon
        worker = self.workers.take_back(work_id)
        count = 0
        if worker is not None:
            count = self.workers.surplus if self.is_alive else 1
        return worker, [(Instruction.STOP_WORKERS, count)] if count else []

    def resize(self, max_workers: int, min_workers: int) -> "Instructions":
        """Change how many workers there may be, and how many stay."""
        self.workers.max_workers, self.workers.min_workers = max_workers, min_workers
        return self._stop_surplus()

    def relieve(self, extra: int) -> "Instructions":
        """Change how many workers there may be beyond the most, in place of those whose tasks stall."""
        workers = self.workers
        workers.extra, workers.most_extra = extra, max(extra, workers.most_extra)
        return self._stop_surplus()

    def _stop_surplus(self) -> "Instructions":
        surplus = self.workers.surplus
        return [(Instruction.STOP_WORKERS, surplus)] if surplus else []

    def audit(self, *, is_managed: bool) -> "list[Task]":
        """Derive the books anew from what their entries tell of themselves; return tasks that nobody will send.

        Args:
            is_managed: whether there is a thread that starts workers.
        """
        self.workers.audit(is_managed=is_managed)
        for run in [run for run in self.open_maps if run.is_dropped]:
            self.open_maps.discard(run)
        return self.tasks.audit()

    def check(self) -> None:
        """Assert what holds whenever the lock is free."""
        self.workers.check()
        tasks = self.tasks
        assert not set(self.workers.stuck) & set(tasks.in_flight)
        assert len(tasks.in_flight) <= MOST_SENT
        if self.is_alive:
            assert self.is_pausing or not tasks.backlog or tasks.in_flight
        else:
            assert tasks.is_empty
        if self.state is PoolState.CLOSED:
            assert not self.workers.workers

    def _step(self, event: PoolEvent) -> "Instructions":
        self.state, given = step_pool(self.state, event)
        return [(what, self.tasks.take_all() if what is Instruction.FAIL_TASKS else None) for what in given]
