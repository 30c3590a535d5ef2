"""How a thread waits for something another interpreter puts, without polling.

Owns the wake-up protocol, on which every blocking call of the package rests. It must not know what the items mean.

There are two low-level queues: `items`, and `sleepers`, which holds the bell address of every getter that is about to
block. The mutex inside each low-level queue is all the protocol needs.

    get                                     put
    G1  try to take an item                 P1  append the item
    G2  append the own address              P2  no sleeper counted: done
    G3  try to take an item again           P3  take an address; none left: done
    G4  wait for the bell                   P4  ring it
    G5  go to G1

No wake-up is lost: if G3 misses an item, then P1 comes after G3, so after G2, so P2 counts the address unless another
putter took it, and that one rings it. Putters ring no more often than getters slept.

A thread's bell has one ring at most, and only while its address is published or was just taken: a thread publishes
again only after the ring has been read. Leaving the wait early (an item was found at G3, the time is up, `attempt`
raised) takes the own address back.

    L1  take addresses from the front and ring them, up to the own one; found: done
    L2  not there, so a putter or another leaver is between taking and ringing it: read that ring
    L3  ring the next sleeper (R1)

The owners of the addresses before it look again and queue up anew, which costs them a turn, never an item. Without L2
the ring would end the thread's next wait, of whatever queue, and leave its address there published with nobody behind
it: the next putter would ring that one, and a sleeper would be forgotten. L3 is needed because that ring may have
announced an item which this getter does not take. For the same reason a getter whose time is up when it was rung in
vain rings on: a ring too many does no harm.

Exceptions of signal handlers, and those sent to a thread, strike between bytecodes. Taking an address and ringing it is
one chain of C calls, with no bytecode in between. A getter so struck cannot know whether its address is published or
its ring read: it does L1, and if the address is not there it gives its bell up instead of L2 (`abandon`: the
descriptor stays open, a late ring does no harm), then L3. A putter so struck between P1 and P4 does P2 to P4 once more.
An item that `attempt` had taken goes with the exception.
"""

from _operator import itemgetter
from itertools import repeat
from os import write
from time import monotonic

from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_bind,
    queue_count,
    queue_create,
    queue_get,
    queue_maxsize,
    queue_put,
    queue_release,
)
from interp_api._doorbell import RING, abandon, own_bell

_REPLACE = UNBOUND_OP_REPLACE
_ADDRESS_BASE = 1 << 40  # a low-level queue's negative maxsize holds data; this tells ours from a user's -1
_CHAIN_END = 1 << 50  # added to the number at the end of a chain; no id is so large
_first = itemgetter(0)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")  # a function with [T] would import typing in every worker on 3.13

    from interp_api._doorbell import Doorbell


def create_linked(number: int, unbound: int = _REPLACE) -> int:
    """Create an unbounded low-level queue that carries a number >= 0, readable from every interpreter."""
    return queue_create(-_ADDRESS_BASE - number, unbound)


