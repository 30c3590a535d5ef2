"""SimpleQueue: items from any thread of any interpreter to any other.

Owns the protocol of looking before sleeping, on top of the wake-up protocol of `_channel`. It must not know what the
items mean.

Waking a sleeper costs a system call and some 50 us until it runs; a getter that looks a while before it sleeps saves
both. It announces that in a third low-level queue, `lookers`, so that nobody rings a sleeper for an item it will see.

    get                                        put
    S1  append a token to lookers              P1   append the item
    S2  look until an item is there,           P1a  no sleeper, or a looker counted: done
        or the time is up                      P2 to P4 of `_channel`
    S3  take the token back
    S4  G1 to G5 of `_channel`
    S5  if items are left, ring a sleeper

No item is forgotten: a putter that saw a looker at P1a put its item before that looker's S3, so the looker takes it at
S4, unless another getter was faster. If the putters left more than one, the looker rings a sleeper at S5, who rings the
next if there is still more. At most one looks at a time: a second one would be of no use until the first has found
something, and where processors are few it would take the time of those who work. S1 and S3 are single C calls, so that
an exception of a signal handler cannot leave a token behind, which would silence the bells for ever.

One sleeper may be relieved: somebody takes its address out without ringing and reads in its place, and later puts it
back. The sleeper notices nothing. That is for a queue that never has two sleepers, see `interp_pool._reader`.
"""

import os
from itertools import repeat
from time import perf_counter, sleep

from interp_api._channel import (
    QueueRefs,
    check_timeout,
    create_chain,
    follow_chain,
    ring_all,
    ring_one,
    wait_until,
)
from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_append,
    queue_count,
    queue_get,
    queue_put,
)
from interp_api._light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any

_REPLACE = UNBOUND_OP_REPLACE
_LINKED = 3  # items, sleepers, lookers


def _yield_by_sleep() -> None:
    sleep(0.0)


# Whoever looks lets other threads run meanwhile, of this interpreter and of this processor.
_yield: "Callable[[], None]" = getattr(os, "sched_yield", _yield_by_sleep)


