"""TaskFuture: a `concurrent.futures.Future` that costs little until somebody watches it.

Owns how a future starts and ends. It must not know pools beyond the two methods it calls, nor how results travel.

Most futures of a burst are only asked for their result when it is there. So what watching needs, the condition and
two lists, is made at its first use; until then a future is *unwatched*, and `start` and `finish_quietly` change its
state without them. Whoever watches must make the condition first, and both happen under `_switch`:

    watch   under _switch, make the condition; then, holding it, read the state
    finish  under _switch, if there is no condition: set result and state, done;
            otherwise, holding the condition, set them and notify, as in the standard library

So either the watcher finds the final state, or the one who finishes finds the condition. `_switch` is held for a few
bytecodes and nothing is acquired under it.
"""

import threading
from _thread import allocate_lock
from collections import deque
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from functools import partial
from time import monotonic

from interp_pool._interrupted import TaskInterrupted
from interp_pool._ledger import release_if_held
from interp_pool._options import check_timeout
from interp_pool._places import describe_place
from interp_pool._stopping import GRACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._map import MapRun
    from interp_pool._pool import InterpreterPool

# Seconds to wait for a future's condition. The standard library holds one for microseconds; an exception of a signal
# handler that strikes it in `with condition:` leaves it locked for ever. Then it is finished without.
_PATIENCE = 1.0

_switch = threading.RLock()  # taken once at a time; reentrant only for release_if_held()


class _MadeWhenUsed:
    """An attribute that is made at its first use, unless the instance has it."""

    def __init__(self, make: "Callable[[], object]") -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, future: "TaskFuture[Any] | None", owner: type) -> object:
        if future is None:
            return self
        made = self._make()
        try:
            with _switch:
                return future.__dict__.setdefault(self._name, made)
        except BaseException:
            release_if_held(_switch)
            raise


class _Waiter:
    """Who waits for one future, among those that `concurrent.futures.wait` puts into its list."""

    def __init__(self) -> None:
        self.arrived = allocate_lock()
        self.arrived.acquire()

    def add_result(self, _future: object) -> None:
        """Something has arrived: wake up. Called with the future's condition held."""
        if self.arrived.locked():
            self.arrived.release()

    add_exception = add_cancelled = add_result


