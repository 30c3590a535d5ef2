"""The bells of coroutines that asyncio runs: its own loop, uvloop, AnyIO on either.

Owns how a loop is woken. One call of `call_soon_threadsafe` wakes all coroutines whose bells have rung until the loop
gets to it:

    R1  append the bell                           C1  the loop is not called any more
    R2  the loop is called already: done          C2  take a bell out and wake its coroutine, until there is none
    R3  note that it is called, and call it

Where the loop can watch a descriptor it lodges with the pool (`_pool.lodging`), and takes results itself, without a
change of threads: then it wakes all whose bells have rung as soon as it has taken what is there.

Either R2 comes before C1, and C2 finds the bell; or R3 calls the loop once more. An exception of a signal handler that
strikes at R3 takes the note back; who has rung rings again, or has somebody do so.
"""

import asyncio
import sys
from collections import deque
from contextlib import nullcontext
from time import monotonic
from weakref import WeakKeyDictionary, ref

from interp_pool._awaiting.bell import Bell
from interp_pool._pool.lodging import Lodging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    from interp_pool._pool.single import SinglePool


class _Hub:
    """Where the bells of one loop ring, and what the loop lodges with. Thread safety: `tell`."""

    __slots__ = ("_can_watch", "_is_called", "_lodgings", "_loop", "_rung")

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = ref(loop)  # weak: or the dictionary would keep it
        self._rung: deque[ref[AsyncioBell]] = deque()  # weak, too: a loop may be closed before it gets to them
        self._is_called = False
        self._can_watch = True  # descriptors
        # The loop keeps them, as what it calls when their descriptors are readable.
        self._lodgings: WeakKeyDictionary[SinglePool, ref[Lodging]] = WeakKeyDictionary()

    def lodge_with(self, pool: "SinglePool") -> None:
        """Have the loop take results in the place of a pool's manager, if it can watch a descriptor."""
        known = self._lodgings.get(pool)
        lodging = None if known is None else known()
        if lodging is None:
            if not self._can_watch:
                return
            lodging = self._make_lodging(pool)
            if lodging is None:
                self._can_watch = False
                return
            self._lodgings[pool] = ref(lodging)
        lodging.begin()

    def _make_lodging(self, pool: "SinglePool") -> Lodging | None:
        loop_ref, loop = self._loop, self._loop()
        assert loop is not None  # this is called by what it runs
        descriptors: list[int] = []

        def leave() -> None:
            loop = loop_ref()
            if loop is not None and descriptors:
                try:
                    loop.call_soon_threadsafe(loop.remove_reader, descriptors[0])
                except RuntimeError:
                    pass  # it is closed, and has let go of it

        try:
            lodging = Lodging(pool, self, leave)
            descriptors.append(lodging.fileno())
            loop.add_reader(lodging.fileno(), lodging.take)
        except (NotImplementedError, OSError, RuntimeError):
            return None
        return lodging

    def __enter__(self) -> None:
        """From now on results are taken in the loop's own thread, which is called as a matter of precaution."""
        loop = self._loop()
        if loop is not None and not self._is_called:
            loop.call_soon(self._wake_all)
            self._is_called = True

    def __exit__(self, *exc_info: object) -> None:
        """They have been taken: wake who waits for them."""
        self._wake_all()

    def tell(self, bell: "AsyncioBell") -> None:
        """Have a coroutine woken."""
        self._rung.append(ref(bell))  # R1
        loop = self._loop()
        if self._is_called or loop is None:  # R2
            return
        try:
            self._is_called = True  # R3
            loop.call_soon_threadsafe(self._wake_all)
        except BaseException as exc:
            self._is_called = False
            if not isinstance(exc, RuntimeError):  # the loop is closed: nobody waits there any more
                raise
            self._rung.clear()

    def _wake_all(self) -> None:
        self._is_called = False  # C1
        try:
            self._wake_each()  # C2
        except BaseException:  # a signal handler's, which asyncio may only log
            loop = self._loop()
            if loop is not None:
                loop.call_soon(self._wake_all)
            raise

    def _wake_each(self) -> None:
        while self._rung:
            bell = self._rung[0]()
            if bell is not None:
                bell.wake()
            self._rung.popleft()


_hubs: "WeakKeyDictionary[AbstractEventLoop, _Hub]" = WeakKeyDictionary()


class AsyncioBell(Bell):
    """The bell of a coroutine that asyncio runs."""

    __slots__ = ("_hub", "_is_late", "_loop", "_waiting")

    def __init__(self) -> None:
        """Make the bell of the coroutine that runs now.

        Raises:
            RuntimeError: no loop is running in this thread.
        """
        super().__init__()
        self._loop = loop = asyncio.get_running_loop()
        hub = _hubs.get(loop)
        if hub is None:
            hub = _hubs.setdefault(loop, _Hub(loop))
        self._hub = hub
        self._is_late = False
        self._waiting: Future[None] | None = None

    def _ring(self) -> None:
        self._hub.tell(self)

    def lodge_with(self, pool: "Any") -> None:
        """Have the loop take results in the place of a pool's manager; see `Bell.lodge_with`."""
        self._hub.lodge_with(pool)

    def wake(self) -> None:
        """Wake the coroutine, if it sleeps. In the loop's thread."""
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def wait(self, is_there: "Callable[[], bool]", timeout: float | None = None) -> None:
        """Wait until something is there, or so many seconds have passed; see `Bell.wait`."""
        if timeout is None:
            while not is_there():
                await self._sleep()
            return
        # The loop's clock says when the time is up: uvloop's counts milliseconds, and rounds down as well.
        self._is_late = False
        alarm = self._loop.call_later(max(0.0, timeout), self._be_late)
        try:
            await self._sleep_in_time(is_there)
        finally:
            alarm.cancel()

    async def wait_shielded(self, is_there: "Callable[[], bool]", timeout: float | None) -> None:
        """Do the same, but go on waiting when the coroutine is cancelled, as it is already."""
        end = None if timeout is None else monotonic() + timeout
        with _shield():
            await self._outlast(is_there, end)

    async def rest(self) -> None:
        """Let other coroutines run."""
        await asyncio.sleep(0)

    async def _outlast(self, is_there: "Callable[[], bool]", end: float | None) -> None:
        while not is_there() and (end is None or monotonic() < end):
            try:
                await self.wait(is_there, None if end is None else end - monotonic())
            except asyncio.CancelledError:
                pass  # that one is about to go on anyhow

    async def _sleep_in_time(self, is_there: "Callable[[], bool]") -> None:
        while not is_there() and not self._is_late:
            await self._sleep()

    def _be_late(self) -> None:
        self._is_late = True
        self.wake()

    async def _sleep(self) -> None:
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None


def _shield() -> "AbstractContextManager[Any]":
    """Return what keeps AnyIO from cancelling again and again meanwhile, which its scopes do."""
    scope: Any = getattr(sys.modules.get("anyio"), "CancelScope", None)
    return nullcontext() if scope is None else scope(shield=True)
