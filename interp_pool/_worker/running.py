"""One task or batch in a worker: unpickle it, call it, make its result items.

Owns what becomes of a call, from its payload to its last result item, whether that is in an interpreter, in a child
process or on a thread. It must not know how tasks come, nor who may strike them.
"""

import sys
from _thread import get_ident
from copyreg import _extension_registry  # type: ignore[attr-defined]  # private, but in the pickle module's own use
from time import monotonic_ns, perf_counter

from interp_api import decode, encode
from interp_pool._wire.failures import encode_failure, without_outer_frame
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    BATCH,
    BATCH_DONE,
    BEGAN,
    DATA,
    ITEM_FAILED,
    METERED,
    NESTED,
    NESTED_DONE,
    PROFILED,
    REPORTS,
    RESULT,
    RESULT_UNSENDABLE,
    SINGLE,
    SPLIT,
    TASK,
    TASK_FAILED,
    TASK_UNREADABLE,
    TIMED,
    TRACED,
    VALUE,
)
from interp_pool._worker.batch import Batch
from interp_pool._worker.main_ahead import can_do_without_main, due, find_like_program, load_main
from interp_pool._worker.surroundings import flush_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from interp_pool._wire.messages import Failure, Inner, Payload

    class HasBatch(Protocol):
        """Whom somebody asks for the rest of the batch that runs."""

        batch: Batch | None
        traced: list[Inner] | None


_SCALARS = frozenset((type(None), bool, float))
_TEXTS = frozenset((str, bytes))
_LONGEST_TEXT = 16 * 1024  # characters; longer ones gain nothing
_MAX_INT = (1 << 31) - 1

_name, _thread = "", 0  # for that thread, as soon as something has imported threading


def run_flagged(
    work_id: int, payload: "Payload", flags: int, board: "Any", put: "Callable[[object], None]", control: "HasBatch"
) -> tuple[int, int, object, float]:
    """Run a task or a batch with flags; return its last result item, having put others before.

    Args:
        work_id: its number.
        payload: of the call.
        flags: of its call item.
        board: shows its number, and when it begins.
        put: takes result items.
        control: has the batch while one runs.
    """
    if flags & TRACED:
        from interp_pool._worker.parent import way_to_pool
        from interp_pool._worker.traced import run_traced

        way = way_to_pool()
        if way is not None:  # as ever, in a worker
            return run_traced(run_flagged, way[1], work_id, payload, flags, board, put, control)
    if flags & METERED:
        return _run_metered(work_id, payload, flags & ~METERED | TIMED, board, put, control)
    clock = board if flags & (TIMED | SPLIT) else None
    if clock is not None:
        clock[BEGAN] = 0  # before its work id can be seen: it has not begun, what it needs may have to be imported
    board[TASK] = work_id  # L1
    if flags & BATCH:
        try:
            return _run_batch(work_id, payload, flags, put, clock, control)
        finally:
            if flags & PROFILED and "interp_pool._worker.profiling" in sys.modules:  # or it was not unpickled
                sys.modules["interp_pool._worker.profiling"].tell_message()
    outcome = run_task(work_id, payload, clock)
    if flags & NESTED and outcome[0] <= TASK_FAILED:  # with the others the pool has to deal
        kind, _, body, seconds = outcome
        return NESTED_DONE, work_id, (kind, body), seconds
    return outcome


def _run_metered(
    work_id: int, payload: "Payload", flags: int, board: "Any", put: "Callable[[object], None]", control: "HasBatch"
) -> "tuple[int, int, object, Any]":
    """Run it, and tell more of its times."""
    kind, _, body, seconds = run_flagged(work_id, payload, flags, board, put, control)
    began: int = board[BEGAN]
    if not began:  # it could not be unpickled
        return kind, work_id, body, seconds
    return kind, work_id, body, (seconds, began, max(0.0, (monotonic_ns() - began) / 1e9 - seconds))


def run_task(work_id: int, payload: "Payload", clock: "Any" = None) -> tuple[int, int, object, float]:
    """Run one task; return its result item. When it begins is noted on the clock, a board, if there is one."""
    try:
        function, args, kwargs = unpickled(payload)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return TASK_UNREADABLE, work_id, encode_failure(exc, "loading"), 0.0
    if clock is not None:
        clock[BEGAN] = monotonic_ns()
    started = perf_counter()
    try:
        result = function(*args, **kwargs)
    except BaseException as exc:
        seconds = perf_counter() - started
        return TASK_FAILED, work_id, encode_failure(without_outer_frame(exc), "running", function), seconds
    seconds = perf_counter() - started
    try:
        return *_encode_result(result, work_id), seconds
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return RESULT_UNSENDABLE, work_id, encode_failure(without_outer_frame(exc), "returning"), seconds


