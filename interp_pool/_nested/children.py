"""What one task has asked its pool to run: its children, and where each of them is.

Owns the books of these, which are dictionaries whose every step is one C call: the thread of the tasks, the control
thread and threads of the program's own use them without a lock. A child is in one of

    unsent    nobody has it: whoever pops it out has it, to run it or to send it
    sent      the pool has it, or is about to; unasked too, from when it does until it is asked to give it back: who
              asked earlier would be told that a worker has begun it
    neither   it is on its way between the two, or runs in this worker's stack
"""

from interp_pool._futures.claims import make_pending_again, start
from interp_pool._pool.outcomes import call_off, settle, settle_quietly
from interp_pool._wire.messages import BEGUN, CANCELLED, REPORTED, RETURNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from interp_pool._core.task import Task


class Children:
    """Those of one task."""

    __slots__ = ("asked", "is_over", "is_unwinding", "sent", "unasked", "unsent", "was_struck", "work_id")

    def __init__(self, work_id: int) -> None:
        self.work_id = work_id
        """Their parent's."""
        self.unsent: dict[int, Task] = {}
        self.sent: dict[int, Task] = {}
        self.unasked: dict[int, None] = {}
        self.asked: set[int] = set()  # those about which the pool is to say something
        self.is_over = False
        """Whether the parent has ended."""
        self.was_struck = False  # the parent, or what ran in place for it, and the parent was told
        self.is_unwinding = False  # what runs in place ends for that, one after the other

    @property
    def count(self) -> int:
        """How many have not ended."""
        return len(self.unsent) + len(self.sent)

    def number_of(self, future: "Any") -> int:
        """Return the number of a future's task, 0 if it is not one of these, or runs here, or has ended."""
        number: int = future.number
        return number if number in self.unsent or number in self.sent else 0

    def take_oldest(self, count: int) -> "Iterator[Task]":
        """Take out so many that were not sent, the first ones that were submitted, as far as nobody else does."""
        for _ in range(count):
            try:
                number = next(iter(self.unsent))
            except (StopIteration, RuntimeError):  # there is none, or somebody has changed it just now
                return
            child = self.unsent.pop(number, None)
            if child is not None and start(child.future):
                yield child

    def can_ask_for(self, number: int) -> bool:
        """Return whether the pool may be asked for a child; 0 for whether for any."""
        return number in self.unasked if number else bool(self.unasked)

    def note_reply(self, number: int, kind: int, body: "Any") -> None:
        """Note what has become of a child. Runs the code of what is unpickled, and callbacks."""
        if kind == BEGUN:
            self.asked.discard(number)
            return
        if kind == REPORTED:
            child = self.sent.get(number)
            if child is not None:
                child.future.note_progress(body)
            return
        child = self.sent.pop(number, None)
        self.unasked.pop(number, None)
        self.asked.discard(number)
        if child is None:
            return
        if kind == RETURNED:
            make_pending_again(child.future)
            self.unsent[number] = child
        elif kind == CANCELLED:
            call_off(child)
        else:
            finish(child, kind, body)


def finish(child: "Task", kind: int, body: "Any") -> None:
    """End the future of a child with an outcome. Runs the code of what is unpickled, and callbacks."""
    if not settle_quietly(child, kind, body):
        settle(child, kind, body)


def cancel(child: "Task") -> None:
    """Cancel a child that nobody has."""
    try:
        child.future.cancel_or_interrupt()
    finally:
        child.end()


def cut_off(child: "Task") -> None:
    """End the future of a child whose parent has ended, and which goes on without."""
    future = child.future
    if not future.done() and start(future):
        future.set_exception(
            RuntimeError(f"{child.name} was submitted by a task that has ended without waiting for it")
        )