class TaskFuture[T](Future[T]):
    """The future of a task. A thread that waits for its result takes results in the pool's place meanwhile.

    Thread safety: all methods.

    Source: `concurrent.futures.Future`.
    """

    _condition: "Any" = _MadeWhenUsed(threading.Condition)
    _waiters: "Any" = _MadeWhenUsed(list)
    _done_callbacks: "Any" = _MadeWhenUsed(list)
    _state: str = PENDING
    _result: "Any" = None
    _exception: BaseException | None = None
    _pool: "InterpreterPool | None" = None
    _told = 0  # waiters; guarded by the condition
    is_interrupted_by_cancel = False

    def __init__(self, pool: "InterpreterPool | None" = None) -> None:
        """Make a pending future whose result `pool` will bring; None: somebody will set it."""
        if pool is not None:
            self._pool = pool

    def cancel(self) -> bool:
        """Cancel the task if no worker has been given it; return whether it is cancelled.

        With the option `interrupt_on_cancel` a task that a worker has been given is interrupted, as by
        `interrupt(timeout=0)`; the future is not cancelled then, but ends soon.
        """
        is_now = self._holding_condition(self._cancel)
        if is_now:
            self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's
            self._tell_pool()
        elif self.is_interrupted_by_cancel and not self.cancelled():
            pool = self._pool
            if pool is not None:
                pool.interrupt(self, GRACE)
        return self.cancelled()

    def _cancel(self) -> bool:
        if self._state != PENDING:
            return False
        self._state = CANCELLED
        self._wake_waiters()  # others hear of it when the pool comes across it
        self._notify()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Make a pending future run, or tell who waits that it was cancelled; for the pool, and for tests.

        Returns:
            Whether it runs.

        Raises:
            RuntimeError: it runs already, or is done.
        """
        return self._holding_condition(self._start)

    def _start(self) -> bool:
        if self._state == PENDING:
            self._state = RUNNING
            return True
        if self._state != CANCELLED:
            raise RuntimeError(f"{self!r} was started already")
        self._state = CANCELLED_AND_NOTIFIED
        for waiter in self._waiters:
            waiter.add_cancelled(self)
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
            self._wait(timeout + _PATIENCE)  # longer only if a callback keeps the pool from settling
        error = self._exception
        return self.cancelled() or (isinstance(error, TaskInterrupted) and error.has_stopped)

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

    def call_off(self) -> None:
        """Cancel a running future whose task no worker has got; for the pool."""
        self._holding_condition(self._make_pending)
        self.cancel()
        if self.cancelled():
            self.set_running_or_notify_cancel()

    def _make_pending(self) -> None:
        if self._state == RUNNING:
            self._state = PENDING

    def set_result(self, result: T) -> None:
        """Finish with a result; for the pool, and for tests.

        Raises:
            InvalidStateError: the future is done.
        """
        self.finish("_result", result)
        self._tell_pool()

    def set_exception(self, exception: BaseException | None) -> None:
        """Finish with an exception; for the pool, and for tests.

        Raises:
            InvalidStateError: the future is done.
        """
        self.finish("_exception", exception)
        self._tell_pool()

    def _tell_pool(self) -> None:
        """If this did not come from the pool, wake who waits for this future in the manager's place."""
        if self._pool is not None:
            self._pool.call_manager()

    def finish(self, outcome: str, value: object, *, is_quiet: bool = False) -> bool:
        """Set the result or exception, and tell everybody.

        Args:
            outcome: the name of the attribute.
            value: its value.
            is_quiet: whether to return False instead, changing nothing, if somebody's code would run, or the future is
                done already.

        Raises:
            InvalidStateError: the future is done.
        """
        if not self._holding_condition(partial(self._finish, outcome, value, is_quiet)):
            return False
        if not is_quiet:
            self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's
        return True

    def _finish(self, outcome: str, value: object, is_quiet: bool) -> bool:
        if is_quiet and (self.has_callbacks or self._state != RUNNING):
            return False
        if self._state not in (PENDING, RUNNING):
            raise InvalidStateError(f"{self._state}: {self!r}")
        self.__dict__[outcome] = value
        self._state = FINISHED
        self._tell_all()
        self._notify()
        return True

    def _notify(self) -> None:
        """Wake who waits on the condition itself, which the standard library's own `result` would do."""
        condition: Any = self._condition
        if condition._is_owned():
            condition.notify_all()

    def _tell_all(self) -> None:
        """Tell the waiters that have not been told. Called with the condition held."""
        while self._told < len(self._waiters):
            waiter = self._waiters[self._told]
            if self._exception is None:
                waiter.add_result(self)
            else:
                waiter.add_exception(self)
            self._told += 1

    def tell_rest(self) -> None:
        """Go on telling the waiters that this future is done, where an exception struck who did so."""
        if "_condition" in self.__dict__:
            self._holding_condition(self._tell_all)

    def _wake_waiters(self) -> None:
        """Wake who waits in `result`, without finishing. Called with the condition held."""
        for waiter in self._waiters:
            if isinstance(waiter, _Waiter):
                waiter.add_result(self)

    def _holding_condition[R](self, step: "Callable[[], R]") -> R:
        """Take a step that needs the condition, or if somebody has left that locked, without it."""
        held: list[bool] = []
        condition: Any = self._condition
        try:
            held.extend(map(condition.acquire, (True,), (_PATIENCE,)))  # one C call: what strikes later finds it noted
            return step()
        finally:
            if held and held[0]:
                condition.release()

    def let_go(self) -> None:
        """Release the condition if an exception has left it locked by this thread, which is in no such code now.

        It strikes in the standard library's `wait` and `as_completed`, while they take the conditions of all futures.
        """
        condition: Any = self.__dict__.get("_condition")
        while condition is not None and condition._is_owned():
            condition.release()

    # Reading the state takes no lock.

    def cancelled(self) -> bool:
        """Return whether the task was cancelled."""
        return self._state in (CANCELLED, CANCELLED_AND_NOTIFIED)

    def running(self) -> bool:
        """Return whether the task was given to the workers and has not ended."""
        return self._state == RUNNING

    def done(self) -> bool:
        """Return whether the task has ended or was cancelled."""
        return self._state not in (PENDING, RUNNING)

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
        return self._exception

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
            waiter = _Waiter()
            if self._change_waiters("append", waiter):
                left = -1 if deadline is None else max(0.0, deadline - monotonic())
                waiter.arrived.acquire(timeout=left)
                if not self.has_arrived():
                    self._change_waiters("remove", waiter)
        except KeyboardInterrupt:
            if pool is not None and threading.current_thread() is threading.main_thread():
                pool.stop_at_once()
            raise

    def _change_waiters(self, how: str, waiter: "_Waiter") -> bool:
        """Append to the list of waiters, or remove from it, if nothing has arrived; return whether that was done."""
        return self._holding_condition(partial(self._change_list, how, waiter))

    def _change_list(self, how: str, waiter: "_Waiter") -> bool:
        if self.has_arrived():
            return False
        getattr(self._waiters, how)(waiter)
        return True

    @property
    def pool(self) -> "InterpreterPool | None":
        """The pool that brings the result, None once that is there."""
        return self._pool

    def forget_pool(self) -> None:
        """Let the pool go: it has done with this future."""
        self.__dict__.pop("_pool", None)

    def has_arrived(self) -> bool:
        """Return whether who waits for this future has something to do."""
        return self.done()

    def help_on(self) -> None:
        """Do what who waits for this future owes others. Called without the pool's lock."""

    def concerns(self, other: "TaskFuture[Any]") -> bool:
        """Return whether who waits for this future may run the code that another one's result needs."""
        return other is self

    @property
    def has_callbacks(self) -> bool:
        """Whether finishing it runs somebody's code."""
        return bool(self.__dict__.get("_done_callbacks"))


