"""Looking for batches of `map` that keep items a worker without work could run.

Owns when a worker is asked to give back what it has not begun. How it does that is `_worker.batch`'s, and what becomes
of it `_executor.map_run`'s.

A batch is overdue when it takes much longer than its items were expected to. Its worker is asked once, and only while
another worker has nothing to do and its map has nothing else to send: otherwise splitting it gains nothing. A worker
begins with a batch without telling anybody, so the timer looks: soon after a batch was sent or a task has ended with
workers left without work, and again when the first of the batches that run is overdue. Once all that run have been
asked, or nobody is without work, it looks no more until the next such event. Waking the timer costs as much as a
message, and small maps follow each other: so what was sent meanwhile has it look once more, before it sleeps on.
"""

from time import monotonic

from interp_pool._core.batch_sizes import LATE
from interp_pool._process.timer import timer
from interp_pool._wire.messages import SPLIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.timer import Call

_LONGEST = 0.1  # seconds until another look at batches that no worker has begun: one may just be starting


class Overdue:
    """Has overdue batches of one pool split. Thread safety: all methods."""

    __slots__ = ("__weakref__", "_has_sent_since", "_kernel", "_patience", "_rest_look")

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        # Set with or without the lock, perhaps after it has come: a second look does no harm, nor does a past one.
        self._rest_look: Call | None = None
        self._has_sent_since = False  # a batch, since the last look; set as _rest_look is
        self._patience = LATE  # seconds until the next look, if no batch that runs says when

    @property
    def is_looking(self) -> bool:
        """Whether a look is to come, which will see what has been sent before this is asked. Needs no lock."""
        look = self._rest_look
        return look is not None and look.is_to_come

    @property
    def has_idle(self) -> bool:
        """Whether a worker has nothing to do, or could be started, and no task waits. Needs no lock."""
        tasks = self._kernel.tasks
        return not tasks.backlog and len(tasks.in_flight) < self._kernel.staff.room

    def watch_batches(self) -> None:
        """If a worker has nothing to do, look soon whether a batch that was just sent takes too long. Never blocks."""
        if self.is_looking:
            self._has_sent_since = True
        elif self.has_idle:  # without the lock: a task that ends just now looks again
            self._look_soon()

    def _look_for_rest(self) -> None:
        """Called by the timer."""
        with self._kernel.lock:
            has_sent, self._has_sent_since = self._has_sent_since, False
            wait = self._ask_for_rest() or (2 * LATE if has_sent and self._kernel.core.open_maps else None)
            if wait is not None and not self.is_looking:
                self._rest_look = timer.call_at(monotonic() + wait, self._look_for_rest)

    # Everything below is called with the lock held, but for _look_soon, which need not be.

    def watch_if_idle(self) -> None:
        """If a worker has nothing to do, look soon whether a batch of another one should be split."""
        if not self.is_looking and self.has_idle and any(map(_is_worth_a_look, self._kernel.tasks.in_flight.values())):
            self._look_soon()

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        if self._rest_look is not None:
            self._rest_look.cancel()

    def _look_soon(self) -> None:
        self._patience = LATE
        try:
            self._rest_look = timer.call_at(monotonic() + LATE, self._look_for_rest)
        except (RuntimeError, MemoryError):
            pass  # no thread for the timer: batches stay whole until the next event

    def _ask_for_rest(self) -> float | None:
        """Have overdue batches split; return the seconds until the next look, None if it takes an event first."""
        if not self._kernel.core.open_maps or not self.has_idle:
            return None
        sent = {work_id for work_id, item in self._kernel.tasks.in_flight.items() if _is_worth_a_look(item)}
        next_look: float | None = None
        for worker in self._kernel.staff.workers.values() if sent else ():
            work_id = worker.task
            if work_id not in sent:
                continue
            sent.discard(work_id)
            if worker.asked_for_rest_of == work_id:
                continue
            item = self._kernel.tasks.in_flight[work_id]
            future: Any = item.future  # a BatchFuture
            running = worker.seconds_running
            left = LATE if running is None else future.run.lateness(item.count or 1) - running
            if left <= 0:
                worker.give_back(work_id)
            else:
                next_look = left if next_look is None else min(next_look, left)
        if sent:  # on their way to a worker, or from there
            self._patience = min(2 * self._patience, _LONGEST)
            next_look = self._patience if next_look is None else min(next_look, self._patience)
        return next_look


def _is_worth_a_look(item: "Task") -> bool:
    """Return whether it is a batch that can be split, of a map that has nothing else to send."""
    future: Any = item.future  # a BatchFuture, if it can be split
    return bool(item.flags & SPLIT) and future.run.is_all_sent
