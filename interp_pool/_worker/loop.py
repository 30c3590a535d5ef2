"""The worker's side: take a call item, run it, put its result item; runs INSIDE a worker interpreter.

Owns the resident loop, and what prepares an interpreter for it and cleans up behind it. It must not know pools,
executors or futures, and must not import what costs milliseconds in every worker.
"""

import _thread
import sys
from copyreg import _extension_registry  # type: ignore[attr-defined]  # private, but in the pickle module's own use
from itertools import chain
from time import monotonic_ns, perf_counter

from interp_api import CLOSING_LEAKS, SimpleQueue, decode, encode, forget_main
from interp_pool._wire.failures import encode_failure, set_traceback, tell_refusals
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    BATCH,
    BATCH_DONE,
    BEGAN,
    BOARD,
    DATA,
    INITIALIZER_FAILED,
    INITIALIZING,
    MAY_RECYCLE,
    MODULE_REFUSED,
    PREPARED,
    RESULT,
    RESULT_UNSENDABLE,
    RETIRE,
    SINGLE,
    SPLIT,
    TASK,
    TASK_FAILED,
    TASK_UNREADABLE,
    TIMED,
    VALUE,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._worker.baseline import Baseline
from interp_pool._worker.batch import Batch
from interp_pool._worker.control_thread import Control, open_load_lock
from interp_pool._worker.main_ahead import can_do_without_main, due, follow_program, load_main
from interp_pool._worker.resource_tracker import leave_tracker, share_tracker
from interp_pool._worker.surroundings import adopt, flush_streams, set_standard_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._wire.messages import Failure, Payload, Setup

_count_threads = _thread._count  # pyright: ignore[reportPrivateUsage]  # no other way to count them all

_baseline: Baseline | None = None  # what this interpreter was like before its first task
_is_fit = True  # for others, once this worker has ended
_name = ""  # for this thread, as soon as something has imported threading

# Seconds a worker looks for the next task before it sleeps. Also where there is one processor alone: each look gives it
# to the others, and sleeping and waking cost more: a task of a burst 12 to 17 us of it instead of 9 (CPython 3.14).
_SPIN = 30e-6

_SCALARS = frozenset((type(None), bool, float))
_TEXTS = frozenset((str, bytes))
_LONGEST_TEXT = 16 * 1024  # characters; longer ones gain nothing
_MAX_INT = (1 << 31) - 1


def serve(setup: "Setup", results_id: int, calls_id: int, bell: tuple[int, int], load_lock_id: int) -> None:
    """Run tasks until an end arrives or a limit is reached.

    Args:
        setup: what this worker is to be.
        results_id: SimpleQueue that takes result items.
        calls_id: SimpleQueue that all workers take call items from.
        bell: the reader and the address of the one its control thread sleeps on.
        load_lock_id: SimpleQueue that all control threads of the process share as a lock.
    """
    global _is_fit
    results = SimpleQueue(results_id, plain=True)  # the interpreter is closed when they were settled
    worker_id, _, _, _, _, max_tasks, max_threads, shared, _ = setup
    board: Any = shared.cast("q")  # type: ignore[union-attr]  # a worker has one
    control = Control(bell, open_load_lock(load_lock_id), board)
    tell_refusals(lambda refusal: results.put((MODULE_REFUSED, worker_id, (abs(board[TASK]), refusal), 0.0)))
    try:
        if not _prepare(setup, results, board, control):
            return
        was_fit, _is_fit = _is_fit, False  # until the loop has ended well
        is_fit = _serve_calls(
            SimpleQueue(calls_id, plain=True), results, control, board, worker_id, max_tasks, max_threads
        )
        # An exception from outside can leave a lock locked (CPython 3.14), or what a task was about half done.
        _is_fit = is_fit and was_fit and (CLOSING_LEAKS or not control.has_struck)
    finally:
        if _baseline is not None:
            _baseline.mend_builtins()
        leave_tracker()
        tell_refusals(None)
        control.end()


def prepare(setup: "Setup", results_id: int) -> None:
    """Make the interpreter as ready as a worker is, for somebody else to use."""
    _prepare(setup, SimpleQueue(results_id), [0] * len(BOARD), None)