class SimpleQueue:
    """An unbounded queue of directly shareable objects: no task tracking, no shutdown, nothing pickled.

    What `queue.SimpleQueue` is to `queue.Queue`. Items are None, bool, int (of C size), float, str, bytes, memoryview
    and tuples of these. The item of an interpreter that was closed since arrives as None.

    Thread safety: all methods may be called from any thread of any interpreter at once, each interpreter through its
    own `SimpleQueue(id)`.
    """

    __slots__ = ("_id", "_lookers", "_refs", "_sleepers", "reinstate")

    def __init__(self, id: int | None = None) -> None:
        """Create a queue, or with `id` open one that another SimpleQueue keeps alive.

        Raises:
            QueueNotFoundError: there is no such queue.
            QueueError: the queue was not made by this class.
        """
        if id is None:
            self._refs = QueueRefs([])
            ids = create_chain(_LINKED, 0, self._refs)
        else:
            found = follow_chain(id, _LINKED)
            if found is None:
                raise QueueError(f"queue {id} was not created by SimpleQueue()")
            ids = found[0]
            self._refs = QueueRefs(ids)
        self._id, self._sleepers, self._lookers = ids
        # Put a relieved sleeper's address back: C all the way, so that no exception can strike inside.
        self.reinstate: Callable[[int], None] = partial(queue_append, self._sleepers)

    @property
    def id(self) -> int:
        """The id that opens this queue in any interpreter."""
        return self._id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id})"

    def qsize(self) -> int:
        """Return the number of items."""
        return queue_count(self._id)

    def put(self, item: object) -> None:
        """Append an item. Never blocks.

        Raises:
            NotShareableError: the item is not directly shareable.
        """
        try:
            queue_put(self._id, item, _REPLACE)
            if queue_count(self._sleepers) and not queue_count(self._lookers):
                ring_one(self._sleepers)
        except BaseException:
            ring_one(self._sleepers)  # the item may be there
            raise

    def put_recorded(self, item: object, placed: list[None]) -> None:
        """Append an item as `put` does, and record it in the list given, whatever exception strikes afterwards.

        Who calls this again for the same item must look there first.
        """
        try:
            placed.extend(map(queue_append, (self._id,), (item,)))
            if queue_count(self._sleepers) and not queue_count(self._lookers):
                ring_one(self._sleepers)
        except BaseException:
            ring_one(self._sleepers)  # the item may be there
            raise

    def get_nowait(self) -> object:
        """Return the first item.

        Raises:
            QueueError: the queue is empty.
        """
        return queue_get(self._id)[0]

    def get(self, timeout: float | None = None, *, spin: float = 0.0) -> object:
        """Return the first item.

        Args:
            timeout: seconds, None for no limit.
            spin: seconds to look before sleeping, while nobody else looks. It takes a processor's time but lets this
                interpreter's other threads run; waking a sleeper takes some 50 us.

        Raises:
            QueueError: no item arrived in time.
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there or the time is up; a put from any interpreter wakes it.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        try:
            return queue_get(self._id)[0]
        except QueueNotFoundError:
            raise
        except QueueError:
            pass
        try:
            if spin:
                self._look(spin)
            found = wait_until(self._take, self._sleepers, timeout)
            self._ring_for_the_rest()
        except BaseException:
            ring_one(self._sleepers)
            raise
        if found is None:
            raise QueueError(f"no item arrived in {timeout} seconds")
        return found[0]

    def wait(
        self, timeout: float | None = None, *, spin: float = 0.0, unless: "Callable[[], object] | None" = None
    ) -> bool:
        """Wait for an item without taking it; return whether it came in time.

        Args:
            timeout: seconds, None for no limit.
            spin: seconds to look before sleeping. Nobody is told, which costs nothing where nobody else sleeps.
            unless: something else that ends the wait; whoever makes it true must put an item or ring afterwards.

        Raises:
            ValueError: the timeout is negative or not a number.

        Blocks: until an item is there, or `unless` is true, or the time is up.
        """
        timeout = check_timeout(timeout)

        def attempt() -> bool | None:
            return bool(queue_count(self._id) or (unless is not None and unless())) or None

        try:
            if spin:
                self._look_unannounced(spin)
            return wait_until(attempt, self._sleepers, timeout) is not None
        except BaseException:
            ring_one(self._sleepers)
            raise

    def drain(self, target: "deque[Any]", limit: int) -> None:
        """Move the items that are there, at most `limit`, to `target`, without waiting.

        Low-level items, that is: each is a tuple whose first element is the item. It is one chain of C calls: whatever
        exception strikes, an item is either still here or there.
        """
        try:
            target.extend(map(queue_get, repeat(self._id, limit)))
        except QueueNotFoundError:
            raise
        except QueueError:
            pass

    def relieve(self, address: "list[tuple[Any, ...]]") -> None:
        """Take the address of a sleeper, recording it in the list given: no put wakes it until it is put back.

        Whoever does that must call `reinstate` with the address and then, if there is an item, or anything else the
        sleeper waits for, `ring`.
        """
        try:
            address.extend(map(queue_get, (self._sleepers,)))
        except QueueError:
            pass  # nobody sleeps

    def ring(self) -> None:
        """Wake a sleeper, if there is one."""
        ring_one(self._sleepers)

    def ring_all(self) -> None:
        """Wake all sleepers."""
        ring_all(self._sleepers)

    def _look(self, seconds: float) -> None:
        """Look for an item for so many seconds, unless somebody does already (S1 to S3)."""
        if queue_count(self._lookers):
            return
        announced: list[None] = []
        try:
            announced.extend(map(queue_append, (self._lookers,), (None,)))
            self._look_unannounced(seconds)
        finally:
            if announced:
                queue_get(self._lookers)

    def _look_unannounced(self, seconds: float) -> None:
        """Look for an item for so many seconds; whoever puts one rings a sleeper all the same, if there is one."""
        end = perf_counter() + seconds
        while not queue_count(self._id) and perf_counter() < end:
            _yield()

    def _ring_for_the_rest(self) -> None:
        if queue_count(self._id) and queue_count(self._sleepers):
            ring_one(self._sleepers)

    def _take(self) -> "tuple[Any, ...] | None":
        try:
            return queue_get(self._id)
        except QueueNotFoundError:
            raise
        except QueueError:
            return None
