"""What a worker has for tasks that submit tasks to their own pool; runs INSIDE a worker, from the first such task on.

Owns waiting: the worker's one thread for tasks runs other tasks meanwhile, on its stack. What it does next is decided
by `_core.nesting`; the pool's side is `_pool.nesting`.

    submit    H1  the child is pickled, and stays here, unsent
              H2  the pool could have more begun, or a worker sleeps at its queue: the oldest ones are sent
    offer     H3  a worker has become idle: the pool asks for some (OFFER), and the control thread sends them
    wait      H4  an unsent child, the one that is waited for or else the youngest, is run *in place*: unpickled, called
                  and pickled as anywhere else, but nothing crosses a queue
              H5  one that was sent is asked back (RECALL): it is RETURNED and run in place; or HANDED, if it has
                  options, and run as in H6; or BEGUN by another worker
              H6  sleep at the queue of calls, where a task of anybody is *taken*, with its work id on the board, and
                  the one that waits is *buried*; or at that of replies alone, when the stack has enough of these
    reply     H7  the pool puts what has become of a child, then rings the place where this thread sleeps at H6. It
                  marks that place before it looks for replies, so a reply that it does not see rings it
    end       H8  the parent was interrupted: what it has not sent is cancelled, the rest interrupted (STOP); otherwise
                  all of it goes on, without anybody who waits (LEAVE)

A child that runs in place is to the pool a part of its parent, as a function that it calls: an interrupt of the parent
strikes it, and is raised in the parent as well once the child has ended with it. A taken task is one of its own: an
interrupt of who is buried waits until that is on top again (V1, V2 of `_worker.control_thread`).

Nothing of this is struck: it pauses that (U1, U2), but for while a task runs. So no child is lost between two books.
"""

from functools import partial
from itertools import count

from interp_pool._futures.claims import start
from interp_pool._nested.children import Children, cancel
from interp_pool._nested.exchange import Exchange
from interp_pool._nested.futures import Waiters
from interp_pool._nested.stack import Stack
from interp_pool._wire.messages import ASKED, HAS_ROUTES, KEPT, LOGS_UNREAD, STOP, TASK
from interp_pool._worker.surroundings import in_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._wire.messages import Place
    from interp_pool._worker.loop import Serving

_RUNS_IN_PLACE = (
    "cannot interrupt a task that its parent runs itself while it waits: interrupt the parent, or submit the task with "
    "an option, `current_executor().options(name=...)`, which makes it one of the pool's that can be interrupted alone"
)