def _prepare(setup: "Setup", results: SimpleQueue, board: "Any", control: Control | None) -> bool:
    """Follow the setup, put WORKER_READY or INITIALIZER_FAILED; return whether the interpreter can be used."""
    global _baseline, _is_fit, _name
    worker_id, _name, is_named, initializer, surroundings, *_, program = setup
    if isinstance(initializer, int):
        sent: Any = SimpleQueue(initializer).get_nowait()
        initializer = sent
    if _baseline is None:
        _baseline = Baseline()
    follow_program(program)
    if is_named:
        import threading  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it has names
    _name_thread()
    set_standard_streams()
    if control is not None:  # otherwise nobody reads the results
        share_tracker(results, worker_id)
    adopt(decode(surroundings))
    board[PREPARED] = 1
    started = perf_counter()
    if initializer is not None:
        failure = _initialize(initializer, board, control)
        flush_streams()
        if failure is not None:
            _is_fit = False
            results.put((INITIALIZER_FAILED, worker_id, encode_failure(_without_own_frame(failure)), 0.0))
            return False
    results.put((WORKER_READY, worker_id, None, perf_counter() - started))
    return True


def _initialize(initializer: "Payload", board: "Any", control: Control | None) -> BaseException | None:
    """Run the initializer; return what it raised. Until L3 it can be struck like a task."""
    failure: BaseException | None = None
    try:
        board[TASK] = INITIALIZING  # L1
        try:
            function, args, kwargs = _unpickled(initializer)
            function(*args, **kwargs)
        except BaseException as exc:
            failure = exc
        board[TASK] = -INITIALIZING  # L3
        if control is not None and control.struck:
            control.clear_up()  # L4
    except BaseException as exc:
        board[TASK] = -INITIALIZING  # L3, unless it was already
        if control is not None and control.struck:
            control.clear_up()  # L4
        failure = exc
    return failure


def _serve_calls(
    calls: SimpleQueue,
    results: SimpleQueue,
    control: Control,
    board: "Any",
    worker_id: int,
    max_tasks: int,
    max_threads: int | None,
) -> bool:
    """Return whether nothing but tasks failed."""
    most_threads = None if max_threads is None else max_threads + 1  # with the control thread
    get, put = calls.get, results.put

    def retirement() -> tuple[()] | None:
        return () if board[RETIRE] == 1 - board[TASK] else None  # W1 of `_pool.sizing`

    for _ in _rounds(max_tasks, board):
        item: Any = get(spin=_SPIN, instead=retirement)
        if not item:
            put((WORKER_LEAVING, worker_id, True if item is None else None, 0.0))
            return True
        work_id = item[0]
        outcome: tuple[int, int, object, float] | None = None
        try:
            if work_id > 0:
                board[TASK] = work_id  # L1
                outcome = _run(work_id, item[1])
            else:
                work_id = -work_id
                outcome = _run_flagged(work_id, item[1], item[2], board, put, control)
            flush_streams()
            board[TASK] = -work_id  # L3
            if control.struck:
                control.clear_up()  # L4
        except BaseException as exc:
            board[TASK] = -work_id  # L3, unless it was already: nothing between can be struck, see `control_thread`
            if control.struck:
                control.clear_up()  # L4
            if control.batch is not None:
                control.batch.end()
                control.batch = None
            if outcome is None:
                if not isinstance(exc, TaskInterrupted):  # not the task's: its own are in the outcome
                    put((WORKER_LOST, worker_id, (work_id, _describe_loss(exc)), 0.0))
                    return False
                outcome = TASK_FAILED, work_id, encode_failure(_without_own_frame(exc)), 0.0
                flush_streams()
        put(outcome)
        # What the task was given, shared memory among it, must not stay while the worker waits.
        item = outcome = None
        if most_threads is not None and _count_threads() > most_threads and board[MAY_RECYCLE]:
            break
    put((WORKER_LEAVING, worker_id, False, 0.0))
    return True


def _rounds(max_tasks: int, board: "Any") -> "Iterable[object]":
    """Return an iterator that ends when a worker at its task limit does."""
    return chain(range(max_tasks), iter(lambda: _may_leave(board), True)) if max_tasks else range(sys.maxsize)


def _may_leave(board: "Any") -> bool:
    """Return whether a worker at its task limit ends: it has no thread that its interpreter waits for, or may do so."""
    return bool(board[MAY_RECYCLE]) or _count_threads() <= 1  # the control thread


def _run_flagged(
    work_id: int, payload: "Payload", flags: int, board: "Any", put: "Callable[[object], None]", control: Control
) -> tuple[int, int, object, float]:
    clock = board if flags & (TIMED | SPLIT) else None
    if clock is not None:
        clock[BEGAN] = 0  # before its work id can be seen: it has not begun, what it needs may have to be imported
    board[TASK] = work_id  # L1
    if flags & BATCH:
        return _run_batch(work_id, payload, flags, put, clock, control)
    return _run(work_id, payload, clock)


