"""The stack of a worker's one thread for tasks: which waits, and what runs on top; runs INSIDE a worker.

Owns steps H4 to H6 of `_nested.nest`, and that nothing strikes but while a task runs. What it does next is decided by
`_core.nesting`.
"""

import sys
from _thread import get_ident
from functools import partial
from time import monotonic, perf_counter

from interp_api import QueueError
from interp_pool._core.nesting import Step, choose_step, most_levels
from interp_pool._futures.claims import start
from interp_pool._nested.children import Children, finish
from interp_pool._nested.exchange import Exchange, is_interrupted
from interp_pool._wire.failures import describe_loss, encode_failure, tell_replaced, without_outer_frame
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    AWAITED,
    BEGAN,
    BURIED,
    BURIED_BEGAN,
    BURIED_COUNT,
    DEEPEST,
    HAS_ROUTES,
    IN_PLACE,
    KEPT,
    LEVELS,
    MOST_BURIED,
    PLACE,
    RECALL,
    TASK,
    TASK_FAILED,
    TASK_UNREADABLE,
    WORKER_LOST,
)
from interp_pool._worker.baseline import refused
from interp_pool._worker.running import run_flagged, run_task
from interp_pool._worker.surroundings import end_task, endings, flush_streams, in_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._worker.batch import Batch
    from interp_pool._worker.control_thread import Control
    from interp_pool._worker.loop import Serving

_PATIENCE = 1e-3  # seconds to wait for what the pool says of a child, before others are run
_FRAMES = 40  # of Python: what the steps here need, so that none of them fails half-way for want of stack


