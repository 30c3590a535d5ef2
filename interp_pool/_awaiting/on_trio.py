"""The bells of coroutines that Trio runs. Reached only where Trio has been imported."""

import sys

from interp_pool._awaiting.bell import Bell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_trio: "Any" = sys.modules["trio"]


class TrioBell(Bell):
    """The bell of a coroutine that Trio runs."""

    __slots__ = ("_sleeper", "_token")

    def __init__(self) -> None:
        """Make the bell of the task that runs now."""
        super().__init__()
        self._token = _trio.lowlevel.current_trio_token()
        self._sleeper: Any = None

    def _ring(self) -> None:
        try:
            self._token.run_sync_soon(self._wake, idempotent=True)
        except _trio.RunFinishedError:
            pass  # nobody waits there any more

    def _wake(self) -> None:
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            _trio.lowlevel.reschedule(sleeper)

    async def wait(self, is_there: "Callable[[], bool]", timeout: float | None = None) -> None:
        """Wait until something is there, or so many seconds have passed; see `Bell.wait`."""
        if is_there():
            await _trio.lowlevel.checkpoint()
        elif timeout is None:
            await self._sleep_until(is_there)
        else:
            with _trio.move_on_after(max(0.0, timeout)):
                await self._sleep_until(is_there)

    async def wait_shielded(self, is_there: "Callable[[], bool]", timeout: float | None) -> None:
        """Do the same, but go on waiting when the coroutine is cancelled, as it is already."""
        with _trio.CancelScope(shield=True):
            await self.wait(is_there, timeout)

    async def rest(self) -> None:
        """Let other coroutines run."""
        await _trio.lowlevel.checkpoint()

    async def _sleep_until(self, is_there: "Callable[[], bool]") -> None:
        while not is_there():
            self._sleeper = _trio.lowlevel.current_task()
            await _trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> "Any":
        self._sleeper = None
        return _trio.lowlevel.Abort.SUCCEEDED
