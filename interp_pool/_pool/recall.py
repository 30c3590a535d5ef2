"""Taking back what was sent to the workers and none of them has begun.

Owns the look for tasks that are no longer wanted. Tasks are sent a few milliseconds ahead, and where the first ones
were quick, that may be all there are: to its user a task that lies in the calls queue waits like any other. The timer's
thread takes them back, because nothing strikes there (`_pool.calls`).
"""

import threading
from _thread import allocate_lock
from functools import partial

from interp_pool._core.worker_book import ACTIVE
from interp_pool._futures.task_future import PATIENCE
from interp_pool._pool.outcomes import call_off, cancel
from interp_pool._process.timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.open_tasks import OpenTasks


class Recall:
    """Takes back what was sent to the workers of one pool. Thread safety: all methods."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel

    def recall(self, futures: "Collection[TaskFuture[Any]]") -> None:
        """Cancel those of some futures whose tasks were sent to the workers, and that none of them has begun.

        Args:
            futures: of this pool.

        Blocks: until that is done, some 0.2 ms. Not in a callback of a future, nor where a signal handler or a
            finalizer has interrupted the pool's own code: then it is done soon.
        """
        if self._kernel.later(partial(self.recall, futures)) or not self._kernel.step(
            partial(self._find_sent, futures)
        ):
            return
        self._by_timer(partial(self._take_back_calls, futures))

    def cancel_waiting(self, open_tasks: "OpenTasks | None" = None) -> None:
        """Cancel the tasks, of one executor or of all, that no worker has begun with.

        Blocks: until that is done, some 0.2 ms. Not in a callback of a future.
        """
        if not self._kernel.later(partial(self.cancel_waiting, open_tasks)):
            self._by_timer(partial(self._cancel_waiting, open_tasks))

    def _cancel_waiting(self, open_tasks: "OpenTasks | None") -> None:
        """Called by the timer, with the lock held."""
        sent = [item.future for item in self._find_waiting() if open_tasks is None or item.open_tasks is open_tasks]
        self._kernel.todo.extend(
            run.drop for run in [*self._kernel.core.open_maps] if open_tasks is None or run.open_tasks is open_tasks
        )
        cancelled = self._kernel.tasks.take_waiting(lambda item: open_tasks is None or item.open_tasks is open_tasks)
        self._kernel.todo.extend(partial(cancel, item) for item in cancelled)
        self._kernel.changed.wake_all()  # who waits for room in the backlog
        self._take_back_calls(sent)
        self._kernel.end_if_done()

    def _by_timer(self, action: "Callable[[], object]") -> None:
        """Have the timer's thread, which nothing strikes, take a step, and wait until the manager has followed it."""
        is_done = allocate_lock()
        is_done.acquire()
        timer.call_at(0.0, partial(self._act_and_tell, action, is_done.release))
        if self._kernel.manager is not threading.current_thread():
            is_done.acquire(timeout=PATIENCE)  # a signal handler may have interrupted what holds a future's condition
            if self._kernel.is_closed:
                timer.rest()  # the pool's own rest came before that: who waited for its end finds no thread left

    def _act_and_tell(self, action: "Callable[[], object]", tell: "Callable[[], object]") -> None:
        with self._kernel.lock:
            action()
            is_closed = self._kernel.is_closed  # then nobody is left to follow
            if not is_closed:
                self._kernel.todo.append(tell)
        self._kernel.carry_out_soon()
        if is_closed:
            tell()

    def _take_back_calls(self, futures: "Collection[TaskFuture[Any]]") -> None:
        """Called by the timer, with the lock held."""
        if futures:
            items = self._find_sent(futures)
            recalled = self._kernel.calls.take_back({item.work_id for item in items if item.work_id is not None})
            for item in items:
                if item.work_id in recalled:
                    self._kernel.tasks.recalled += 1
                    self._kernel.tasks.in_flight.pop(item.work_id, None)
                    self._kernel.todo.append(partial(call_off, item))
                    self._kernel.note_stopped(item)
            if recalled:
                self.fill_the_gap()

    # Everything below is called with the lock held.

    def _find_waiting(self) -> "list[Task]":
        """Return the tasks that were sent and that no worker is free for: the others are as good as begun."""
        running = {worker.task for worker in self._kernel.staff.workers.values()}
        sent = [item for work_id, item in self._kernel.tasks.in_flight.items() if work_id not in running]
        free = self._kernel.staff.active - sum(
            worker.state in ACTIVE and worker.task != 0 for worker in self._kernel.staff.workers.values()
        )
        return sent[max(0, free) :]

    def _find_sent(self, futures: "Collection[TaskFuture[Any]]") -> "list[Task]":
        """Return the tasks of some futures that were sent and that no worker seems to run."""
        wanted = set(map(id, futures))
        running = {worker.task for worker in self._kernel.staff.workers.values()}
        return [
            item
            for work_id, item in self._kernel.tasks.in_flight.items()
            if id(item.future) in wanted and work_id not in running
        ]

    def fill_the_gap(self) -> None:
        """Go on where tasks or a worker were taken out: others may wait for room in the backlog, or for the place."""
        self._kernel.changed.wake_all()
        if self._kernel.core.is_alive:
            self._kernel.top_up()
        self._kernel.end_if_done()