class Nest:
    """What futures, tasks, the control thread and the loop ask of it. Thread safety: all methods."""

    def __init__(self, served: "Serving") -> None:
        self._board = served[3]
        self._exchange = Exchange(served)
        self._stack = Stack(served, self._exchange)
        self._numbers = count(1)
        Waiters.helper = self

    # What futures ask: the face of a pool, see `_futures.ports`. All of these may be called in any thread.

    is_managed_here = False

    @property
    def logs_unread(self) -> bool:
        """Whether errors are logged that nobody has asked for."""
        return bool(self._board[LOGS_UNREAD])

    def call_manager(self) -> None:
        """Nobody is to be called: who settles a future here wakes who waits."""

    def note_cancelled(self) -> None:
        """There is nothing to note: who is cancelled leaves the book of what is unsent."""

    def stop_at_once(self) -> None:
        """Ctrl-C is the program's, and strikes in no worker."""

    def stand_in(self, future: "Any", deadline: float | None) -> None:
        """Run tasks until a future is done, or the time is up; returns at once in a thread that cannot."""
        self.help_until(future.has_arrived, deadline, future)

    def recall(self, futures: "Iterable[Any]") -> None:
        """Cancel those of some futures whose tasks were sent, and that no worker has begun."""
        for future in futures:
            children, number = self._find(future)
            if children is not None and number in children.sent:
                self._stack.held(partial(self._exchange.drop, children, number))

    def interrupt(self, future: "Any", grace: float) -> bool:
        """Begin to stop a task; return whether it has not ended.

        Raises:
            RuntimeError: it runs in place, where an exception from outside is its parent's.
        """
        children, number = self._find(future)
        if children is not None and number in children.unsent:
            _cancel_unsent(children, number)
        elif children is not None and number in children.sent:
            self._exchange.give_back(children, [number])
            self._exchange.ask(STOP, (number,), grace)
        elif any(child is not None and child.future is future for child in [*in_place]):
            raise RuntimeError(_RUNS_IN_PLACE)
        return not future.done()

    def where(self, future: "Any", _timeout: float) -> "tuple[str, list[Place]]":
        """Return a phrase on where a task is."""
        children, number = self._find(future)
        if children is None or not number:
            return "runs in the worker of its parent, or is done", []
        return "was sent to the pool" if number in children.sent else "waits in the worker of its parent", []

    def _find(self, future: "Any") -> "tuple[Children | None, int]":
        for children in [*self._exchange.frames.values()]:
            number = children.number_of(future)
            if number:
                return children, number
        return None, 0

    # What tasks ask.

    def children_of(self, work_id: int) -> Children:
        """Return the book of a task in the stack, which is made at its first use."""
        return self._exchange.frames.setdefault(work_id, Children(work_id))

    def add(self, children: Children, child: "Task") -> None:
        """Take a child (H1, H2). Any thread."""
        if children.is_over:
            raise RuntimeError("cannot submit: the task that this executor belongs to has ended")
        child.work_id = number = next(self._numbers)
        future: Any = child.future
        future.number = number
        children.unsent[number] = child
        board = self._board
        if child.control is not None or board[HAS_ROUTES]:
            self.send_now(children, number)  # its options are the pool's to keep, and where it runs
        elif len(children.sent) < self._exchange.wanted() or self._exchange.wants_some:
            self._stack.held(partial(self._exchange.send_some, children))
        elif self._exchange.has_replies:
            self._stack.held(self._exchange.take_replies)
        board[KEPT] = len(children.unsent)

    def send_now(self, children: Children, number: int) -> None:
        """Send a child that is not to run here before the pool has heard of it. Any thread."""
        child = children.unsent.pop(number, None)
        if child is not None and start(child.future):
            self._stack.held(partial(self._exchange.send, children, [child]))

    def listen(self, future: "Any" = None) -> None:
        """Have futures settled whose tasks nobody would run here: one of them, or all. Any thread."""
        self._stack.held(self._exchange.listener.start)
        for children in [*self._exchange.frames.values()]:
            if future is None:
                self._stack.held(partial(self._exchange.send_all, children))
            else:
                self.send_now(children, future.number)

    def end_children(self, children: Children, *, is_cancelled: bool, waits: bool) -> None:
        """Cancel the children of a task that no worker has begun, and wait for all of them, if so asked. Any thread."""
        futures: list[Any] = [child.future for child in (*children.unsent.values(), *children.sent.values())]
        for future in futures if is_cancelled else ():
            future.cancel()
        for future in futures if waits else ():
            future.wait_done()

    def take_replies(self) -> None:
        """Settle what is there. Any thread."""
        if self._exchange.has_replies:
            self._stack.held(self._exchange.take_replies)

    def note_asked(self) -> None:
        """Note that a task was told that a child is not done: who asks again and again rests. Any thread."""
        self._board[ASKED] += 1

    def note_unwaited(self) -> None:
        """Note so of one who has no replies taken: another thread takes them. Any thread."""
        self.note_asked()
        if self._exchange.has_replies:
            self._stack.held(self._exchange.listener.start)

    def help_until(self, has_arrived: "Callable[[], bool]", deadline: float | None, own: "Any" = None) -> None:
        """Run tasks until something has arrived, or the time is up; at once in a thread that cannot run any.

        Raises:
            TaskInterrupted: the task that waits is to be interrupted.
            RecursionError: too many tasks wait on top of each other.
        """
        children = self._exchange.frames.get(self._board[TASK])
        if not self._stack.can_help() or children is None:
            self.listen(own)
            return
        self._stack.held(partial(self._stack.help_outside, children, has_arrived, deadline, own))
        if not has_arrived():
            self.note_asked()

    # What the control thread and the loop ask.

    def offer(self) -> None:
        """Send some children to the pool, which wants them (H3)."""
        self._exchange.offer()

    def end_task(self, work_id: int, outcome: "Any") -> bool:
        """A task has ended, and nothing strikes any more (H8); return whether the worker is lost."""
        return self._exchange.end_task(work_id, outcome)

    def close(self) -> None:
        """The worker ends."""
        self._exchange.listener.end()
        if Waiters.helper is self:
            Waiters.helper = None


def _cancel_unsent(children: Children, number: int) -> None:
    """Cancel a child that was not sent."""
    child = children.unsent.pop(number, None)
    if child is not None:
        cancel(child)
