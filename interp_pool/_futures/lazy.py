"""LazyFuture: a `concurrent.futures.Future` that costs little until somebody watches it.

Owns what a future does with its condition held: finishing, cancelling, and telling who waits. It must not know how
results travel. How it ends without a condition, and why neither way misses the other, is `_futures.claims`'.

A future that is done has told its waiters. Whoever makes it done, by a result, an exception or a cancel, tells them in
the same step, with the condition held. An exception that strikes there leaves some untold; the pool tells the rest when
it ends the task (`Task.end`), whichever way that comes. The standard library can lose a condition, locked: then
it gets another lock, see `_futures.condition`.
"""

from _thread import allocate_lock
from concurrent.futures import Future, InvalidStateError
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from functools import partial

from interp_pool._futures.claims import MadeWhenUsed, start
from interp_pool._futures.condition import FutureCondition
from interp_pool._futures.undecoded import Undecoded
from interp_pool._process.aside import aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._futures.ports import Pool


class Waiter:
    """Who waits for one future, among those that `concurrent.futures.wait` puts into its list."""

    def __init__(self) -> None:
        self.arrived = allocate_lock()
        self.arrived.acquire()

    def add_result(self, _future: object) -> None:
        """Something has arrived: wake up. Called with the future's condition held."""
        try:
            self.arrived.release()
        except RuntimeError:
            pass  # somebody has said so already

    add_exception = add_cancelled = add_result


