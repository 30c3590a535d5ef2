"""What wakes a coroutine when something has come of a task, and the rule for a coroutine that is cancelled.

Owns the bell of a coroutine, whatever library runs it. It must not know executors; how each library sleeps and is woken
is told in a file for each.

Who settles a future tells its waiters, and a bell is one. It may do so with locks held, in any thread, and again: so to
ring runs nobody's code, does not block, raises nothing, and does no harm when nobody waits. Who is woken looks for
itself whether there is what it waits for. What is there before it looks, it finds; a bell that rings after that has it
woken in the thread of its loop, which cannot come in between the look and the sleep.

The rule for a coroutine that is cancelled, the same with all libraries:

    1. its task is cancelled if no worker has begun with it, and otherwise interrupted
    2. the coroutine waits until the task has ended, at most as long as a task has to stop (`GRACE`), after which its
       worker is abandoned
    3. the cancellation goes on, whatever has come of the task

With `interrupt_on_cancel=False` a task that runs is not interrupted, and 2 waits for its end. Ctrl-C stops all tasks of
the pool, as it does for a thread that waits, and they have less time to stop.
"""

from interp_pool._futures.lazy import Waiter
from interp_pool._futures.stopping import GRACE
from interp_pool._futures.task_future import PATIENCE
from interp_pool._futures.unread import note_read
from interp_pool._process.ctrl_c import struck_by_ctrl_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_STOP = GRACE + PATIENCE  # seconds; the second part only if a callback keeps the pool from settling


class Bell(Waiter):
    """The bell of one coroutine. Thread safety: `release` and what rings it; the rest is the coroutine's."""

    __slots__ = ("is_rung",)

    def __init__(self) -> None:
        self.is_rung = False
        """Whether it has rung since it was last set to false."""

    def release(self) -> None:
        """Ring: wake the coroutine. From any thread; never blocks."""
        self.is_rung = True
        self._ring()

    def add_result(self, _future: object) -> None:
        """Something has arrived: ring. Called with the future's condition held."""
        self._ring()

    add_exception = add_cancelled = add_result

    def _ring(self) -> None:
        raise NotImplementedError

    def lodge_with(self, pool: "Any") -> None:
        """Before a wait for a task of a pool: have the loop take results in its manager's place, where it can."""

    async def wait(self, is_there: "Callable[[], bool]", timeout: float | None = None) -> None:
        """Wait until something is there, or so many seconds have passed; who makes it true rings afterwards.

        Raises:
            BaseException: the coroutine is cancelled.
        """
        raise NotImplementedError

    async def wait_shielded(self, is_there: "Callable[[], bool]", timeout: float | None) -> None:
        """Do the same, but go on waiting when the coroutine is cancelled, as it is already."""
        raise NotImplementedError

    async def rest(self) -> None:
        """Let other coroutines run."""
        raise NotImplementedError


async def stop(bell: Bell, futures: "list[Any]", error: BaseException, *, is_interrupting: bool) -> None:
    """Cancel or interrupt the tasks of a coroutine that has got an exception, and wait for their end.

    Args:
        bell: the coroutine's, which the futures ring.
        futures: of the tasks.
        error: the exception.
        is_interrupting: whether those that run are interrupted.

    Raises:
        BaseException: Ctrl-C, once more.
    """
    is_hasty = struck_by_ctrl_c(type(error), error)
    if is_hasty:
        for pool in {id(future.pool): future.pool for future in futures if getattr(future, "pool", None)}.values():
            pool.stop_at_once()
    for future in futures:
        give_up(future, is_interrupting=is_interrupting)
    if not isinstance(error, GeneratorExit):  # then nothing more may be awaited
        limit = LONGEST_STOP if is_interrupting or is_hasty else None
        await bell.wait_shielded(lambda: all(future.done() for future in futures), limit)
    for future in futures:
        note_read(future)  # nobody asks what else has come of it


def give_up(future: "Any", *, is_interrupting: bool) -> None:
    """Cancel a task, or interrupt it if it runs and that is wanted. Never blocks."""
    if is_interrupting and hasattr(future, "is_interrupted_by_cancel"):  # otherwise it is somebody else's
        future.is_interrupted_by_cancel = True
    future.cancel()
