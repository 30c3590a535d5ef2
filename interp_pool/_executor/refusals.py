"""What cannot be sent to a worker: whose fault that is, and what its future says.

Owns the errors of pickling in the caller's thread.
"""

from functools import partial

import interp_api
from interp_pool._errors import TaskPicklingError
from interp_pool._futures.claims import start_new
from interp_pool._futures.task_future import TaskFuture
from interp_pool._pool.outcomes import without_frames
from interp_pool._wire.texts import brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from interp_pool._pool.pool import InterpreterPool
    from interp_pool._wire.messages import Payload


_TO_THREAD = (
    "cannot send {0}(): asyncio.to_thread() runs it in a copy of the caller's context, which cannot leave its "
    "interpreter, and this executor is the loop's default one: use `await executor.run({0}, ...)` or "
    "`loop.run_in_executor(executor, {0}, ...)`, and leave the loop the default executor of its own"
)


def encode_batch(
    fn: "Callable[..., Any]",
    items: list[object],
    *,
    is_single: bool,
    sent: "Callable[..., Any] | None" = None,
) -> "Payload":
    """Encode a batch of map.

    Args:
        fn: called for each item.
        items: its arguments.
        is_single: whether an item is the only argument, and not the tuple of all.
        sent: is sent in place of the function; None means itself.

    Raises:
        TaskPicklingError: the function or an item cannot be pickled.
    """
    sent = sent or fn
    try:
        return interp_api.encode_call(sent, (items,), {})
    except BaseException as exc:
        if not interp_api.comes_again(exc, partial(interp_api.encode_call, sent, (items,), {})):
            raise
        args: Any = items if is_single else items[0]
        error = pickling_error(fn, args, {}, without_frames(exc))
    raise error


def refuse_on_progress(on_progress: object, kind: str) -> None:
    """Raise an error if `map` of an executor that hears nothing is given an `on_progress`.

    Raises:
        ValueError: that is so.
    """
    if on_progress is not None:
        raise ValueError(f"map of {kind} takes no on_progress: what its tasks report does not come back to the caller")


def failed_future(pool: "InterpreterPool", name: str, error: BaseException) -> "TaskFuture[Any]":
    """Return the future of a task of that name that was not sent to the pool."""
    future: TaskFuture[Any] = TaskFuture(pool)
    return fail_unsent(future, name, error)


def fail_unsent[F: TaskFuture[Any]](future: F, name: str, error: BaseException) -> F:
    """Fail the new future of a task of that name that is not sent; return it."""
    start_new(future)
    future.note_unread(name, error)
    future.forget_pool()
    future.set_exception(error)
    return future


def pickling_error(
    fn: object, args: tuple[object, ...], kwargs: dict[str, object], exc: BaseException
) -> TaskPicklingError:
    """Name what cannot be pickled: the function or one of the arguments."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    for what, obj in _parts(fn, args, kwargs):
        try:
            interp_api.encode(obj, share=True)
        except BaseException as own:
            if not isinstance(own, Exception) and type(own) is not type(exc):
                raise  # a signal handler's
            culprit = f"{what} of {name}()" if what else name
            exc = without_frames(own)
            break
    else:
        culprit = f"{name}() and its arguments"
    meant = _function_of_to_thread(fn)
    error = TaskPicklingError(f"cannot send {culprit}: {brief(exc)}" if meant is None else _TO_THREAD.format(meant))
    error.__cause__ = exc
    return error


def _function_of_to_thread(fn: object) -> str | None:
    """Return the name of the function that asyncio.to_thread wants to run; None if it is not from there.

    Source: `asyncio.to_thread`, CPython 3.13 to 3.15.
    """
    context: object = getattr(getattr(fn, "func", None), "__self__", None)
    if type(context).__name__ != "Context" or type(context).__module__ != "_contextvars":
        return None
    args: Any = getattr(fn, "args", ()) or ("",)
    return getattr(args[0], "__qualname__", None) or repr(args[0])


def _parts(fn: object, args: tuple[object, ...], kwargs: dict[str, object]) -> "Iterator[tuple[str, object]]":
    yield "", fn
    for position, arg in enumerate(args, 1):
        yield f"argument {position}", arg
    for key, arg in kwargs.items():
        yield f"argument {key!r}", arg