class Stack:
    """What waits in one worker's thread for tasks. Thread safety: `held` alone."""

    def __init__(self, served: "Serving", exchange: Exchange) -> None:
        self._control, self._calls, self._results, self._board, self._worker_id, self._has_limit = served
        self._exchange = exchange
        self._wake = exchange.wake
        self._taken = 0  # tasks of others in the stack

    def can_help(self) -> bool:
        """Return whether this is the thread that runs tasks."""
        return get_ident() == self._control.thread_id

    def held[R](self, step: "Callable[[], R]") -> R:
        """Take a step that nothing strikes, in any thread.

        Raises:
            TaskInterrupted: the task on the board is to be interrupted.
        """
        control = self._control
        if get_ident() != control.thread_id or control.pausing is not None:
            return step()
        try:
            control.pause(self._wake)
            result = step()
        finally:
            control.pausing = None
        if control.owed:
            self._deliver()
        return result

    def _deliver(self) -> None:
        """Interrupt the task on the board, if that is owed (V2)."""
        children = self._exchange.frames.get(self._board[TASK])
        if children is not None and self._board[TASK] in self._control.owed:
            children.was_struck = children.is_unwinding = True
        self._control.deliver()

    def help_outside(
        self, children: Children, has_arrived: "Callable[[], bool]", deadline: float | None, own: "Any"
    ) -> None:
        """Do what `help` does; if the task that waits has its caller's context, none of that is there for others."""
        step = partial(self.help, children, has_arrived, deadline, own)
        carried: Any = sys.modules.get("interp_pool._worker.carried")
        if carried is None:
            step()
        else:
            carried.run_outside(step)

    def help(self, children: Children, has_arrived: "Callable[[], bool]", deadline: float | None, own: "Any") -> None:
        """Run tasks until something has arrived, or the time is up, or the task that waits is to be interrupted.

        Args:
            children: of the task on the board.
            has_arrived: tells when.
            deadline: on the monotonic clock, None for no limit.
            own: the future that is waited for, None for several.

        Raises:
            RecursionError: too many tasks wait on top of each other.
        """
        board, owed = self._board, self._control.owed
        if not board[PLACE]:
            board[PLACE] = self._calls.own_place() + 1
        limit = min(most_levels(sys.getrecursionlimit()), MOST_BURIED)
        number = 0 if own is None else children.number_of(own)
        before = board[AWAITED]
        _need_frames(_FRAMES)
        may_take, patience = not self._has_limit, _PATIENCE
        try:
            while True:
                self._exchange.take_replies()
                if has_arrived() or board[TASK] in owed or (deadline is not None and monotonic() >= deadline):
                    return
                handed = self._take_handed(children)
                if handed is not None:
                    self._run_call(handed)
                    continue
                step = choose_step(
                    has_unsent=bool(children.unsent),
                    has_unasked=children.can_ask_for(number),
                    is_awaited=bool(number),
                    has_asked=bool(children.asked) and patience > 0,
                    levels=board[LEVELS],
                    limit=limit,
                    taken=self._taken,
                    may_take=may_take,
                )
                if step is Step.RUN:
                    child = children.unsent.pop(number, None) or _pop_last(children.unsent)
                    if child is not None:
                        self._run_in_place(children, child)
                elif step is Step.ASK_BACK:
                    asked = number if number in children.unasked else children.unasked.popitem()[0]
                    children.unasked.pop(asked, None)
                    children.asked.add(asked)
                    patience = _PATIENCE
                    self._exchange.ask(RECALL, (asked,))
                elif step is Step.GIVE_UP:
                    raise RecursionError(_too_deep(board[LEVELS]))
                else:
                    board[AWAITED] = number or -1
                    until = deadline
                    if children.asked and children.unsent:
                        until = min(monotonic() + patience, deadline or float("inf"))
                        patience = 0.0
                    takes = step is Step.TAKE and not children.asked
                    kept = len(children.unsent)

                    def has_more(kept: int = kept) -> bool:
                        # Another thread of the task may have taken the reply.
                        is_back = len(children.unsent) > kept or not self._exchange.handed.keys().isdisjoint(
                            children.sent
                        )
                        return is_back or has_arrived() or children.can_ask_for(number)

                    if not self._sleep(has_more, until, takes=takes):
                        may_take = False
                    board[AWAITED] = before
        finally:
            board[AWAITED] = before

    def _take_handed(self, children: Children) -> "Any":
        for number in [*self._exchange.handed]:
            if number in children.sent:
                return self._exchange.handed.pop(number)
        return None

    def _sleep(self, has_arrived: "Callable[[], bool]", deadline: float | None, *, takes: bool) -> bool:
        """Sleep until something has come, and run it if it is a task (H6); return False if that is an end."""
        timeout = None if deadline is None else max(0.0, deadline - monotonic())
        owed, board, replies = self._control.owed, self._board, self._exchange.replies

        def look() -> "tuple[()] | None":
            return () if replies.qsize() or board[TASK] in owed or has_arrived() else None

        if not takes:
            replies.wait(timeout, unless=_look_of(look))
            return True
        try:
            item: Any = self._calls.get(timeout, instead=look)
        except QueueError:
            return True
        if item is None:
            self._calls.put(None)  # some other worker's
            return False
        if item:
            self._taken += 1
            try:
                self._run_call(item)
            finally:
                self._taken -= 1
        return True

    def _run_in_place(self, children: Children, child: "Task") -> None:
        """Run a child as a part of its parent (H4)."""
        control, board = self._control, self._board
        number: Any = child.work_id
        outcome: Any = None
        self._begin_level()
        board[IN_PLACE] += 1
        board[KEPT] = len(children.unsent)
        if not start(child.future):
            board[LEVELS] -= 1
            return  # it was cancelled
        started = perf_counter()
        in_place.append(child)
        try:
            control.pausing = None
            outcome = run_task(number, child.payload)
            control.pause(self._wake)
        except TaskInterrupted as exc:
            control.pausing = self._wake  # one exception comes for each strike
            if outcome is None:
                outcome = TASK_FAILED, number, encode_failure(exc), perf_counter() - started
            control.owed.add(board[TASK])
        finally:
            control.pausing = self._wake
            in_place.pop()
            board[LEVELS] -= 1
        kind, _, body, _ = outcome
        if control.traced is not None:
            from interp_pool._worker.traced import note_inner

            note_inner(control.traced, child.plain_name, started, kind)
        if is_interrupted(outcome):
            if children.is_unwinding or (control.struck == board[TASK] and not children.was_struck):
                control.owed.add(board[TASK])  # it was meant for the parent, which has called this
        else:
            children.is_unwinding = False
        outcome = None
        if kind == TASK_UNREADABLE and board[HAS_ROUTES] and body[-1] is not None:
            self._exchange.send(children, [child])  # no worker can load it: the pool has it run elsewhere
            children.unasked.pop(number, None)
            return
        self._exchange.quietly(partial(finish, child, kind, body))
        if children.unsent:
            self._exchange.send_some(children)

    def _begin_level(self) -> None:
        board = self._board
        board[LEVELS] += 1
        if board[LEVELS] > board[DEEPEST]:
            board[DEEPEST] = board[LEVELS]

    def _run_call(self, item: "Any") -> None:
        """Run a task of the pool on top of the one that waits (H6): L1 to L4 of `_worker.control_thread`."""
        control, board, put = self._control, self._board, self._results.put
        work_id, buried, depth = abs(item[0]), board[TASK], board[BURIED_COUNT]
        kept = board[BEGAN], board[AWAITED], *_set_aside(control)
        board[BURIED + depth], board[BURIED_BEGAN + depth] = buried, board[BEGAN]
        board[BURIED_COUNT] = depth + 1
        board[AWAITED] = 0
        self._begin_level()
        in_place.append(None)
        board[TASK] = -buried  # from here on the one that waits is not struck: it is owed
        outcome: Any = None
        try:
            control.pausing = None
            if item[0] > 0:
                board[TASK] = work_id  # L1
                outcome = run_task(work_id, item[1])
            else:
                outcome = run_flagged(work_id, item[1], item[2], board, put, control)
            flush_streams()
            board[TASK] = -work_id  # L3
            if control.struck:
                control.clear_up()  # L4
        except BaseException as exc:
            board[TASK] = -work_id  # L3, unless it was already
            if control.struck:
                control.clear_up()  # L4
            if control.batch is not None:
                control.batch.end()
            if outcome is None and isinstance(exc, TaskInterrupted):
                outcome = TASK_FAILED, work_id, encode_failure(without_outer_frame(exc)), 0.0
            elif outcome is None:
                self._exchange.is_lost = True
                put((WORKER_LOST, self._worker_id, (work_id, describe_loss(exc)), 0.0))
        control.pausing = self._wake
        in_place.pop()
        if endings:
            end_task(0, work_id)
        if outcome is not None:
            self._exchange.end_task(work_id, outcome)
            if refused:
                tell_replaced(refused, put, self._worker_id)
            put(outcome)
        board[BEGAN], board[AWAITED], control.batch, control.struck = kept
        board[LEVELS] -= 1
        board[BURIED_COUNT] = depth
        board[TASK] = buried


def _set_aside(control: "Control") -> "tuple[Batch | None, int]":
    """Return what belongs to the task that waits, and have it be the next one's."""
    kept = control.batch, control.struck
    control.batch, control.struck = None, 0
    return kept


def _need_frames(count: int) -> None:
    """Raise RecursionError if there is not so much room on the stack."""
    if count:
        _need_frames(count - 1)


def _look_of(look: "Callable[[], tuple[()] | None]") -> "Callable[[], bool]":
    """Return what tells whether a look finds something."""
    return lambda: look() is not None


def _pop_last(unsent: "dict[int, Task]") -> "Task | None":
    try:
        return unsent.popitem()[1]
    except KeyError:
        return None  # the control thread has sent it


def _too_deep(levels: int) -> str:
    return (
        f"cannot run a task for one that waits for it: {levels} tasks wait on top of each other in this worker, as "
        "many as its recursion limit allows; split the work into fewer levels, or call sys.setrecursionlimit() in an "
        "initializer"
    )
