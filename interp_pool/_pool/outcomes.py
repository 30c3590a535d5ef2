"""The ways the future of a task ends.

Owns what a future gets: the worker's result or failure, the breaking of the pool, the cancelling. It must not know how
tasks reach the workers.

Nothing of a result payload may outlive the settling: it may point into the memory of the worker, which closes its
interpreter soon. So an exception loses its frames before a future keeps it.
"""

from functools import partial
from threading import current_thread, main_thread

import interp_api
from interp_api import InterpreterError, is_importing
from interp_pool._errors import (
    ResultImportError,
    ResultPicklingError,
    TaskImportError,
    TaskPicklingError,
    WorkerLostError,
    broken,
)
from interp_pool._futures.claims import cancel_unwatched, finish_quietly, start
from interp_pool._futures.undecoded import Undecoded
from interp_pool._wire.decoding import add_note, decode_failure
from interp_pool._wire.failures import notes_of, set_traceback
from interp_pool._wire.messages import (
    BATCH_DONE,
    BATCH_PART,
    BATCH_REST,
    DATA,
    RESULT,
    RESULT_UNSENDABLE,
    TASK_FAILED,
    TASK_UNREADABLE,
    VALUE,
)
from interp_pool._wire.refused import describe_refusal
from interp_pool._wire.texts import brief, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._wire.messages import Failure, Payload


def payload_size(payload: "Payload") -> int:
    """Return how many bytes a payload has, shared memory among them."""
    if isinstance(payload, bytes):
        return len(payload)
    pickle, buffers, *_ = payload
    return len(pickle) + sum(memoryview(chunk).nbytes for chunk, _ in buffers)


def result_size(kind: int, body: "Any") -> int:
    """Return how many bytes a result has, 0 for what needs no pickling and for failures."""
    return payload_size(body) if BATCH_PART <= kind < TASK_FAILED and kind != VALUE else 0


def settle_quietly(item: "Task", kind: int, body: "Any") -> bool:
    """Settle a future without running anybody's code; return False, changing nothing, if that cannot be.

    A part of a batch is only added to it.
    """
    if kind <= BATCH_DONE:
        if kind == BATCH_REST:
            return True  # which the pool notes
        if type(body) is not bytes:
            return False
        item.future.add_part(body)  # type: ignore[attr-defined]  # a BatchFuture, which has no callbacks
        if kind == BATCH_PART:
            return True
        body = None
    elif kind == DATA:
        try:
            body = interp_api.decode(body)
        except MemoryError:
            return False  # `settle` tells it; here it would end the manager, and the future would have no end
    elif kind != VALUE:
        return False
    if item.is_tried and item.future.done():
        item.future.tell_rest()  # who tried may have been struck before it told everybody
        return True
    item.is_tried = True
    if not finish_quietly(item.future, body):
        item.is_tried = False
        return False
    item.is_ended = True
    if item.control is not None:
        item.control.end()
    if item.open_tasks is not None:
        item.open_tasks.end(item)
    return True


def settle(item: "Task", kind: int, body: "Any") -> None:
    """Settle a future with what the worker sent, or add a part to a batch."""
    if item.is_tried and item.future.done():
        item.end()  # who tried was struck before that
        return
    waits = kind not in (VALUE, DATA) and is_importing()  # to unpickle it might take until an import has ended
    is_told = kind >= TASK_FAILED and body[-1] is not None  # of the module that was refused
    result: object = None
    error: BaseException | None = None
    if kind <= BATCH_DONE:
        if waits:  # its consumer unpickles it
            item.future.add_part(interp_api.detach(body))  # type: ignore[attr-defined]  # a BatchFuture
        else:
            part, error = _decode(RESULT, body, item.name)
            if error is None:
                item.future.add_part(part)  # type: ignore[attr-defined]  # as above
        if kind == BATCH_PART and error is None:
            return
    elif waits:
        _settle_undecoded(item, kind, body)
        return
    else:
        result, error = _decode(kind, body, item.name)
    body = None
    if error is not None:
        _fail(item, error, is_told=is_told)
        return
    item.future.forget_pool()
    item.is_tried = True
    try:
        item.future.set_result(result)
    finally:
        item.end()


def _decode(kind: int, body: "Any", name: str) -> "tuple[object, BaseException | None]":
    """Unpickle what the worker sent; return the result, or the error in its place."""
    try:
        if kind == VALUE:
            return body, None
        return _read(kind, body, name)
    except BaseException as exc:
        raise_if_struck(exc)  # somebody will unpickle it again
        if not interp_api.comes_again(exc, partial(_read, kind, body, name)):
            raise
        # From the user's __setstate__ and the like, so even a SystemExit is the future's.
        error = ResultPicklingError(f"result could not be unpickled: {brief(exc)}")
        error.__cause__ = without_frames(exc)
        return None, error


def _read(kind: int, body: "Any", name: str) -> "tuple[object, BaseException | None]":
    return (interp_api.decode(body), None) if kind in (DATA, RESULT) else (None, task_error(kind, body, name))


def _settle_undecoded(item: "Task", kind: int, body: "Any") -> None:
    """Settle a future, and leave the unpickling to who asks for its result."""
    if kind == RESULT:
        own: Any = interp_api.detach(body)
    else:
        payload, *rest = body
        own = (None if payload is None else interp_api.detach(payload), *rest)
    name, control = item.name, item.control

    def decode() -> "tuple[object, BaseException | None]":
        result, error = _decode(kind, own, name)
        return result, error if error is None or control is None else control.explain(name, error)

    item.future.forget_pool()
    try:
        item.future.finish_undecoded(Undecoded(decode, kind != RESULT))
    finally:
        item.end()


