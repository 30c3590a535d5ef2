"""The waits of `Queue` for coroutines.

Owns what a coroutine looks for, and what tells it that another one would find something. It must not know who runs it
or who wakes it: that is `_wakeup.awaiting`'s. This file is loaded with the first coroutine that uses a queue.

A look is the same call that a thread makes which does not want to wait, so the bound, the count of tasks and the order
are the same. It ends before the coroutine returns, with nothing to await in between: one that is cancelled has taken
and put nothing.
"""

from interp_api._errors import QueueEmpty
from interp_api._queues.store import Store
from interp_api._runtime.light_imports import partial
from interp_api._wakeup.awaiting import await_until
from interp_api._wakeup.slot import GETTER, JOINER, PUTTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


async def aget(store: Store, get: "Callable[[], object]") -> object:
    """Call `get`, which raises QueueEmpty if there is no item, once there is one; return that."""
    found = await await_until(partial(_got, get), store.slot, GETTER, is_left=store.may_take)
    return found[0]


async def aput(store: Store, item: object, op: int) -> None:
    """Put a low-level item once there is room, as `Store.put` does."""
    await await_until(partial(_put, store, item, op), store.slot, PUTTER, is_left=store.may_put)


async def ajoin(store: Store) -> None:
    """Wait until no task is unfinished."""
    await await_until(partial(_joined, store), store.slot, JOINER, is_left=store.counter.is_zero)


def _got(get: "Callable[[], object]") -> tuple[object] | None:
    try:
        return (get(),)
    except QueueEmpty:
        return None


def _put(store: Store, item: object, op: int) -> bool | None:
    return store.put(item, op, 0.0) or None


def _joined(store: Store) -> bool | None:
    return store.counter.is_zero() or None