class BatchFuture(TaskFuture[None]):
    """The future of a batch of `map`, whose results arrive in parts. Its consumer alone takes them."""

    def __init__(self, pool: "InterpreterPool", run: "MapRun", items: "list[Any]") -> None:
        super().__init__(pool)
        self.run = run
        self.items = items
        self.again: deque[BatchFuture] = deque()
        """Those of its items, each on its own, if no worker could unpickle it. Filled before it is done."""
        self._last: object = None
        self.parts: deque[Any] = deque()
        """Payloads, or what was in them where these could not be kept: (results, failures by position)."""

    def has_arrived(self) -> bool:
        """Return whether a part is there, or there will be no more."""
        return bool(self.parts) or self.done()

    def help_on(self) -> None:
        """Send more batches, while the consumer waits for this one."""
        self.run.feed()

    def concerns(self, other: "TaskFuture[Any]") -> bool:
        """Return whether another future is one of the same call of map."""
        return isinstance(other, BatchFuture) and other.run is self.run

    def add_part(self, part: object) -> None:
        """Add results and wake the consumer. Runs nobody's code."""
        if part is self._last:
            return  # who added it was struck before that was noted
        self._last = part
        self.parts.append(part)
        if "_condition" in self.__dict__:
            self._holding_condition(self._wake_waiters)

    def wait_for_part(self, timeout: float | None) -> None:
        """Block until a part is there, or there will be no more.

        Raises:
            TimeoutError: not in so many seconds.
        """
        if not self.has_arrived():
            self._wait(timeout)
            if not self.has_arrived():
                raise TimeoutError

    def fail(self, error: BaseException) -> None:
        """End a batch that was not sent."""
        self.forget_pool()
        start_new(self)
        self.set_exception(error)


def start_new(future: "TaskFuture[Any]") -> None:
    """Make a future RUNNING that nobody else has seen yet."""
    future._state = RUNNING  # pyright: ignore[reportPrivateUsage]  # one class in two halves


def start(future: "TaskFuture[Any]") -> bool:
    """Make a pending future RUNNING; return False if it was cancelled or somebody else has settled it.

    Doing so again does no harm.
    """
    if future._state == RUNNING:  # pyright: ignore[reportPrivateUsage]  # one class in two halves
        return True
    try:
        with _switch:
            if "_condition" not in future.__dict__:
                future._state = RUNNING  # pyright: ignore[reportPrivateUsage]  # as above
                return True
    except BaseException:
        release_if_held(_switch)
        raise
    try:
        return future.set_running_or_notify_cancel()
    except RuntimeError:
        return False


def cancel_unwatched(future: "TaskFuture[Any]") -> bool:
    """Cancel a pending future that nobody watches, and so nobody is to be told; return False if somebody does."""
    try:
        with _switch:
            own = future.__dict__
            if "_condition" in own or future._state != PENDING:  # pyright: ignore[reportPrivateUsage]  # as above
                return False
            own["_state"] = CANCELLED_AND_NOTIFIED
            own.pop("_pool", None)
            return True
    except BaseException:
        release_if_held(_switch)
        raise


def finish_quietly(future: "TaskFuture[Any]", result: object) -> bool:
    """Give a running future its result if that runs nobody's code; return False, changing nothing, if it would.

    May be called with any lock held that is never asked for while a future's condition is held.
    """
    try:
        with _switch:
            own = future.__dict__
            if "_condition" not in own:
                own["_result"] = result
                own["_state"] = FINISHED
                own.pop("_pool", None)
                return True
    except BaseException:
        release_if_held(_switch)
        raise
    return future.finish("_result", result, is_quiet=True)
