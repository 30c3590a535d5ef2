"""What crosses between a worker whose tasks submit tasks, and its pool; runs INSIDE a worker.

Owns the messages to the pool, the replies, and the books that these change: steps H2, H3, H5, H7 and H8 of
`_nested.nest`. It must not know who runs what. Nothing strikes in here, see there.
"""

import sys
from _thread import get_ident
from collections import deque
from functools import partial

from interp_api import PoolQueue, encode
from interp_pool._core.nesting import count_offers
from interp_pool._nested.children import Children, cut_off
from interp_pool._nested.listening import Listener
from interp_pool._pool.outcomes import call_off
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    AWAITED,
    DROP,
    HANDED,
    KEPT,
    LEAVE,
    NESTED_ASKED,
    NESTED_DONE,
    NESTED_TASKS,
    PLACE,
    RETURNED,
    STOP,
    TAKE_BACK,
    TASK_FAILED,
    TASK_TRACED,
    WANTED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._worker.loop import Serving

_GRACE = 0.25  # seconds that the children of a task have to stop that was interrupted, as anybody's
_UNTOLD = 1  # children that are sent before the pool has said how many it wants
_A_MESSAGE = 64  # children
_A_LOOK = 64  # replies
_AS_INTERRUPTED = TaskInterrupted.__name__, TaskInterrupted.__module__