def _encode_result(result: "Any", work_id: int) -> "tuple[int, int, object]":
    kind = type(result)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    is_small_int = kind is int and -_MAX_INT <= result <= _MAX_INT
    if is_small_int or kind in _SCALARS or (kind in _TEXTS and len(result) < _LONGEST_TEXT):
        return VALUE, work_id, result
    payload = encode(result, share=False)
    # STACK_GLOBAL is how a pickle of protocol 5 names a class; the other way is through copyreg's numbers.
    if type(payload) is bytes and b"\x93" not in payload and not _extension_registry:
        return DATA, work_id, payload
    return RESULT, work_id, payload


def _run_batch(
    work_id: int, payload: "Payload", flags: int, put: "Callable[[object], None]", clock: "Any", control: "HasBatch"
) -> tuple[int, int, object, float]:
    """Run one message of `map`; return the last result item, put others before if it takes long."""
    try:
        function, (batch,), _ = unpickled(payload)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return TASK_UNREADABLE, work_id, encode_failure(exc, "loading"), 0.0
    if clock is not None:
        clock[BEGAN] = monotonic_ns()

    def encode_part(start: int, results: list[object], failures: "dict[int, tuple[int, Failure]]") -> "Payload":
        payload = _encode_part(start, results, failures)
        for _, failure in failures.values():
            if failure[-1] is None:  # of a module that is refused the pool is told anyway
                put((ITEM_FAILED, work_id, failure[6], 0.0))
                break
        return payload

    called = function

    def encode_own_failure(exc: BaseException) -> "Failure":
        own = without_outer_frame(exc)
        return encode_failure(own if called is function else without_outer_frame(own), "running", function)

    if flags & REPORTS:
        from interp_pool._worker.reporting import placed

        called = placed(function)
    if len(batch) == 1:
        return _run_one(work_id, called, batch if flags & SINGLE else batch[0], encode_part, encode_own_failure)
    control.batch = running = Batch(work_id, batch, flags, put, encode_part)
    try:
        last, seconds = running.run(called, encode_own_failure, flush_streams)
    finally:
        running.end()
        control.batch = None  # last: an exception that strikes before leaves it to `_serve_calls`
    return BATCH_DONE, work_id, last, seconds


def _run_one(
    work_id: int,
    function: "Callable[..., Any]",
    args: "Iterable[Any]",
    encode_part: "Callable[[int, list[object], dict[int, tuple[int, Failure]]], Payload]",
    encode_error: "Callable[[BaseException], Failure]",
) -> tuple[int, int, object, float]:
    """Run a batch of one item, which can be no shorter."""
    failures: dict[int, tuple[int, Failure]] = {}
    result: object = None
    started = perf_counter()
    try:
        result = function(*args)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        failures[0] = TASK_FAILED, encode_error(exc)
    seconds = perf_counter() - started
    return BATCH_DONE, work_id, encode_part(0, [result], failures), seconds


def _encode_part(start: int, results: list[object], failures: "dict[int, tuple[int, Failure]]") -> "Payload":
    """Encode results, with a failure in place of each that cannot be sent."""
    try:
        return encode((start, results, failures), share=False)
    except TaskInterrupted:
        raise
    except BaseException:
        for position, result in enumerate(results):
            try:
                encode(result, share=False)
            except TaskInterrupted:
                raise
            except BaseException as exc:
                failures[position] = RESULT_UNSENDABLE, encode_failure(without_outer_frame(exc), "returning")
                results[position] = None
    return encode((start, results, failures), share=False)


def unpickled(payload: "Payload") -> "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]":
    """Return the function, the arguments and the keyword arguments of a call."""
    if due and not can_do_without_main(payload):
        load_main()
    try:
        call: Any = decode(payload)
    except ModuleNotFoundError as exc:
        if not find_like_program(exc.name):
            raise
        call = decode(payload)
    if _name:
        name_this_thread()
    return call  # type: ignore[no-any-return]  # what encode_call made


def name_thread(name: str) -> None:
    """Name this thread where that can be seen; importing threading for it would cost a quarter of a MiB."""
    global _name, _thread
    _name, _thread = name, get_ident()
    name_this_thread()


def name_this_thread() -> None:
    """Name it, if something has imported threading since `name_thread` was called in this thread."""
    global _name
    if _name and "threading" in sys.modules and get_ident() == _thread:
        import threading  # which waits, if another thread has only begun to

        threading.current_thread().name, _name = _name, ""
