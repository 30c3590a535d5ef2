"""A loop in the manager's place: results reach coroutines without a change of threads.

Owns when a loop lodges with a pool, and how long. How it takes the manager's place, and gives it back, is
`_pool.result_stream`'s; how the loop sees that it is rung, and wakes its coroutines, is given.

A loop that runs somebody's code takes no results meanwhile, so it must not lodge for long without having taken any. The
timer looks every 10 ms as long as it lodges: if it has taken nothing since the last look, or something is there that it
has not taken, the manager gets its place back. So tasks that take longer than that come by the manager, and so does
everything while the loop is blocked. The next coroutine that waits has it lodge again.
"""

from functools import partial
from time import monotonic
from weakref import ref

from interp_pool._process.timer import timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Protocol

    from interp_pool._pool.pump import Pump
    from interp_pool._process.timer import Call

    class HasPump(Protocol):
        """A pool."""

        @property
        def pump(self) -> Pump:
            """What settles its futures."""
            ...


LONGEST_TASK = 5e-3  # seconds: for tasks that take longer on average it does not matter
PERIOD = 10e-3  # seconds between two looks
RELUCTANCE = 0.1  # seconds without lodging after something came that only the manager can deal with


class Lodging:
    """The lodging of one loop with one pool. Called in the loop's thread, but for what says otherwise."""

    def __init__(self, pool: "HasPump", taking: "AbstractContextManager[object]", leave: "Callable[[], None]") -> None:
        """Prepare it; `fileno` is to be watched, and `take` called when that is readable.

        Args:
            pool: whose manager is relieved; it is not kept.
            taking: is entered while results are taken, and has coroutines woken at its end.
            leave: called in any thread when the pool has gone.

        Raises:
            OSError: the process cannot open another descriptor.
            RuntimeError: so many threads wait as there can be.
        """
        self._pool = ref(pool, lambda _: leave())
        self._reader = pool.pump.reader
        self._place = self._reader.make_place()
        self._taking = taking
        self._count = 0  # of the times it has taken something
        self._seen = 0  # of these at the last look
        self._is_looked_at = False
        self._not_before = 0.0  # on the monotonic clock
        self.next_look: Call | None = None
        """The call of the timer that is to come, or the last one."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when results are there."""
        return self._place.fileno()

    def begin(self) -> None:
        """A coroutine is about to wait: take the manager's place, if it is worth it, and free."""
        pool = self._pool()
        if pool is None or self._reader.lodges(self._place) or pool.pump.reader is not self._reader:
            return
        average = pool.pump.seconds_per_task
        if average is None or average > LONGEST_TASK or monotonic() < self._not_before:
            return
        if not self._is_looked_at:  # first: nobody lodges without being looked at
            self._is_looked_at, self._seen = True, self._count - 1
            self._look_again()
        self._reader.lodge(self._place)

    def take(self) -> None:
        """The descriptor is readable: take the results that are there, and have their coroutines woken."""
        try:
            self._take()
        except BaseException:  # a signal handler's, which the loop may only log
            self._reader.end_lodging(self._place)
            raise

    def _take(self) -> None:
        self._place.read()
        pool = self._pool()
        if pool is None:
            return
        if not self._reader.lodges(self._place):
            self._reader.ring_if_needed()  # what this was rung for is another one's
            return
        self._count += 1
        with self._taking:
            is_clear = pool.pump.advance()
        if is_clear:
            self._reader.lodge_on(self._place)
        else:
            self._not_before = monotonic() + RELUCTANCE
            self._reader.end_lodging(self._place)

    def _look_again(self) -> None:
        try:
            self.next_look = timer.call_at(monotonic() + PERIOD, partial(_look, ref(self)))
        except BaseException:
            self._is_looked_at = False
            self._reader.end_lodging(self._place)
            raise

    def __del__(self) -> None:
        if hasattr(self, "next_look"):  # the last that is set
            self._reader.end_lodging(self._place)

    def look(self) -> None:
        """Called by the timer: give the manager its place back, unless the loop uses it."""
        is_used = self._count != self._seen and not self._reader.has_something
        self._seen = self._count
        if is_used and self._reader.lodges(self._place):
            self._look_again()
            return
        self._is_looked_at = False  # before the end: who lodges after that asks for a look
        self._reader.end_lodging(self._place)


def _look(lodging: "ref[Lodging]") -> None:
    known = lodging()
    if known is not None:  # otherwise its loop is gone
        known.look()
