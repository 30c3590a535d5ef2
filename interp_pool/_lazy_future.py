"""LazyFuture: a `concurrent.futures.Future` that costs little until somebody watches it.

Owns how a future starts and ends. It must not know how results travel.

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
from concurrent.futures import Future, InvalidStateError
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from functools import partial

from interp_pool._ledger import release_if_held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._pool import InterpreterPool

# Seconds to wait for a future's condition. The standard library holds one for microseconds; an exception of a signal
# handler that strikes it in `with condition:` leaves it locked for ever. Then it is finished without.
PATIENCE = 1.0

_switch = threading.RLock()  # taken once at a time; reentrant only for release_if_held()


class _MadeWhenUsed:
    """An attribute that is made at its first use, unless the instance has it."""

    def __init__(self, make: "Callable[[], object]") -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, future: "LazyFuture[Any] | None", owner: type) -> object:
        if future is None:
            return self
        made = self._make()
        try:
            with _switch:
                return future.__dict__.setdefault(self._name, made)
        except BaseException:
            release_if_held(_switch)
            raise


class Waiter:
    """Who waits for one future, among those that `concurrent.futures.wait` puts into its list."""

    def __init__(self) -> None:
        self.arrived = allocate_lock()
        self.arrived.acquire()

    def add_result(self, _future: object) -> None:
        """Something has arrived: wake up. Called with the future's condition held."""
        if self.arrived.locked():
            self.arrived.release()

    add_exception = add_cancelled = add_result


class LazyFuture[T](Future[T]):
    """A future that somebody brings the result of, and whose waiters are objects with `add_result` and the like.

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

    def __init__(self, pool: "InterpreterPool | None" = None) -> None:
        """Make a pending future whose result `pool` will bring; None: somebody will set it."""
        if pool is not None:
            self._pool = pool

    def cancel(self) -> bool:
        """Cancel the task if no worker has been given it; return whether it is cancelled."""
        if self._holding_condition(self._cancel):
            self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's
            self._tell_pool()
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
            if isinstance(waiter, Waiter):
                waiter.add_result(self)

    def _holding_condition[R](self, step: "Callable[[], R]") -> R:
        """Take a step that needs the condition, or if somebody has left that locked, without it."""
        held: list[bool] = []
        condition: Any = self._condition
        try:
            held.extend(map(condition.acquire, (True,), (PATIENCE,)))  # one C call: what strikes later finds it noted
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

    @property
    def pool(self) -> "InterpreterPool | None":
        """The pool that brings the result, None once the pool has done with it."""
        return self._pool

    def forget_pool(self) -> None:
        """Let the pool go: it has done with this future."""
        self.__dict__.pop("_pool", None)

    @property
    def has_callbacks(self) -> bool:
        """Whether finishing it runs somebody's code."""
        return bool(self.__dict__.get("_done_callbacks"))


def start_new(future: "LazyFuture[Any]") -> None:
    """Make a future RUNNING that nobody else has seen yet."""
    future._state = RUNNING  # pyright: ignore[reportPrivateUsage]  # one class in two halves


def start(future: "LazyFuture[Any]") -> bool:
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


def cancel_unwatched(future: "LazyFuture[Any]") -> bool:
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


def finish_quietly(future: "LazyFuture[Any]", result: object) -> bool:
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
    if not future.finish("_result", result, is_quiet=True):
        return False
    future.forget_pool()
    return True