def _describe_loss(exc: BaseException) -> "Failure | str":
    try:
        return encode_failure(exc)
    except BaseException as own:  # an earlier task emptied sys.modules, or the like
        return f"the worker can describe no exception any more, a task has damaged its modules or builtins: {own}"


def _run(work_id: int, payload: "Payload", clock: "Any" = None) -> tuple[int, int, object, float]:
    """Run one task; return its result item. When it begins is noted on the clock, a board, if there is one."""
    try:
        function, args, kwargs = _unpickled(payload)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return TASK_UNREADABLE, work_id, encode_failure(exc), 0.0
    if clock is not None:
        clock[BEGAN] = monotonic_ns()
    started = perf_counter()
    try:
        result = function(*args, **kwargs)
    except BaseException as exc:
        seconds = perf_counter() - started
        return TASK_FAILED, work_id, encode_failure(_without_own_frame(exc)), seconds
    seconds = perf_counter() - started
    try:
        return *_encode_result(result, work_id), seconds
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return RESULT_UNSENDABLE, work_id, encode_failure(_without_own_frame(exc)), seconds


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
    work_id: int, payload: "Payload", flags: int, put: "Callable[[object], None]", clock: "Any", control: Control
) -> tuple[int, int, object, float]:
    """Run one message of `map`; return the last result item, put others before if it takes long."""
    try:
        function, (batch,), _ = _unpickled(payload)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return TASK_UNREADABLE, work_id, encode_failure(exc), 0.0
    if clock is not None:
        clock[BEGAN] = monotonic_ns()
    if len(batch) == 1:
        return _run_one(work_id, function, batch if flags & SINGLE else batch[0])
    control.batch = running = Batch(work_id, batch, flags, put, _encode_part)
    try:
        last, seconds = running.run(function, _encode_own_failure, flush_streams)
    finally:
        running.end()
        control.batch = None  # last: an exception that strikes before leaves it to `_serve_calls`
    return BATCH_DONE, work_id, last, seconds


def _run_one(work_id: int, function: "Callable[..., Any]", args: "Iterable[Any]") -> tuple[int, int, object, float]:
    """Run a batch of one item, which can be no shorter."""
    failures: dict[int, tuple[int, Failure]] = {}
    result: object = None
    started = perf_counter()
    try:
        result = function(*args)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        failures[0] = TASK_FAILED, _encode_own_failure(exc)
    seconds = perf_counter() - started
    return BATCH_DONE, work_id, _encode_part(0, [result], failures), seconds


def _encode_own_failure(exc: BaseException) -> "Failure":
    return encode_failure(_without_own_frame(exc))


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
                failures[position] = RESULT_UNSENDABLE, encode_failure(_without_own_frame(exc))
                results[position] = None
    return encode((start, results, failures), share=False)


def _unpickled(payload: "Payload") -> "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]":
    if due and not can_do_without_main(payload):
        load_main()
    call: Any = decode(payload)
    if _name:
        _name_thread()
    return call  # type: ignore[no-any-return]  # what encode_call made


def _without_own_frame(exc: BaseException) -> BaseException:
    """Drop this module's frame from the traceback: the task begins below it."""
    if exc.__traceback__ is not None and exc.__traceback__.tb_next is not None:
        set_traceback(exc, exc.__traceback__.tb_next)
    return exc


def _name_thread() -> None:
    """Name this thread where that can be seen; importing threading for it would cost a quarter of a MiB."""
    global _name
    if _name and "threading" in sys.modules:
        import threading  # which waits, if another thread has only begun to

        threading.current_thread().name, _name = _name, ""


def tidy(keep_modules: bool) -> bool:
    """Clean up behind the tasks; return whether the interpreter can serve others.

    What a task has done to it can make any step of this fail; then it cannot.

    Args:
        keep_modules: whether modules outside the standard library stay loaded.
    """
    baseline = _baseline
    if baseline is None:
        return False  # this is a second copy of the module: a task has removed the first
    baseline.mend_builtins()
    if not _is_fit or _count_threads():
        return False
    sys.path = [*baseline.path]  # what is not loaded yet can be found
    from interp_pool._worker.reset import is_spoilt, reset

    is_fit = not is_spoilt(baseline) and reset(baseline, keep_modules=keep_modules)
    flush_streams()
    forget_main()
    return is_fit and not _count_threads()