class LazyFuture[T](Future[T]):
    """A future that somebody brings the result of, and whose waiters are objects with `add_result` and the like.

    Thread safety: all methods.

    Source: `concurrent.futures.Future`.
    """

    _condition: "Any" = MadeWhenUsed(FutureCondition)
    _waiters: "Any" = MadeWhenUsed(list)
    _done_callbacks: "Any" = MadeWhenUsed(list)
    _state: str = PENDING
    _result: "Any" = None
    _exception: "Any" = None  # or what is still pickled of either, an Undecoded
    _pool: "Pool[Any] | None" = None
    _untold: "list[Any] | tuple[()]" = ()  # waiters; guarded by the condition

    def __init__(self, pool: "Pool[Any] | None" = None) -> None:
        """Make a pending future whose result `pool` will bring; None: somebody will set it."""
        if pool is not None:
            self._pool = pool

    def cancel(self) -> bool:
        """Cancel the task if no worker has been given it; return whether it is cancelled."""
        if self._holding_condition(self._cancel):
            self._note_cancelled()
        return self.cancelled()

    def _cancel(self) -> bool:
        if self._state != PENDING:
            return False
        self._untold = [*self._waiters]
        if self.__dict__.setdefault("_state", CANCELLED_AND_NOTIFIED) != CANCELLED_AND_NOTIFIED:
            return False  # the pool has started it
        self._tell_all()
        self._notify()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Make a pending future run; for the pool, and for tests. Those who wait know already if it was cancelled.

        Returns:
            Whether it runs.

        Raises:
            RuntimeError: it runs already, or has a result.
        """
        if self._state == PENDING and start(self):
            return True
        if not self.cancelled():
            raise RuntimeError(f"{self!r} was started already")
        return False

    def cancel_sent(self) -> None:
        """Cancel a running future whose task no worker has got; for the pool."""
        if self._holding_condition(self._cancel_sent):
            self._note_cancelled()

    def _cancel_sent(self) -> bool:
        if self._state not in (PENDING, RUNNING):
            return False
        self._end({"_state": CANCELLED_AND_NOTIFIED})
        return True

    def _note_cancelled(self) -> None:
        pool = self._pool
        if pool is not None:
            pool.note_cancelled()  # before callbacks look at its counts
        self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's
        self._tell_pool()

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
            is_quiet: whether to return False instead, changing nothing, if somebody's code would run, if the future is
                done already, or if its condition is not free: the caller has a lock that its holder may wait for.

        Raises:
            InvalidStateError: the future is done.
        """
        if not self._holding_condition(partial(self._finish, outcome, value, is_quiet), or_else=is_quiet):
            return False
        if not is_quiet:
            self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's
        return True

    def _finish(self, outcome: str, value: object, is_quiet: bool) -> bool:
        if is_quiet and (self.has_callbacks or self._state != RUNNING):
            return False
        if self._state not in (PENDING, RUNNING):
            raise InvalidStateError(f"{self._state}: {self!r}")
        self._end({outcome: value, "_state": FINISHED})
        return True

    def finish_undecoded(self, outcome: Undecoded) -> None:
        """Finish, and leave the unpickling of the outcome to who asks for it. Runs nobody's code in this thread.

        Raises:
            InvalidStateError: the future is done.
        """
        self._holding_condition(partial(self._finish, "_exception", outcome, False))
        if self.has_callbacks:
            aside.call(self._invoke_callbacks)  # type: ignore[attr-defined]  # the standard library's
        self._tell_pool()

    def decode_outcome(self) -> None:
        """Unpickle the outcome, where that was left to who asks for it. Runs the code of what is unpickled."""
        outcome = self._exception
        if type(outcome) is not Undecoded:
            return
        result, error = outcome.decode()
        self.__dict__.update(_result=result, _exception=error)  # by whoever comes first, and then the same again

    def _get_snapshot(self) -> "Any":
        self.decode_outcome()  # asyncio asks in this way on CPython 3.15
        return super()._get_snapshot()  # type: ignore[misc]  # the standard library's

    def __repr__(self) -> str:
        if type(self._exception) is Undecoded:
            return f"<{type(self).__name__} at {id(self):#x} state=finished not unpickled yet>"
        return super().__repr__()

    def _notify(self) -> None:
        """Wake who waits on the condition itself, which the standard library's own `result` would do."""
        condition: Any = self._condition
        if condition._is_owned():
            condition.notify_all()

    def _end(self, entries: "dict[str, Any]") -> None:
        """Make it done and tell everybody who waits now. Called with the condition held."""
        # Not those who begin to wait later: they see that it is done, and to be told as well would count twice.
        self._untold = [*self._waiters]
        self.__dict__.update(entries)  # one C call: no state without its outcome, no outcome of a try that was struck
        self._tell_all()
        self._notify()

    def _tell_all(self) -> None:
        """Tell the waiters that have not been told. Called with the condition held."""
        if not self._untold:
            return
        error = self._exception
        how = "add_exception"
        if self.cancelled():
            how = "add_cancelled"
        elif error is None or (type(error) is Undecoded and not error.is_failure):
            how = "add_result"
        while self._untold:
            getattr(self._untold[0], how)(self)
            del self._untold[0]

    def tell_rest(self) -> None:
        """Go on telling the waiters that this future is done, where an exception struck who did so."""
        if self._untold and self.done():
            self._holding_condition(self._tell_all)

    def _wake_waiters(self) -> None:
        """Wake who waits in `result`, without finishing."""
        waiters: list[Any] = [*self.__dict__.get("_waiters", ())]
        for waiter in waiters:
            if isinstance(waiter, Waiter):
                waiter.add_result(self)

    def _holding_condition[R](self, step: "Callable[[], R]", *, or_else: bool = False) -> "R | bool":
        """Take a step that needs the condition.

        Args:
            step: returns what this returns.
            or_else: whether to return False without it if the condition is not free soon.
        """
        held: list[Any] = []
        condition: FutureCondition = self._condition
        try:
            condition.take_soon(held)
            if not held and not or_else:
                condition.take(held)
            return step() if held else False
        finally:
            if held:
                held[0].release()

    @property
    def is_held_here(self) -> bool:
        """Whether this thread holds its condition, as in the standard library's `wait`: others have to wait for it."""
        condition: Any = self.__dict__.get("_condition")
        return bool(condition is not None and condition._is_owned())

    def release_condition(self) -> None:
        """Release the condition if an exception has left it locked by this thread, which is in no such code now.

        It strikes in the standard library's `wait` and `as_completed`, while they take the conditions of all futures.
        """
        condition: Any = self.__dict__.get("_condition")
        while condition is not None and condition._is_owned():
            condition.release()

    def watch(self, waiter: Waiter) -> None:
        """Have a waiter told whatever comes of it. For a new future, which nobody else has seen yet."""
        self._waiters.append(waiter)

    # Reading the state takes no lock.

    def cancelled(self) -> bool:
        """Return whether the task was cancelled."""
        return self._state == CANCELLED_AND_NOTIFIED

    def running(self) -> bool:
        """Return whether the task was given to the workers and has not ended."""
        return self._state == RUNNING

    def done(self) -> bool:
        """Return whether the task has ended or was cancelled."""
        return self._state not in (PENDING, RUNNING)

    @property
    def pool(self) -> object:
        """The pool that brings the result, None once the pool has done with it."""
        return self._pool

    def move_to(self, pool: "Pool[Any]") -> None:
        """Have another pool bring the result; whoever helps the first one is to look again."""
        self._pool = pool

    def forget_pool(self) -> None:
        """Let the pool go: it has done with this future."""
        self.__dict__.pop("_pool", None)

    def take_callbacks(self) -> "list[Any]":
        """Take the callbacks out, so that finishing the future runs nobody's code."""
        taken: list[Any] = []
        self._holding_condition(partial(self._take_callbacks, taken))
        return taken

    def _take_callbacks(self, taken: "list[Any]") -> None:
        taken.extend(self._done_callbacks)
        self.__dict__["_done_callbacks"] = []

    def run_callbacks(self, callbacks: "list[Any]") -> None:
        """Run callbacks that were taken out, now that the future is done."""
        self.__dict__["_done_callbacks"] = callbacks
        self._invoke_callbacks()  # type: ignore[attr-defined]  # the standard library's

    @property
    def has_callbacks(self) -> bool:
        """Whether finishing it runs somebody's code."""
        return bool(self.__dict__.get("_done_callbacks"))


def lose(future: "LazyFuture[Any]", error: BaseException) -> None:
    """In a forked child: end a future whose task is the parent's, if it is not done. Runs nobody's code.

    Its callbacks are dropped, and of its waiters only this thread can be there: one that forks in a signal handler.
    """
    if future.done():
        return
    own = future.__dict__
    own.pop("_done_callbacks", None)
    own.pop("_pool", None)
    if "_condition" in own:
        own["_condition"] = FutureCondition()
    own["_exception"] = error
    own["_state"] = FINISHED
    for waiter in own.get("_waiters", ()):
        if isinstance(waiter, Waiter):
            waiter.add_exception(future)