class Exchange:
    """The children of the tasks in one worker's stack, and what is said of them. Thread safety: all methods."""

    def __init__(self, served: "Serving") -> None:
        self._control, self._calls, self._results, self._board, self._worker_id, _ = served
        self._board[PLACE] = 0
        self.replies = PoolQueue()
        """What has become of children, from the pool."""
        self._inbox: deque[Any] = deque()  # replies that were taken and not noted
        self.handed: dict[int, Any] = {}
        """Call items of children, by their numbers."""
        self.frames: dict[int, Children] = {}
        """The children of each task in the stack, by its work id."""
        self.is_lost = False
        """Whether the worker takes no further task."""
        self.listener = Listener(self.replies, self.take_replies)

    @property
    def has_replies(self) -> bool:
        """Whether there is something to note."""
        return bool(self._inbox or self.replies.qsize())

    @property
    def wants_some(self) -> bool:
        """Whether somebody looks for something to do."""
        return self._calls.has_sleeper

    def wanted(self) -> int:
        """Return how many children the pool is to have, as far as it has said."""
        told = self._board[WANTED]
        return told - 1 if told else _UNTOLD

    def offer(self) -> None:
        """Send children of the lowest task in the stack that has some: they are likely to be large (H3)."""
        if self.has_replies:
            self.listener.start()  # nobody may look, and some may have been returned
        self._give_back_handed()
        for children in [*self.frames.values()]:
            if children.unsent and self.send_some(children):
                return
        self._results.put((NESTED_TASKS, self._worker_id, (self.replies.id, 0, ()), 0.0))  # it may ask again

    def _give_back_handed(self) -> None:
        """Have others run what was handed here, if the task that has asked does not wait for it any more."""
        if self._board[AWAITED]:
            return
        for children in [*self.frames.values()]:
            self.give_back(children, [number for number in [*self.handed] if number in children.sent])

    def give_back(self, children: Children, numbers: "Iterable[int]") -> None:
        """Have others run children that were handed here, as far as they were not begun."""
        back = tuple(number for number in numbers if self.handed.pop(number, None) is not None)
        if back:
            self.ask(TAKE_BACK, back)
            children.unasked.update(dict.fromkeys(back))
            self.wake()  # who waits may ask for one of these again

    def end_task(self, work_id: int, outcome: "Any") -> bool:
        """A task has ended, and nothing strikes any more (H8); return whether the worker is lost."""
        self._control.owed.discard(work_id)
        children = self.frames.pop(work_id, None)
        if children is not None:
            children.is_over = True
            if not self.frames:
                self.listener.end()
            self.quietly(self.take_replies)
            self._let_go(children, is_stopped=is_interrupted(outcome))
        return self.is_lost

    def wake(self) -> None:
        """Have the thread of the tasks look, if it sleeps."""
        place = self._board[PLACE]
        if place:
            self._calls.ring_at(place - 1)
        self.replies.ring_all()

    def quietly(self, step: "Callable[[], object]") -> None:
        """Take a step in which code of the program's may run, whose errors are nobody's."""
        try:
            step()
        except BaseException as exc:
            sys.excepthook(type(exc), exc, exc.__traceback__)

    def take_replies(self) -> None:
        """Note what has become of children (H7)."""
        inbox = self._inbox
        self.replies.drain(inbox, _A_LOOK)
        if not inbox:
            return
        while inbox:
            try:
                number, kind, body = inbox.popleft()[0]
            except IndexError:
                return  # another thread has it
            self.quietly(partial(self._note_reply, number, kind, body))
        if get_ident() != self._control.thread_id:
            self.wake()
        elif self.replies.has_sleeper:
            self.replies.ring_all()

    def _note_reply(self, number: int, kind: int, body: "Any") -> None:
        for children in [*self.frames.values()]:
            if number in children.sent:
                if kind == HANDED:
                    children.asked.discard(number)
                    self.handed[number] = body
                else:
                    children.note_reply(number, kind, body)
                    if kind == RETURNED:
                        self._board[KEPT] = len(children.unsent)
                return

    def ask(self, what: int, about: "Any", seconds: float = 0.0) -> None:
        """Ask the pool for something about children."""
        self._results.put((NESTED_ASKED, self._worker_id, (what, about, seconds), 0.0))

    def send_some(self, children: Children) -> bool:
        """Send as many children as the pool could have more begun (H2); return whether there were any."""
        count = count_offers(
            kept=len(children.unsent),
            sent=len(children.sent),
            wanted=self.wanted(),
            is_hungry=self.wants_some,
        )
        return bool(count) and self.send(children, children.take_oldest(count))

    def send_all(self, children: Children) -> None:
        """Send what was not sent."""
        while children.unsent:
            self.send(children, children.take_oldest(_A_MESSAGE))

    def send(self, children: Children, some: "Iterable[Task]", *, are_left: bool = False) -> bool:
        """Send children that were taken out of the book, and that nobody waits for if they are left.

        Returns:
            Whether there were any.
        """
        sent: list[Any] = []
        for child in some:
            number: Any = child.work_id
            if not are_left:
                children.sent[number] = child
            function: Any = child.function
            options = None if child.control is None else encode(child.control.options.given(), share=False)
            name = getattr(function, "__qualname__", None) or type(function).__name__
            module = getattr(function, "__module__", None)
            sent.append((number, child.payload, module, name, options, are_left))
        if sent:
            self._results.put((NESTED_TASKS, self._worker_id, (self.replies.id, children.work_id, tuple(sent)), 0.0))
            if not are_left:
                children.unasked.update((each[0], None) for each in sent if each[0] in children.sent)
                if get_ident() != self._control.thread_id:
                    self.wake()  # it may wait for one of these, and can ask for it now
        self._board[KEPT] = len(children.unsent)
        return bool(sent)

    def drop(self, children: Children, number: int) -> None:
        """Have the pool cancel a child, and wait for the answer."""
        children.asked.add(number)
        self.ask(DROP, (number,))
        while number in children.asked and number in children.sent:
            self.replies.wait(unless=lambda: number not in children.asked)
            self.take_replies()

    def _let_go(self, children: Children, *, is_stopped: bool) -> None:
        sent, children.sent = {**children.sent}, {}
        unsent, children.unsent = {**children.unsent}, {}
        for number in sent:
            self.handed.pop(number, None)  # the pool has somebody else run it
        if is_stopped:
            if sent:
                self.ask(TAKE_BACK, tuple(sent))
                self.ask(STOP, tuple(sent), _GRACE)
            for child in (*unsent.values(), *sent.values()):
                self.quietly(partial(call_off, child))
        else:
            if sent:
                self.ask(LEAVE, tuple(sent))
            waiting = [child for child in unsent.values() if not child.future.cancelled()]
            for start in range(0, len(waiting), _A_MESSAGE):
                self.send(children, waiting[start : start + _A_MESSAGE], are_left=True)
            for child in (*unsent.values(), *sent.values()):
                self.quietly(partial(cut_off, child))
        self._board[KEPT] = 0


def is_interrupted(outcome: "Any") -> bool:
    """Return whether a task has ended by an interrupt."""
    if outcome is None:
        return False
    kind, _, body, _ = outcome
    if kind == TASK_TRACED:
        kind, body, _ = body
    if kind == NESTED_DONE:
        kind, body = body
    return kind == TASK_FAILED and (body[2], body[4]) == _AS_INTERRUPTED