def linked_number(qid: int) -> int | None:
    """Return the number a queue carries, or None if it is not one of ours.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    number = -queue_maxsize(qid) - _ADDRESS_BASE
    return number if number >= 0 else None


def create_chain(length: int, number: int, refs: "QueueRefs") -> list[int]:
    """Create low-level queues each of which carries the id of the one before it, the first one `number`.

    The id of the last one is the address of all. Returns the ids, the last one first.
    """
    ids: list[int] = []
    number += _CHAIN_END
    for _ in range(length):
        number = create_linked(number)
        refs.add(number)
        ids.insert(0, number)
    return ids


def follow_chain(id: int, length: int) -> tuple[list[int], int] | None:
    """Return the ids of a chain, `id` first, and the number it ends with; None if no such chain begins at `id`.

    Raises:
        QueueNotFoundError: there is no such queue.
    """
    ids: list[int] = []
    number: int | None = id
    for _ in range(length):
        if number is None or number >= _CHAIN_END:
            return None
        ids.append(number)
        number = linked_number(number)
    return None if number is None or number < _CHAIN_END else (ids, number - _CHAIN_END)


def check_timeout(timeout: float | None) -> float | None:
    """Return the time limit in seconds, None for no limit.

    Raises:
        ValueError: it is negative or not a number.
    """
    if timeout is None or timeout == float("inf"):
        return None
    if not timeout >= 0:
        raise ValueError(f"timeout must be a non-negative number of seconds or None, got {timeout!r}")
    return timeout


def ring_one(sleepers: int) -> None:
    """Ring the longest waiting sleeper, if there is one (P2 to P4)."""
    while queue_count(sleepers):
        try:
            # One chain of C calls: a signal handler that raises cannot separate the taking from the ringing.
            for _ in map(write, map(_first, map(queue_get, (sleepers,))), (RING,)):
                return
        except TypeError:
            pass  # the address of a dead interpreter arrives as None
        except QueueError:
            return


def ring_all(sleepers: int) -> None:
    """Ring every sleeper; each looks again and may queue up anew."""
    for _ in range(queue_count(sleepers)):
        ring_one(sleepers)


def wait_until(attempt: "Callable[[], T | None]", sleepers: int, timeout: float | None) -> "T | None":
    """Call `attempt` until it returns something else than None, sleeping in between (G1 to G5).

    Whoever makes `attempt` succeed must ring one of the sleepers afterwards.

    Args:
        attempt: must be safe to call from any thread, must not block, and may raise to end the wait.
        sleepers: id of the low-level queue that takes the address of this thread's bell.
        timeout: seconds, None for no limit.

    Returns:
        What `attempt` returned, None if the time was up.
    """
    found = attempt()
    if found is not None or timeout == 0.0:
        return found
    deadline = None if timeout is None else monotonic() + timeout
    bell = own_bell()
    is_published = False  # False: surely no address there, and no ring under way
    bell.is_in_use = True
    try:
        while True:
            is_published = True
            queue_put(sleepers, bell.address, _REPLACE)
            found, failure = _try_again(attempt)
            if found is not None or failure is not None or not bell.wait(_seconds_until(deadline)):
                break
            is_published = False
            found = attempt()
            if found is not None:
                return found
            if deadline is not None and monotonic() >= deadline:
                ring_one(sleepers)  # R1
                return None
        if not take_back(bell.address, sleepers):
            bell.wait(None)
            is_published = False
            if found is None and failure is None:
                found = attempt()
            ring_one(sleepers)  # R1
        is_published = False
        if failure is not None:
            raise failure
        return found
    except BaseException:
        try:
            _abandon(bell, sleepers, is_published)
        except BaseException:  # struck once more
            _abandon(bell, sleepers, is_published)
            raise
        raise
    finally:
        bell.is_in_use = False


def _try_again(attempt: "Callable[[], T | None]") -> "tuple[T | None, Exception | None]":
    """Make attempt G3; return what it found and what it raised."""
    try:
        return attempt(), None
    except Exception as exc:
        return None, exc


def _seconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _abandon(bell: "Doorbell", sleepers: int, is_published: bool) -> None:
    """Leave a wait that an exception ended nobody knows where."""
    if is_published and not take_back(bell.address, sleepers):
        abandon(bell)
    ring_one(sleepers)  # R1


def take_back(own: int, sleepers: int) -> bool:
    """Remove an address from the sleepers, ringing those before it; return False if it was not there."""
    others = iter(map(_first, map(queue_get, repeat(sleepers))).__next__, own)
    while True:
        try:
            # One chain of C calls again: no address can be taken without being rung.
            all(map(write, others, repeat(RING)))
            return True
        except TypeError:
            pass  # the address of a dead interpreter arrives as None
        except QueueNotFoundError:
            return True  # nobody can ring any more
        except QueueError:
            return False


class QueueRefs:
    """Keeps low-level queues alive from this interpreter; the last reference of any interpreter destroys them."""

    __slots__ = ("_ids",)

    def __init__(self, ids: "Iterable[int]") -> None:
        """Bind all the queues.

        Raises:
            QueueNotFoundError: one of them is gone; those bound before are released.
        """
        self._ids: list[int] = []
        for id in ids:
            self.add(id)

    def add(self, id: int) -> None:
        """Bind one more queue."""
        queue_bind(id)
        self._ids.append(id)

    def __del__(
        self,
        release: "Callable[[int], None]" = queue_release,
        gone: type[Exception] = QueueError,
    ) -> None:
        # The defaults survive the clearing of the module's globals at exit.
        for id in self._ids:
            try:
                release(id)
            except gone:
                pass