def raise_if_struck(exc: BaseException) -> None:
    """Raise an exception that came while something was pickled or unpickled, if it is the user's Ctrl-C.

    Everything else comes from an object's own code, even a SystemExit: it is the error of who sent that object.
    """
    if isinstance(exc, KeyboardInterrupt) and current_thread() is main_thread():
        raise exc


def without_frames(exc: BaseException) -> BaseException:
    """Replace an exception's traceback, but for the frame that caught it, by a note with its text.

    Its frames, and with them those of all callers, hold the payload, the task or the future: these would stay for as
    long as the exception, and make a cycle with it.
    """
    if exc.__traceback__ is not None and exc.__traceback__.tb_next is not None:
        try:
            from traceback import format_tb

            text = "".join(format_tb(exc.__traceback__.tb_next)).rstrip()
            add_note(exc, f"Traceback (most recent call last):\n{text}")
        except (ImportError, OSError):
            pass  # no descriptor is free to read what that imports: the error itself is told all the same
    return _drop_frames(exc)


def _drop_frames(exc: BaseException) -> BaseException:
    link: BaseException | None = exc
    for _ in range(20):  # a chain can be a ring
        if link is not None:
            set_traceback(link, None)
            link = link.__context__
    return exc


def decode_failure_now(failure: "Failure", needed_by: str) -> BaseException:
    """Return the exception without waiting for an import: while there is one, what tells of the exception instead."""
    return decode_failure((None, *failure[1:]) if is_importing() else failure, needed_by)


def task_error(kind: int, failed: "Failure", name: str) -> BaseException:
    """Return what a future gets for a failure the worker sent.

    Args:
        kind: of the message.
        failed: the failure.
        name: of the task.
    """
    needed_by = f"the result of {name}" if kind == RESULT_UNSENDABLE else name
    failure = decode_failure(failed, needed_by)
    if kind == TASK_FAILED:
        return failure
    refusal = failed[-1]
    text = None if refusal is None else describe_refusal(refusal, needed_by)
    error: BaseException
    if refusal is not None:
        error = (TaskImportError if kind == TASK_UNREADABLE else ResultImportError)(text, name=refusal[1] or None)
    elif kind == TASK_UNREADABLE:
        error = TaskPicklingError(f"args not shareable: the worker could not unpickle them: {brief(failure)}")
    else:
        error = ResultPicklingError(f"result not shareable: {brief(failure)}")
    error.__cause__ = failure if failure.__cause__ is None else failure.__cause__
    for note in notes_of(failure):
        if note != text:
            error.add_note(note)
    return error


def cancel(item: "Task") -> None:
    """End a future that no worker has been given."""
    if item.placed:
        return  # it has been, and is in the backlog because an exception struck just then
    try:
        if not cancel_unwatched(item.future):
            item.future.cancel()
    finally:
        item.end()


def fail_stopped(item: "Task", what: str) -> None:
    """End the future of a task that was stopped otherwise than by an exception in it."""
    assert item.control is not None
    if item.future.done() or not start(item.future):
        item.end()
        return
    _fail(item, item.control.error(item.name, what))


def call_off(item: "Task") -> None:
    """Cancel a task that was sent to the workers, and that none of them has got."""
    try:
        item.future.cancel_sent()
    finally:
        item.end()


def fail_broken(item: "Task", cause: "BaseException | str") -> None:
    """End a future because the pool cannot run its task any more."""
    if item.future.done() or (not item.future.running() and not item.future.set_running_or_notify_cancel()):
        item.end()
        return
    error = broken(f"the pool broke before the task was done: {describe(cause)}")
    error.__cause__ = cause if isinstance(cause, BaseException) else None
    _fail(item, error)


def fail_lost(item: "Task", failure: "Failure | str") -> None:
    """End a future because its worker failed."""
    cause = InterpreterError(failure) if isinstance(failure, str) else decode_failure_now(failure, item.name)
    why = failure if isinstance(failure, str) else describe(cause)
    error = WorkerLostError(f"the worker failed while it ran {item.name}: {why}; the pool goes on with another")
    error.__cause__ = cause
    _fail(item, error)


def fail_unsettled(item: "Task", cause: BaseException) -> None:
    """End the future of a task whose outcome is there and could not be made of what the worker sent.

    There is no more memory or no free descriptor, say, for something that has to be imported.
    """
    if not item.future.done():
        error = ResultPicklingError(f"result could not be taken: {describe(cause)}")
        error.__cause__ = _drop_frames(cause)  # their text may need an import, too
        _fail(item, error)


def fail(item: "Task", error: BaseException) -> None:
    """End the future of a task that the pool did not take after all."""
    if item.future.done() or not start(item.future):
        item.end()
        return
    _fail(item, error)


def _fail(item: "Task", error: BaseException, *, is_told: bool = False) -> None:
    if item.control is not None:
        error = item.control.explain(item.name, error)
    if not is_told:
        item.future.note_unread(item.name, error)
    item.future.forget_pool()
    item.is_tried = True
    try:
        item.future.set_exception(error)
    finally:
        item.end()
