"""TaskFuture, the future of a task.

Owns waiting for a result, which is helping the pool to bring it, and what else one can ask of a task. It must not know
pools beyond the methods it calls.
"""

import threading
from concurrent.futures import BrokenExecutor, CancelledError
from concurrent.futures._base import FINISHED
from functools import partial
from time import monotonic

from interp_pool._futures.lazy import LazyFuture, Waiter
from interp_pool._futures.stopping import GRACE
from interp_pool._futures.unread import note_read, note_unread
from interp_pool._options.checks import check_timeout
from interp_pool._process.ctrl_c import is_cancelling
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.places import describe_place
from interp_pool._wire.texts import describe, stays_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from interp_pool._futures.ports import Pool
    from interp_pool._futures.progress import Progress
    from interp_pool._wire.messages import Report

KNOWN = TaskInterrupted, BrokenExecutor  # who interrupts knows; a pool that breaks says so

PATIENCE = 1.0  # seconds beyond which nobody waits for what should have come


class TaskFuture[T](LazyFuture[T]):
    """The future of a task. A thread that waits for its result takes results in the pool's place meanwhile.

    Thread safety: all methods.

    Source: `concurrent.futures.Future`.
    """

    _pool: "Pool[TaskFuture[Any]] | None"
    is_interrupted_by_cancel = False
    _progress: "Report | None" = None
    _follow: "Callable[[Report], object] | None" = None

    def __getstate__(self) -> "NoReturn":
        raise stays_here(self, "send its result()")

    def cancel(self) -> bool:
        """Cancel the task if no worker has begun with it; return whether it is cancelled.

        With the option `interrupt_on_cancel` a task that a worker has been given is interrupted, as by
        `interrupt(timeout=0)`: its future ends soon, and as cancelled after all if no worker had begun with it.
        """
        if self.cancel_or_interrupt():
            return True
        pool = self._pool
        if pool is not None and is_cancelling():  # asyncio, whose loop the main thread waits in
            pool.stop_at_once()
        elif pool is not None and not self.is_interrupted_by_cancel:
            pool.recall([self])
        return self.cancelled()

    def cancel_or_interrupt(self) -> bool:
        """Do what `cancel` does, but for a task that was sent to the workers. Never blocks."""
        if super().cancel():
            return True
        pool = self._pool
        if self.is_interrupted_by_cancel and pool is not None:
            pool.interrupt(self, GRACE)
        return False

    def interrupt(self, timeout: float = GRACE) -> bool:
        """Stop the task, also while it runs, and keep its worker.

        A task that no worker has begun with is cancelled. In one that runs, TaskInterrupted is raised at the next line
        of Python it comes to, and the future ends with what comes of that. A task that ends at the same moment keeps
        its result.

        Args:
            timeout: seconds the task has to stop. Then the future ends all the same, with a TaskInterrupted whose
                `has_stopped` is false, and another worker takes the place of the task's, until it stops: it is in C
                code, swallows the exception, or has a long `finally`. 0 means to return at once; the task has 0.25 s.
                With 0 and by default it has up to 2 s more on a machine so busy that it had no chance to stop.

        Returns:
            Whether the task was stopped, now or before, or cancelled. False if it ended in another way, with a result
            say, or still runs, which `exception().has_stopped` tells apart.

        Raises:
            TypeError: the timeout is not a number.
            ValueError: it is negative or not a number.

        Blocks: until the task has ended or the time is up. In a callback of a future it does not wait.
        """
        timeout = check_timeout(timeout)
        pool = self._pool
        if pool is not None and pool.interrupt(self, timeout or GRACE) and timeout and not pool.is_managed_here:
            self._wait(timeout + PATIENCE)  # longer only if a callback keeps the pool from settling
        self.decode_outcome()
        error = self._exception
        return self.cancelled() or (isinstance(error, TaskInterrupted) and error.has_stopped)

    def progress(self) -> "Progress | None":
        """Return what the task has reported last, None if it has not: with `interp_pool.report`, of its own.

        Of a task that has ended, in whatever way, it stays what it was at the end. Of one in a process of the fallback
        it is known once that has ended; None if it was stopped.

        Never blocks.
        """
        from interp_pool._futures.progress import Progress  # a worker has no use for it

        told = self._progress
        return None if told is None else Progress(*told)

    def note_progress(self, report: "Report") -> None:
        """Note what the task has reported; for the pool. Calls who follows it."""
        self._progress = report
        if self._follow is not None:
            self._follow(report)

    def follow_progress(self, follow: "Callable[[Report], object]") -> None:
        """Have somebody told of each report, also of the last one so far; for `map`. It may be told of that twice."""
        self._follow = follow
        report = self._progress
        if report is not None:
            follow(report)

    def where(self, timeout: float = 1.0) -> str:
        """Tell where the task is just now, without stopping it: the calls that are active in it, as in a traceback.

        Args:
            timeout: seconds to wait for the worker's answer. C code that keeps its interpreter's lock gives none.

        Raises:
            TypeError: the timeout is not a number.
            ValueError: it is negative or not a number.

        Blocks: until the worker has answered or the time is up; some 5 ms if the task is pure Python.
        """
        timeout = check_timeout(timeout)
        pool = self._pool
        phrase, frames = ("is done", []) if pool is None else pool.where(self, timeout)
        return describe_place(phrase, frames)

    def result(self, timeout: float | None = None) -> T:
        """Return what the task returned, or raise what it raised.

        Args:
            timeout: seconds to wait at most, None for no limit.

        Raises:
            CancelledError: the task was cancelled.
            TimeoutError: the task was not done in time.
            Exception: what the task raised.

        Blocks: until the task is done or the time is up.
        """
        try:
            if self._state != FINISHED:
                self._wait_done(timeout)
            if self._exception is not None:
                note_read(self)
                self.decode_outcome()
                if self._exception is not None:
                    raise self._exception
            return self._result  # type: ignore[no-any-return]  # what the task returned
        finally:
            del self  # the exception's traceback holds this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the task raised, None if it returned.

        Args:
            timeout: seconds to wait at most, None for no limit.

        Raises:
            CancelledError: the task was cancelled.
            TimeoutError: the task was not done in time.

        Blocks: until the task is done or the time is up.
        """
        if self._state != FINISHED:
            self._wait_done(timeout)
        note_read(self)
        self.decode_outcome()
        return self._exception  # type: ignore[no-any-return]  # decoded

    def note_unread(self, task: str, error: BaseException) -> None:
        """Have an error logged that it is about to get, unless somebody asks for it, or knows of it already."""
        if self._pool is not None and self._pool.logs_unread and not isinstance(error, KNOWN):
            note_unread(self, task, describe(error))

    def _wait_done(self, timeout: float | None) -> None:
        self._wait(timeout)
        if self.cancelled():
            raise CancelledError
        if self._state != FINISHED:
            raise TimeoutError

    def _wait(self, timeout: float | None) -> None:
        """Block until something has arrived or the time is up, and help the pool meanwhile if it can be helped.

        Not with the condition's own `wait`: an exception of a signal handler that strikes in there can leave the
        condition locked for ever, and with it whoever settles the future.

        Ctrl-C stops the pool's tasks, as the processes of a pool would get it too.
        """
        if timeout is not None and not timeout > 0:
            return
        pool = self._pool
        deadline = None if timeout is None or timeout > threading.TIMEOUT_MAX else monotonic() + timeout
        try:
            if pool is not None:
                pool.stand_in(self, deadline)
                if self.has_arrived():
                    return
            waiter = Waiter()
            if self._change_waiters("append", waiter):
                left = -1 if deadline is None else max(0.0, deadline - monotonic())
                waiter.arrived.acquire(timeout=left)
                if not self.has_arrived():
                    self._change_waiters("remove", waiter)
        except KeyboardInterrupt:
            if pool is not None and threading.current_thread() is threading.main_thread():
                pool.stop_at_once()
            raise

    def _change_waiters(self, how: str, waiter: "Waiter") -> bool:
        """Append to the list of waiters, or remove from it, if nothing has arrived; return whether that was done."""
        return self._holding_condition(partial(self._change_list, how, waiter))

    def _change_list(self, how: str, waiter: "Waiter") -> bool:
        if self.has_arrived():
            return False
        getattr(self._waiters, how)(waiter)
        if self.has_arrived():  # a part, which comes without the condition: then nobody saw the waiter in time
            waiter.add_result(self)
        return True

    def has_arrived(self) -> bool:
        """Return whether who waits for this future has something to do."""
        return self.done()

    def help_on(self) -> None:
        """Do what who waits for this future owes others. Called without the pool's lock."""

    def concerns(self, other: "TaskFuture[Any]") -> bool:
        """Return whether who waits for this future may run the code that another one's result needs."""
        return other is self
