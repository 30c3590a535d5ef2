"""Which workers a pool has, how many it wants, and what takes the place of one.

Owns the counts of workers, leases and stop sentinels. It must not know queues, threads, interpreters or clocks. A
worker is whatever `make` returns, with the attributes of `ports.WorkerHandle`; times are given.

Ends: a stop sentinel in the calls queue ends whichever worker takes it. One meant for a worker that was lost, or that
reached its task limit first, ends another, which is replaced if there is work.
"""

from interp_pool._core.states import WorkerEvent, WorkerState, step_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._core.lease import Lease
    from interp_pool._core.ports import WorkerHandle
    from interp_pool._core.states import Instruction

ACTIVE = (WorkerState.STARTING, WorkerState.READY)


class WorkerBook[W: "WorkerHandle"]:
    """The workers of a pool. Not thread-safe: guarded by the pool's lock."""

    __slots__ = (
        "abandonings",
        "active",
        "ended_before",
        "extra",
        "failed_starts",
        "is_short",
        "leases",
        "make",
        "max_workers",
        "min_workers",
        "most_extra",
        "next_number",
        "restarts",
        "resume_starts_at",
        "stop_sentinels",
        "stuck",
        "vacancies",
        "workers",
    )

    def __init__(self, make: "Callable[[int], W]", max_workers: int, min_workers: int) -> None:
        self.make = make
        self.max_workers, self.min_workers = max_workers, min_workers
        self.extra = self.most_extra = 0  # workers more, in place of those whose tasks stall; most of them so far
        self.workers: dict[int, W] = {}
        # By the task that does not stop, or a negative number if it is something else.
        self.stuck: dict[int, W] = {}
        self.active = 0  # workers that take call items or soon will
        self.stop_sentinels = 0  # in the calls queue; that no worker has taken
        self.leases: dict[Lease, bool] = {}  # each takes a worker's place; whether it was given
        self.vacancies = 0  # workers that are to be replaced
        self.next_number = 0
        self.is_short = False  # of workers that could not start
        self.failed_starts = 0  # in a row, when there was no other worker, and without a task that has ended since
        self.ended_before = 0  # how many tasks had ended at the last of them
        self.resume_starts_at = 0.0  # on the monotonic clock
        # What happened so far.
        self.abandonings = self.restarts = 0

    @property
    def room(self) -> int:
        """How many workers there may be beside the leases."""
        return max(0, self.max_workers + self.extra - len(self.leases))

    @property
    def unsentenced(self) -> int:
        """How many have not been sent an end."""
        return max(0, self.active - self.stop_sentinels)

    @property
    def surplus(self) -> int:
        """How many workers are too many, and have not been sent an end."""
        return max(0, self.unsentenced - self.room)

    def count_left(self) -> int:
        """Return how many have nothing to do but close their interpreter, where a task may have left a thread."""
        return sum(worker.state is WorkerState.LEFT for worker in self.workers.values())

    def find(self, work_id: int) -> "W | None":
        """Return the worker that runs a task."""
        for worker in self.workers.values():
            if worker.task == work_id:
                return worker
        return None

    def unstarted(self) -> list[W]:
        """Return those whose threads were not started yet."""
        return [worker for worker in self.workers.values() if not worker.is_started]

    def add_wanted(self, tasks: int, least: int, now: float) -> bool:
        """Make the workers that there is work for; return whether there were any to make.

        Args:
            tasks: that wait or are in flight.
            least: so many stay without work.
            now: on the monotonic clock.
        """
        room = self.room
        wanted = min(room, max(least, tasks))
        left = self.count_left()
        present = len(self.workers) - left
        if self.active:
            room -= max(0, left - self.max_workers)  # enough of them wait; the others go on
        if self.active >= wanted or present >= room or now < self.resume_starts_at:
            return False
        if self.is_short or self.failed_starts:  # one at a time: they would take from each other what is left
            if any(worker.state is WorkerState.STARTING for worker in self.workers.values()):
                return False
            wanted = self.active + 1
        while self.active < wanted and present < room:
            present += 1
            number = self.next_number
            self.next_number += 1
            self.workers[number] = self.make(number)
            self.active += 1
            if self.vacancies:
                self.vacancies -= 1
                self.restarts += 1
        self.allow_leaving()
        return True

    def allow_leaving(self) -> None:
        """Allow workers to end at a limit although their interpreters cannot be closed yet, because of threads.

        As many as `max_workers` may, until these are closed; others go on beyond their limit. So there are never more
        than so many interpreters that only wait, and never none that works.
        """
        free = self.max_workers - sum(
            worker.may_leave or worker.state in (WorkerState.LEAVING, WorkerState.LEFT)
            for worker in self.workers.values()
        )
        for worker in self.workers.values():
            if free <= 0:
                return
            if not worker.may_leave and worker.state in ACTIVE:
                worker.may_leave = True
                free -= 1

    def drop(self, worker: W) -> None:
        """Forget a worker whose thread was not started."""
        del self.workers[worker.number]
        self.active -= 1

    def release_all(self) -> "list[W]":
        """Forget every worker; return them."""
        released = [*self.workers.values()]
        self.workers.clear()
        self.active = 0
        return released

    def step(
        self, worker: W, event: WorkerEvent, *, took_sentinel: bool = False, is_retired: bool = False
    ) -> "tuple[Instruction, ...]":
        """Enter what happened to a worker; return what is to be done.

        Args:
            worker: it.
            event: what happened.
            took_sentinel: whether it ends because it took one.
            is_retired: whether it ends because it had nothing to do: nobody takes its place.

        Raises:
            InvalidTransition: that cannot happen to it now.
        """
        was_active = worker.state in ACTIVE
        worker.state, instructions = step_worker(worker.state, event)
        self.active += (worker.state in ACTIVE) - was_active
        if was_active and worker.state not in ACTIVE:
            if took_sentinel:
                self.stop_sentinels = max(0, self.stop_sentinels - 1)
            elif not is_retired:
                self.vacancies += 1
        return instructions

    def forget(self, worker: W) -> None:
        """Forget a worker whose thread ends, and let others leave in its place."""
        del self.workers[worker.number]
        self.allow_leaving()

    def give_up(self, worker: W, work_id: int) -> None:
        """Go on without a worker whose task does not stop."""
        worker.is_dirty = True
        self.step(worker, WorkerEvent.WORKER_STUCK)
        self.abandonings += 1
        del self.workers[worker.number]
        self.stuck[work_id] = worker

    def leave_behind(self, worker: W) -> None:
        """Go on without a worker that keeps the pool from ending; nobody takes its place."""
        worker.is_dirty = True
        self.step(worker, WorkerEvent.WORKER_DETACHED, is_retired=True)
        del self.workers[worker.number]
        self.stuck[-1 - worker.number] = worker

    def take_back(self, work_id: int) -> "W | None":
        """Count again on a worker whose task has ended at last; return it, None if there is none."""
        worker = self.stuck.pop(work_id, None)
        if worker is not None:
            self.step(worker, WorkerEvent.WORKER_RETURNED)
            self.workers[worker.number] = worker
            self.vacancies = max(0, self.vacancies - 1)
        return worker

    def place(self, lease: "Lease") -> bool:
        """Give a lease the place of a worker, if one is free; from the first call on no worker starts in its place."""
        if lease not in self.leases:
            self.leases[lease] = False
        if len(self.workers) + sum(self.leases.values()) >= self.max_workers:
            return False
        self.leases[lease] = True
        return True

    def audit(self, *, is_managed: bool) -> None:
        """Derive the counts anew from the workers and leases there are.

        Args:
            is_managed: whether there is a thread that starts workers; otherwise those that were not are dropped.
        """
        if not is_managed:
            for worker in self.unstarted():
                del self.workers[worker.number]
        self.active = sum(worker.state in ACTIVE for worker in self.workers.values())
        for lease in [lease for lease in self.leases if lease.is_over]:
            del self.leases[lease]

    def check(self) -> None:
        """Assert what holds whenever the lock is free."""
        states = [worker.state for worker in self.workers.values()]
        assert self.active == sum(map(states.count, ACTIVE))
        # One that comes back after it was given up may be one too many, and one that has left does not count.
        clean = sum(not each.is_dirty and each.state is not WorkerState.LEFT for each in self.workers.values())
        assert clean + sum(self.leases.values()) <= self.max_workers + self.most_extra
        assert self.stop_sentinels >= 0
        assert WorkerState.DEAD not in states
