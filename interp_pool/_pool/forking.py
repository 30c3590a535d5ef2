"""A pool around a fork.

Owns how a pool gives its interpreters up before the process is forked, and what it is afterwards, in the parent and in
the child. Which pools there are, and in what order all this comes, is `_process.hooks`' and `_pool.process_hooks`'.

The runtime kills the child of a process in which another interpreter is left, before any Python code runs there: while
a task runs, nothing can be had but the parent's going on and a RuntimeWarning. So a fork waits a little.

    before      B1  nothing more is sent to the workers, and each gets an end, behind what it was sent before
                B2  wait until they have closed or given back their interpreters, and the manager has ended
    in parent   P1  ends that nobody has taken are taken back
                P2  what was submitted meanwhile is sent; workers start as for any task
    in child    C1  the pool is what a new one is, with its options and the sizes that `resize` gave it; one that was
                    shut down, or broken, stays so
                C2  the futures that are not done here get BrokenInterpreterPool: their tasks are the parent's. Nobody's
                    callbacks are called: they would do in the child what they do in the parent

B2 lasts while workers start or end, at most PATIENCE, or SOON if there are tasks for them; for tasks that run and for
callbacks at most BRIEFLY, and not at all for those for which a fork has waited in vain. However fast one fork follows
another, what was sent to workers is done: either within B2, or undisturbed.
"""

from functools import partial
from threading import current_thread, get_ident
from time import monotonic

from interp_pool._core.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

    from interp_pool._pool.kernel import Kernel
    from interp_pool._pool.manager import Manager

PATIENCE = 5.0  # seconds that a fork waits for workers without a task; one that is just starting needs some 0.05
SOON = 1.0  # seconds that it waits for workers that start, or end, while there are tasks for them
BRIEFLY = 0.1  # seconds that it waits for tasks that run


class _Patience:
    """How long a fork still waits for a pool."""

    def __init__(self, *, has_tasks: bool) -> None:
        self._latest = monotonic() + (SOON if has_tasks else PATIENCE)
        self._busy_until: float | None = None

    def left(self, *, is_busy: bool) -> float:
        """Return the seconds until another look at the pool, 0 if its time is up.

        Args:
            is_busy: whether somebody's code runs in it, now.
        """
        now = monotonic()
        if not is_busy:
            self._busy_until = None
        elif self._busy_until is None:
            self._busy_until = now + BRIEFLY
        # Nobody tells when a worker that has started begins with a task, so another look is taken after a while.
        until = min(now + BRIEFLY, self._latest) if self._busy_until is None else min(self._busy_until, self._latest)
        return max(0.0, until - now)


