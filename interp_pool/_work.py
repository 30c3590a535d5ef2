"""A task on its way, and the ways its future ends.

Owns what a future gets: the worker's result or failure, the breaking of the pool, the cancelling. It must not know how
tasks reach the workers.

Nothing of a result payload may outlive the settling: it may point into the memory of the worker, which closes its
interpreter soon. So an exception loses its frames before a future keeps it.
"""

from threading import current_thread, main_thread

import interp_api
from interp_api import InterpreterError
from interp_pool._errors import BrokenInterpreterPool, ResultPicklingError, TaskPicklingError, WorkerLostError
from interp_pool._failures import add_note, decode_failure, notes_of, set_traceback
from interp_pool._lazy_future import cancel_unwatched, finish_quietly, start
from interp_pool._messages import BATCH_DONE, BATCH_PART, DATA, RESULT, TASK_FAILED, TASK_UNREADABLE, VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._future import TaskFuture
    from interp_pool._ledger import Ledger
    from interp_pool._messages import Failure, Payload
    from interp_pool._stopping import TaskControl


def describe(cause: "BaseException | str") -> str:
    """Return an exception as `Type: text`: the text alone can be empty, or a number."""
    return cause if isinstance(cause, str) else f"{type(cause).__name__}: {cause}"


def payload_size(payload: "Payload") -> int:
    """Return how many bytes a payload has, shared memory among them."""
    if isinstance(payload, bytes):
        return len(payload)
    pickle, buffers, *_ = payload
    return len(pickle) + sum(memoryview(chunk).nbytes for chunk, _ in buffers)


def result_size(kind: int, body: "Any") -> int:
    """Return how many bytes a result has, 0 for what needs no pickling and for failures."""
    return payload_size(body) if kind < TASK_FAILED and kind != VALUE else 0


class WorkItem:
    """One task on its way: the future to settle, and the payload, which also keeps shared memory alive."""

    __slots__ = (
        "control",
        "count",
        "flags",
        "function",
        "future",
        "is_deferred",
        "is_ended",
        "is_tried",
        "ledger",
        "payload",
        "placed",
        "work_id",
    )

    def __init__(
        self,
        future: "TaskFuture[Any]",
        function: "Callable[..., object]",
        payload: "Payload",
        ledger: "Ledger | None" = None,
        flags: int = 0,
        count: int | None = None,
        control: "TaskControl | None" = None,
    ) -> None:
        self.future = future
        self.function = function  # for its name
        self.payload = payload
        self.ledger = ledger
        self.flags = flags  # of its call item
        self.count = count  # of items, if it is a batch of map: then the future is a BatchFuture
        self.control = control  # None for a task without options that nobody stops
        self.work_id: int | None = None  # once it is about to leave the backlog
        self.placed: list[None] = []  # not empty once it is in the calls queue
        self.is_deferred = False  # something of it waits for the manager's thread
        self.is_tried = False  # its future is being settled, or was when an exception struck
        self.is_ended = False  # its future is settled

    @property
    def name(self) -> str:
        """What to call the task in messages."""
        if self.control is not None and self.control.options.name is not None:
            return f"task {self.control.options.name!r}"
        function: Any = self.function
        name = getattr(function, "__qualname__", None) or type(function).__name__
        return f"task {name}()" if self.count is None else f"map of {name}()"

    @property
    def priority(self) -> int:
        """Higher goes first."""
        return 0 if self.control is None else self.control.options.priority

    def end(self) -> None:
        """Called once the future is settled, whichever way."""
        self.is_ended = True
        self.future.forget_pool()
        if self.control is not None:
            self.control.end()
        if self.ledger is not None:
            self.ledger.end(self)


def settle_quietly(item: WorkItem, kind: int, body: "Any") -> bool:
    """Settle a future without running anybody's code; return False, changing nothing, if that cannot be.

    A part of a batch is only added to it.
    """
    if kind in (BATCH_PART, BATCH_DONE):
        if type(body) is not bytes:
            return False
        item.future.add_part(body)  # type: ignore[attr-defined]  # a BatchFuture, which has no callbacks
        if kind == BATCH_PART:
            return True
        body = None
    elif kind == DATA:
        body = interp_api.decode(body)
    elif kind != VALUE:
        return False
    if item.is_tried and item.future.done():
        item.future.tell_rest()  # who tried may have been struck before it told everybody
        return True
    item.is_tried = True
    if not finish_quietly(item.future, body):
        return False
    item.is_ended = True
    if item.control is not None:
        item.control.end()
    if item.ledger is not None:
        item.ledger.end(item)
    return True


