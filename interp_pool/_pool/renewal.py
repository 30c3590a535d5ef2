"""Keeping the queues of a pool before those that others make: see `PoolQueue.renew`.

Owns when that can be done: while nobody but the pool's own threads has anything to put. So no task may be in flight,
and no worker may start or be about to end. A pool that always has tasks in flight stays where it is.

Called with the lock held.
"""

from interp_pool._core.states import WorkerState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._pool.kernel import Kernel

SPACING = 1000  # tasks at least between two moves, of 0.14 ms: other pools move before this one in turn


class Renewal:
    """Renews the queues of one pool."""

    __slots__ = ("_kernel", "_looked_at")

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self._looked_at = -SPACING  # the number of tasks by then

    def look(self) -> None:
        """Renew the queues if many others are before them, nothing is in flight, and it is time to look."""
        kernel = self._kernel
        since = kernel.tasks.last_work_id - self._looked_at  # less than nothing in a forked child, which starts anew
        if 0 <= since < SPACING or not self._is_quiet():
            return
        self._looked_at = kernel.tasks.last_work_id
        kernel.calls.queue.renew()
        kernel.results.renew()

    def _is_quiet(self) -> bool:
        options, staff = self._kernel.options, self._kernel.staff
        if options.max_tasks_per_child or options.max_leftover_threads is not None:
            return False  # one that is done with a task may be about to say that it ends
        if staff.stuck or staff.stop_sentinels:
            return False
        return all(worker.state is WorkerState.READY and worker.is_quiet for worker in staff.workers.values())
