"""Running tasks outside of a worker interpreter: in a child process, or on a thread of the program's own interpreter.

Owns what a child process does, which imports this file, and what of a payload another process can have. How a task is
run is `_worker.running`'s.

In a child process Ctrl-C does nothing: the program gets it too, and ends what is to end.
"""

import signal
from functools import partial

from interp_api import decode
from interp_pool._wire.failures import encode_failure
from interp_pool._wire.messages import (
    BATCH_DONE,
    BATCH_PART,
    BOARD,
    DATA,
    NESTED_DONE,
    RESULT,
    RESULT_UNSENDABLE,
    TASK,
    TASK_FAILED,
)
from interp_pool._worker import telling
from interp_pool._worker.running import run_flagged, run_task
from interp_pool._worker.surroundings import end_task, flush_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._wire.messages import Failure, Inner, Payload, ResultItem, Watch
    from interp_pool._worker.batch import Batch

_SHARED = 0  # what stands beside a buffer that is the sender's memory, see `interp_api._pickling.buffers`


class NoControl:
    """In the place of a worker's control thread, which a host has none of."""

    batch: "Batch | None" = None
    traced: "list[Inner] | None" = None


_initializer: "list[Callable[[], object]]" = []
_loaded: "list[Any]" = []  # the call to be made next, or what unpickling it has raised


def keep_initializer(
    watches: "tuple[Watch, ...]",
    payload: "Payload | None",
    initializer: "Callable[..., object] | None" = None,
    initargs: "tuple[Any, ...]" = (),
) -> None:
    """In a child process, as the first: prepare it, and keep what `initialize` is to call.

    Args:
        watches: what watches its tasks.
        payload: of the call, None if there is none, or it cannot be sent.
        initializer: what to call then.
        initargs: its arguments.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if watches:
        _initializer.append(partial(telling.begin, watches))
    if payload is not None:
        _initializer.append(partial(_call, payload))
    elif initializer is not None:
        _initializer.append(partial(initializer, *initargs))


def _call(payload: "Payload") -> None:
    call: Any = decode(payload)
    function, args, kwargs = call
    function(*args, **kwargs)


def initialize(worker_id: int) -> "tuple[Failure | None, list[ResultItem]]":
    """Call the initializer of a worker; return what it raised, and what it has told."""
    failure: Failure | None = None
    told: list[Any] = []
    with telling.ToldBy(told.append, [0] * len(BOARD), worker_id):
        try:
            for call in _initializer:
                call()
        except BaseException as exc:
            failure = plain_failure(encode_failure(exc, "loading"))
        flush_streams()
    return failure, told


def load(payload: "Payload") -> None:
    """Unpickle the call that `run` is to make next: its time limit does not count that."""
    try:
        _loaded.append(decode(payload))
    except BaseException as exc:
        _loaded.append(exc)


def take_loaded() -> object:
    """Return what `load` has unpickled, or raise what that raised."""
    loaded = _loaded.pop()
    if isinstance(loaded, BaseException):
        raise loaded
    return loaded


class Loaded:
    """What was loaded before: unpickling it takes that."""

    def __reduce__(self) -> "tuple[Callable[[], object], tuple[()]]":
        return take_loaded, ()


def run(worker_id: int, work_id: int, payload: "Payload", flags: int) -> "list[ResultItem]":
    """Run a task or a batch in a worker's child process; return all its result items, which can be pickled."""
    messages: list[Any] = []
    board = [0] * len(BOARD)
    board[TASK] = work_id
    with telling.ToldBy(messages.append, board, worker_id):
        if flags:
            last = run_flagged(work_id, payload, flags, board, messages.append, NoControl())
        else:
            last = run_task(work_id, payload)
        flush_streams()
        end_task(telling.ALL, work_id)
    messages.append(last)
    return [_plain_item(*message) for message in messages]


def _plain_item(kind: int, work_id: int, body: "Any", seconds: float) -> "ResultItem":
    try:
        if kind in (BATCH_PART, BATCH_DONE, DATA, RESULT):
            body = plain(body)
        elif TASK_FAILED <= kind <= RESULT_UNSENDABLE:
            body = plain_failure(body)
        elif kind == NESTED_DONE:
            own_kind, _, *own = _plain_item(body[0], work_id, body[1], seconds)
            body = own_kind, own[0]
    except TypeError as exc:
        return RESULT_UNSENDABLE, work_id, plain_failure(encode_failure(exc, "returning")), seconds
    return kind, work_id, body, seconds


def plain_failure(failure: "Any") -> "Failure":
    """Return a failure that can be pickled."""
    payload, *rest = failure
    try:
        payload = None if payload is None else plain(payload)
    except TypeError:
        payload = None  # its text says what there is to say
    return (payload, *rest)


def plain(payload: "Payload") -> "Payload":
    """Return a payload that can be pickled, for another process.

    Raises:
        TypeError: it shares memory, or has queues: another process cannot.
    """
    if isinstance(payload, bytes):
        return payload
    pickle, buffers, refs, main = payload
    if refs or any(form == _SHARED for _, form in buffers):
        raise TypeError(
            "what only one process can have, such as a memoryview, a queue of interp_api, or a queue or value of "
            "multiprocessing, cannot be sent to another process: those of multiprocessing can be among initargs, "
            "or a Manager's"
        )
    return bytes(pickle), tuple((bytes(chunk), form) for chunk, form in buffers), (), main
