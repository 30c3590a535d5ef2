"""Which event loop runs here, and the four things that waiting needs of it: asyncio's, uvloop's, Trio's.

Owns all that differs between them. It must not know what is waited for. Nothing is imported for it: a loop that runs
has been imported by whoever runs it. AnyIO's programs run on one of these.
"""

import sys
from time import monotonic
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any, Protocol

    class Loop(Protocol):
        """One event loop, as those see it who wait in it."""

        @property
        def loop(self) -> object:
            """Return the loop itself, None if it is gone."""

        def watch(self, reader: int, call: "Callable[[], None]") -> None:
            """Have a function called in the loop whenever a descriptor is readable, as long as there is the loop.

            Raises:
                RuntimeError: the loop cannot watch descriptors.
            """

        async def give_way(self) -> None:
            """Let others run, if it is time."""

        def make_waiter(self) -> "Any":
            """Return what one coroutine can suspend itself with, once."""

        def suspend(self, waiter: "Any") -> "Awaitable[object]":
            """Return what a coroutine awaits until its waiter is woken."""
            ...

        def wake(self, waiter: "Any") -> bool:
            """Wake a waiter, in the loop's thread; return False if the loop will never run again."""
            ...


LONGEST_TURN = 1e-3
"""Seconds for which coroutines may find what they look for at once, one after another, before others run."""


class _Pass:
    """Awaited: the loop runs whoever else is ready."""

    __slots__ = ()

    def __await__(self) -> "Generator[None]":
        yield


class AsyncioLoop:
    """A loop with asyncio's interface. Not thread-safe: for the loop's thread."""

    __slots__ = ("_find", "_since")

    def __init__(self, loop: "Any") -> None:
        self._find = ref(loop)  # whoever watches must not keep it
        self._since = 0.0  # since when nobody who waits here has suspended, as far as this knows; 0.0: just now

    @property
    def loop(self) -> "Any":
        """The loop itself, None if it is gone."""
        return self._find()

    def watch(self, reader: int, call: "Callable[[], None]") -> None:
        """Have a function called in the loop whenever a descriptor is readable."""
        try:
            self.loop.add_reader(reader, call)
        except NotImplementedError as exc:
            raise RuntimeError(
                f"cannot wait for a queue in {self.loop!r}, which has no add_reader(); "
                "await asyncio.to_thread(queue.get) instead, or run a selector event loop"
            ) from exc

    async def give_way(self) -> None:
        """Let others run, if that is so long ago: what another interpreter fills need not be empty ever."""
        now = monotonic()
        if not self._since:
            self._since = now
        elif now - self._since > LONGEST_TURN:
            self._since = 0.0
            await _Pass()

    def make_waiter(self) -> "Any":
        """Return a future."""
        return self.loop.create_future()

    async def suspend(self, waiter: "Any") -> None:
        """Wait for a future."""
        self._since = 0.0
        await waiter

    def wake(self, waiter: "Any") -> bool:
        """Wake who waits for a future; one that is done has its coroutine run already."""
        if not waiter.done():
            if waiter.get_loop().is_closed():
                return False
            waiter.set_result(None)
        return True


class TrioLoop:
    """A run of Trio. Not thread-safe: for the run's thread. Every call is a checkpoint, as in all of Trio."""

    __slots__ = ("_find", "_trio")

    def __init__(self, token: object, trio: "Any") -> None:
        self._find = ref(token)
        self._trio = trio

    @property
    def loop(self) -> object:
        """The token of the run, None if it is gone."""
        return self._find()

    def watch(self, reader: int, call: "Callable[[], None]") -> None:
        """Have a function called in the run whenever a descriptor is readable, by a task of the run's own."""
        self._trio.lowlevel.spawn_system_task(self._serve, reader, call, name="interp_api: bell")

    async def _serve(self, reader: int, call: "Callable[[], None]") -> None:
        while True:
            await self._trio.lowlevel.wait_readable(reader)
            call()

    async def give_way(self) -> None:
        """Let others run, and see whether this task is cancelled."""
        await self._trio.lowlevel.checkpoint()

    def make_waiter(self) -> "Any":
        """Return an event."""
        return self._trio.Event()

    async def suspend(self, waiter: "Any") -> None:
        """Wait for an event."""
        await waiter.wait()

    def wake(self, waiter: "Any") -> bool:
        """Wake who waits for an event."""
        waiter.set()
        return True


def find_running() -> "tuple[object, Callable[[], Loop]]":
    """Return the loop that runs the calling coroutine, and what makes a `Loop` of it.

    Raises:
        RuntimeError: none that is known does.
    """
    asyncio: Any = sys.modules.get("asyncio")
    trio: Any = sys.modules.get("trio")
    is_trio = getattr(getattr(trio, "lowlevel", None), "in_trio_task", None)
    loop = getattr(asyncio, "_get_running_loop", _no_loop)()
    # Each may run inside the other: a task of asyncio tells that this coroutine is one of asyncio's.
    if is_trio is not None and is_trio() and (loop is None or asyncio.current_task(loop) is None):
        token = trio.lowlevel.current_trio_token()
        return token, lambda: TrioLoop(token, trio)
    if loop is None:
        raise RuntimeError(
            "no event loop runs here: await it in a coroutine of asyncio or Trio, or use get() and put()"
        )
    return loop, lambda: AsyncioLoop(loop)


def _no_loop() -> None:
    """Stand in for asyncio's function where asyncio is not loaded."""
