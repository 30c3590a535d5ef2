"""Starting workers, and going on when one cannot start: for want of memory, of threads, of descriptors.

Owns when a start is tried, when it is tried again, and when there is no hope: then the pool breaks, so that nobody
waits. In this order:

    1  before a worker starts there must be room for it in memory: an interpreter that runs out of memory while it is
       made does not fail, it ends the process
    2  one that cannot start is done without as long as others take tasks; the next start is tried PAUSE later, or as
       soon as one of the others has given back what it had, and from now on one at a time
    3  if none takes tasks, the next start is tried when this one, or another that is about to end, has given back what
       it had: the C library keeps the address space that a thread took for the next one. That is not for ever: TRIES
       starts in a row, and no longer than HOPE for those that end
    4  otherwise the pool breaks

A worker is lost while it starts, or says nothing any more, which is the same: it may have had no memory to say so.
"""

import sys
from functools import partial
from time import monotonic

from interp_api import InterpreterError
from interp_pool._core.states import WorkerState
from interp_pool._process.memory import check_memory
from interp_pool._process.timer import timer
from interp_pool._wire.refused import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._core.task import Task
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.timer import Call
    from interp_pool._wire.messages import Refusal
    from interp_pool._workers.handle import Worker

TRIES = 3
PAUSE = 1.0  # seconds
HOPE = 5.0  # seconds


class Starting:
    """Starts the workers of one pool. All of it is called with the lock held."""

    __slots__ = ("_kernel", "_retry")

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._retry: Call | None = None  # guarded by the lock

    def start_workers(self) -> None:
        """Start the threads of the workers that were made."""
        waiting = self._kernel.staff.unstarted()
        for number, worker in enumerate(waiting):
            starting = sum(
                each.is_started and each.state is WorkerState.STARTING for each in self._kernel.staff.workers.values()
            )
            try:
                check_memory(starting + 1)
                worker.start()
                if self._kernel.tracer is not None:
                    self._kernel.tracer.note_start(worker)
            except (RuntimeError, MemoryError) as exc:
                for each in waiting[number:]:  # what one lacks the others lack as well
                    self._kernel.staff.drop(each)
                self._kernel.staff.vacancies += 1
                self.do_without(f"{exc}" or type(exc).__name__, "No worker thread can start:")
                return

    def do_without(self, why: str, what: str) -> None:
        """Go on without a worker that could not start.

        Args:
            why: it could not; the first line is told.
            what: for the log, if the pool breaks.
        """
        if not self._kernel.core.is_alive:
            return  # nothing is left for it
        error = InterpreterError(f"a worker could not start: {next(iter(why.splitlines()), '')}")
        now = monotonic()
        self._kernel.staff.resume_starts_at = now + PAUSE
        if self._kernel.staff.active:
            if not self._kernel.staff.is_short:
                self._kernel.staff.is_short = True
                self._kernel.todo.append(partial(warn, f"{error}; the pool goes on with the others"))
            return
        count = self._kernel.core.note_failed_start()
        if any(_gives_back(worker, now, count) for worker in self._kernel.staff.workers.values()):
            self._forget_retry()
            try:
                self._retry = timer.call_at(now + PAUSE, self._kernel.call_manager)
            except (RuntimeError, MemoryError):
                pass  # nobody would look again
            else:
                return
        if why.count("\n"):
            error.add_note(why)
        self.break_pool(error, what)

    def note_end(self, worker: "Worker") -> None:
        """A worker has ended, and what it had is there for another."""
        are_others = self._kernel.staff.active or any(each.has_failed for each in self._kernel.staff.workers.values())
        if not (worker.has_failed and are_others):
            self._kernel.staff.resume_starts_at = 0.0
            self._forget_retry()

    def _forget_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        self._forget_retry()

    def move_everything(self, refusal: "Refusal", give_away: "Callable[[Task, Refusal], None]") -> None:
        """Give the fallback what no worker has begun, and all that will come: the initializer cannot run in a worker.

        Called by the manager, if there is a fallback.

        Args:
            refusal: why it cannot.
            give_away: gives a task to the fallback. Called without the lock.
        """
        kernel = self._kernel
        routing, tasks = kernel.routing, kernel.tasks
        assert routing is not None
        routing.routes.leads_all = True
        kernel.staff.min_workers = 0
        running = {worker.task for worker in kernel.staff.workers.values()}
        recalled = kernel.calls.take_back(tasks.in_flight.keys() - running)
        waiting = tasks.take_waiting(lambda _: True)
        tasks.unsent -= len(waiting)
        kernel.todo.append(partial(routing.tell, refusal, kernel.options.initializer_name))
        sent = [tasks.in_flight[work_id] for work_id in sorted(recalled)]
        for item in (*sent, *waiting):
            routing.prepare(item)
            kernel.todo.append(partial(give_away, item, refusal))
        kernel.changed.wake_all()

    def break_pool(self, cause: BaseException, what: str = "") -> None:
        """Break the pool, for no worker can start; log it if there are words for that."""
        if what:
            self._kernel.todo.append(partial(log, what, cause))
        self._kernel.perform(self._kernel.core.break_(cause))


def _gives_back(worker: "Worker", now: float, failed_starts: int) -> bool:
    """Return whether a worker is about to give back what it has, and that is worth another try."""
    if worker.has_failed and failed_starts >= TRIES:
        return False
    if worker.state is WorkerState.LEFT:
        return now - worker.left_at < HOPE
    return worker.state in (WorkerState.LEAVING, WorkerState.DEAD)


def log(what: str, cause: BaseException) -> None:
    """Log an error where the standard library's executors do, which is where their users look."""
    from logging import getLogger

    try:
        getLogger("concurrent.futures").critical(what, exc_info=cause)
    except BaseException as exc:  # of a handler of the program's
        sys.excepthook(type(exc), exc, exc.__traceback__)