def settle(item: WorkItem, kind: int, body: "Any") -> None:
    """Settle a future with what the worker sent, or add a part to a batch."""
    error: BaseException | None = None
    result: object = None
    try:
        if kind == VALUE:
            result = body
        elif kind in (DATA, RESULT):
            result = interp_api.decode(body)
        elif kind in (BATCH_PART, BATCH_DONE):
            item.future.add_part(interp_api.decode(body))  # type: ignore[attr-defined]  # a BatchFuture
            if kind == BATCH_PART:
                return
        else:
            error = task_error(kind, decode_failure(body))
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt) and current_thread() is main_thread():
            raise  # the user's: the manager will unpickle it again
        # From the user's __setstate__ and the like, so even a SystemExit is the future's.
        error = ResultPicklingError(f"result could not be unpickled: {exc}")
        error.__cause__ = without_frames(exc)
    body = None
    if error is not None:
        _fail(item, error)
        return
    item.future.forget_pool()
    try:
        item.future.set_result(result)
    finally:
        item.end()


def without_frames(exc: BaseException) -> BaseException:
    """Replace an exception's traceback, but for the frame that caught it, by a note with its text.

    Its frames, and with them those of all callers, hold the payload, the task or the future: these would stay for as
    long as the exception, and make a cycle with it.
    """
    if exc.__traceback__ is not None and exc.__traceback__.tb_next is not None:
        from traceback import format_tb

        text = "".join(format_tb(exc.__traceback__.tb_next)).rstrip()
        add_note(exc, f"Traceback (most recent call last):\n{text}")
    link: BaseException | None = exc
    for _ in range(20):  # a chain can be a ring
        if link is not None:
            set_traceback(link, None)
            link = link.__context__
    return exc


def task_error(kind: int, failure: BaseException) -> BaseException:
    """Return what a future gets for a failure the worker sent."""
    if kind == TASK_FAILED:
        return failure
    if kind == TASK_UNREADABLE:
        error: BaseException = TaskPicklingError(f"args not shareable: the worker could not unpickle them: {failure}")
    else:
        error = ResultPicklingError(f"result not shareable: {failure}")
    error.__cause__ = failure if failure.__cause__ is None else failure.__cause__
    for note in notes_of(failure):
        error.add_note(note)
    return error


def cancel(item: WorkItem) -> None:
    """End a future that no worker has been given."""
    if item.placed:
        return  # it has been, and is in the backlog because an exception struck just then
    try:
        if not cancel_unwatched(item.future):
            item.future.cancel()
            item.future.set_running_or_notify_cancel()
    finally:
        item.end()


def fail_stopped(item: WorkItem, what: str) -> None:
    """End the future of a task that was stopped otherwise than by an exception in it."""
    assert item.control is not None
    if item.future.done() or not start(item.future):
        item.end()
        return
    _fail(item, item.control.error(item.name, what))


def call_off(item: WorkItem) -> None:
    """Cancel a task that was sent to the workers, and that none of them has got."""
    try:
        item.future.call_off()
    finally:
        item.end()


def fail_broken(item: WorkItem, cause: "BaseException | str") -> None:
    """End a future because the pool cannot run its task any more."""
    if item.future.done() or (not item.future.running() and not item.future.set_running_or_notify_cancel()):
        item.end()
        return
    error = BrokenInterpreterPool(f"the pool broke before the task was done: {describe(cause)}")
    error.__cause__ = cause if isinstance(cause, BaseException) else None
    _fail(item, error)


def fail_lost(item: WorkItem, failure: "Failure | str") -> None:
    """End a future because its worker failed."""
    error = WorkerLostError("the worker failed while it ran the task; the pool goes on with another")
    error.__cause__ = InterpreterError(failure) if isinstance(failure, str) else decode_failure(failure)
    _fail(item, error)


def _fail(item: WorkItem, error: BaseException) -> None:
    if item.control is not None:
        error = item.control.explain(item.name, error)
    item.future.forget_pool()
    try:
        item.future.set_exception(error)
    finally:
        item.end()
