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
from concurrent.futures import Future
from concurrent.futures._base import FINISHED, PENDING, RUNNING
from time import monotonic

from interp_pool._ledger import release_if_held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._map import MapRun
    from interp_pool._pool import InterpreterPool

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

    def add_result(self, future: object) -> None:
        """Something has arrived: wake up. Called with the future's condition held."""
        if self.arrived.locked():
            self.arrived.release()

    add_exception = add_cancelled = add_result


class TaskFuture[T](Future[T]):
    """The future of a task. A thread that waits for its result takes results in the pool's place meanwhile.

    Thread safety: all methods.

    Source: `concurrent.futures.Future`.
    """

    _condition = _MadeWhenUsed(threading.Condition)
    _waiters = _MadeWhenUsed(list)
    _done_callbacks = _MadeWhenUsed(list)
    _state: str = PENDING
    _result: "Any" = None
    _exception: BaseException | None = None
    _pool: "InterpreterPool | None" = None

    def __init__(self, pool: "InterpreterPool | None" = None) -> None:
        """Make a pending future whose result `pool` will bring; None: somebody will set it."""
        if pool is not None:
            self._pool = pool

    def cancel(self) -> bool:
        """Cancel the task if no worker has been given it; return whether it is cancelled."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self._wake_own_waiters()
            if self._pool is not None:
                self._pool.call_manager()  # and whoever waits for this future in its place
        return is_cancelled

    def _wake_own_waiters(self) -> None:
        """Wake who waits in `result`; others hear of a cancellation when the pool comes across it."""
        with self._condition:  # type: ignore[attr-defined]  # pyright: ignore  # made when used
            for waiter in self._waiters:  # type: ignore[attr-defined]  # pyright: ignore  # as above
                if isinstance(waiter, _Waiter):
                    waiter.add_result(self)

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
                self._wait(timeout)
                if self._state != FINISHED:
                    return super().result(0)  # which raises, but for a race
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
            self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        """Block until something has arrived or the time is up, and help the pool meanwhile if it can be helped.

        Not with the condition's own `wait`: an exception of a signal handler that strikes in there can leave the
        condition locked for ever, and with it whoever settles the future.
        """
        if timeout is not None and not timeout > 0:
            return
        deadline = None if timeout is None or timeout > threading.TIMEOUT_MAX else monotonic() + timeout
        pool = self._pool
        if pool is not None:
            pool.stand_in(self, deadline)
        waiter = _Waiter()
        if self._change_waiters(list.append, waiter):
            left = -1 if deadline is None else max(0.0, deadline - monotonic())
            waiter.arrived.acquire(timeout=left)
            if not self.has_arrived():
                self._change_waiters(list.remove, waiter)

    def _change_waiters(self, change: "Callable[[list[Any], Any], None]", waiter: "_Waiter") -> bool:
        """Change the list of waiters if nothing has arrived; return whether it was changed."""
        condition: Any = self._condition
        held: list[bool] = []
        try:
            held.extend(map(condition.acquire, (True,)))  # one C call: what strikes afterwards finds it recorded
            if self.has_arrived():
                return False
            change(self._waiters, waiter)  # type: ignore[arg-type]  # made when used
            return True
        finally:
            if held:
                condition.release()

    def forget_pool(self) -> None:
        """Let the pool go: it has done with this future."""
        self.__dict__.pop("_pool", None)

    def has_arrived(self) -> bool:
        """Return whether who waits for this future has something to do."""
        return self.done()

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
        self._last: object = None
        self.parts: deque[Any] = deque()
        """Payloads, or what was in them where these could not be kept: (results, failures by position)."""

    def has_arrived(self) -> bool:
        """Return whether a part is there, or there will be no more."""
        return bool(self.parts) or self.done()

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
            with self._condition:  # type: ignore[attr-defined]  # pyright: ignore  # made when used
                for waiter in self._waiters:  # type: ignore[attr-defined]  # pyright: ignore  # as above
                    waiter.add_result(self)

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
    with future._condition:  # type: ignore[attr-defined]  # pyright: ignore  # as above
        if future.has_callbacks or future._state != RUNNING:  # pyright: ignore[reportPrivateUsage]  # as above
            return False
        future._result = result  # pyright: ignore[reportPrivateUsage]  # as above
        future._state = FINISHED  # pyright: ignore[reportPrivateUsage]  # as above
        for waiter in future._waiters:  # type: ignore[attr-defined]  # pyright: ignore  # as above
            waiter.add_result(future)
        future._condition.notify_all()  # type: ignore[attr-defined]  # pyright: ignore  # as above
    return True