class Forking:
    """What one pool does around a fork. Thread safety: all methods."""

    __slots__ = ("_in_vain", "_kernel", "_manager", "_pause_ends")

    def __init__(self, kernel: "Kernel", manager: "Manager") -> None:
        self._kernel, self._manager = kernel, manager
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._pause_ends = 0  # that were sent for the pause; guarded by the lock
        self._in_vain = 0  # the work id for which a fork has waited in vain

    def can_pause(self) -> bool:
        """Return whether it is worth waiting, before a fork, for the workers to end. Never blocks."""
        return self._kernel.step(self._can_pause)

    def _can_pause(self) -> bool:
        if self._kernel.staff.stuck:
            return False
        if not self._kernel.tasks.in_flight:
            return True
        is_slow = self._kernel.tasks.seconds_per_task is not None and self._kernel.tasks.seconds_per_task > BRIEFLY
        return not is_slow and next(iter(self._kernel.tasks.in_flight)) != self._in_vain

    def begin_pause(self) -> None:
        """Have the workers end, and the manager after them (B1). Never blocks.

        Without the manager a program whose only threads are an idle pool's forks without a warning.
        """
        self._kernel.step(self._begin_pause)

    def _begin_pause(self) -> None:
        self._kernel.core.is_pausing, self._kernel.paused_by = True, get_ident()
        self._kernel.core.set_window()
        if self._kernel.manager is None or self._kernel.is_closed:
            return
        if not self._kernel.tasks.in_flight:  # otherwise they are to do that first, lest frequent forks starve it
            for worker in self._kernel.staff.unstarted():
                self._kernel.staff.drop(worker)
        self._pause_ends = self._kernel.staff.unsentenced
        self._kernel.calls.send_ends(self._pause_ends)
        self._kernel.wake_manager()

    def wait_until_paused(self) -> bool:
        """Wait for that (B2); return whether it has happened.

        In a callback of a future this thread is the manager, and does its work meanwhile, but for further callbacks:
        those come when this one has returned.
        """
        manager = self._kernel.manager
        if manager is current_thread():
            return self._work_until_paused()
        patience = _Patience(has_tasks=bool(self._kernel.tasks.in_flight))
        while True:
            is_paused, waiter, left = self._kernel.step(partial(self._look_at_pause, manager, patience))
            if waiter is None:
                break
            waiter.acquire(timeout=left)
        if not is_paused:
            return False
        if manager is not None:
            manager.join(PATIENCE)
        return True

    def _work_until_paused(self) -> bool:
        patience = _Patience(has_tasks=bool(self._kernel.tasks.in_flight))
        try:
            return self._work_while_workers_end(patience)
        finally:
            self._kernel.todo.extendleft(reversed(self._manager.callbacks))
            self._manager.callbacks.clear()

    def _work_while_workers_end(self, patience: _Patience) -> bool:
        while self._kernel.staff.workers and not self._kernel.is_closed:
            left = patience.left(is_busy=self._kernel.step(self._runs_something))
            if not left:
                self._in_vain = next(iter(self._kernel.tasks.in_flight), 0)
                return False
            self._manager.process_messages(left)
        return True

    def _look_at_pause(self, manager: "threading.Thread | None", patience: _Patience) -> "tuple[bool, Any, float]":
        """Return whether the manager has ended, or what to wait for, and how many seconds."""
        if self._kernel.manager is None or self._kernel.manager is not manager or self._kernel.is_closed:
            return True, None, 0.0
        left = patience.left(is_busy=self._kernel.is_dealing or self._runs_something())
        if not left or not self._kernel.core.is_pausing:
            self._in_vain = next(iter(self._kernel.tasks.in_flight), 0)
            return False, None, 0.0
        return False, self._kernel.changed.enter(), left

    def _runs_something(self) -> bool:
        """Return whether what keeps the workers from ending is somebody's code."""
        workers = self._kernel.staff.workers.values()
        return any(worker.task for worker in workers) or (
            bool(self._kernel.tasks.in_flight) and any(worker.is_initializing for worker in workers)
        )

    def end_pause(self) -> None:
        """Go on, with what was submitted meanwhile (P1, P2). Doing so again does no harm."""
        self._kernel.step(self._end_pause)

    def _end_pause(self) -> None:
        self._kernel.core.is_pausing, self._kernel.paused_by = False, 0
        if self._pause_ends:
            ends, self._pause_ends = self._pause_ends, 0
            self._kernel.calls.take_ends_back(ends)
        if self._kernel.core.is_alive:
            self._kernel.want_workers()
            self._kernel.top_up()
            self._kernel.end_if_done()
        self._kernel.changed.wake_all()

    def end_pause_here(self) -> None:
        """If this very thread is about to fork and waits for a future first, in a signal handler: go on."""
        if self._kernel.paused_by == get_ident():
            self.end_pause()

    def wait_for_end(self) -> None:
        """Wait until the pool, which was shut down, has ended, and its last thread with it."""
        while (waiter := self._kernel.step(self._look_at_end)) is not None:
            waiter.acquire()
        manager = self._kernel.manager
        if manager is not None:
            manager.join()

    def _look_at_end(self) -> "Any":
        # A thread that forks now waits for a future first, in a signal handler: what is left goes on after the fork.
        is_here = self._kernel.core.is_pausing and self._kernel.paused_by == get_ident()
        return None if self._kernel.is_closed or is_here else self._kernel.changed.enter()

    def list_lost(self) -> "list[Task]":
        """In a forked child: return the tasks, which are the parent's, those among them that just end."""
        lost = [*self._kernel.tasks.in_flight.values(), *self._kernel.tasks.backlog]
        for action in (self._kernel.acting, *self._kernel.todo):
            lost += [arg for arg in getattr(action, "args", ()) if isinstance(arg, Task)]
        return lost
