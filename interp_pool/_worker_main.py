"""The worker's side: take a call item, run it, put its result item; runs INSIDE a worker interpreter.

Owns the resident loop, and what prepares an interpreter for it and cleans up behind it. It must not know pools,
executors or futures, and must not import what costs milliseconds in every worker.
"""

import _thread
import _warnings
import os
import sys
from copyreg import _extension_registry  # type: ignore[attr-defined]  # private, but in the pickle module's own use
from itertools import islice, starmap
from time import monotonic_ns, perf_counter

from interp_api import CLOSING_LEAKS, SimpleQueue, adopt_main, decode, encode, forget_main
from interp_pool._failures import encode_failure, set_traceback
from interp_pool._interrupted import TaskInterrupted
from interp_pool._messages import (
    BATCH,
    BATCH_DONE,
    BATCH_PART,
    DATA,
    INITIALIZER_FAILED,
    INITIALIZING,
    RESULT,
    RESULT_UNSENDABLE,
    SINGLE,
    TASK_FAILED,
    TASK_UNREADABLE,
    TIMED,
    VALUE,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._worker_control import Control, open_turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._messages import Failure, Payload, Setup

_count_threads = _thread._count  # pyright: ignore[reportPrivateUsage]  # no other way to count them all

_is_fit = True  # for others, once this worker has ended
_name = ""  # for this thread, as soon as something has imported threading

# Seconds a worker looks for the next task before it sleeps, where there is a processor to spare for that.
_SPIN = 30e-6 if (os.process_cpu_count() or 1) > 1 else 0.0

_PART = 2e-3  # seconds after which a batch sends the results it has
_SCALARS = frozenset((type(None), bool, float))
_TEXTS = frozenset((str, bytes))
_LONGEST_TEXT = 16 * 1024  # characters; longer ones gain nothing
_MAX_INT = (1 << 31) - 1


def serve(setup_id: int, results_id: int, calls_id: int, control_id: int, turns_id: int) -> None:
    """Run tasks until an end arrives or a limit is reached.

    Args:
        setup_id: SimpleQueue that has one Setup.
        results_id: SimpleQueue that takes result items.
        calls_id: SimpleQueue that all workers take call items from.
        control_id: SimpleQueue of this worker's control thread.
        turns_id: SimpleQueue that all control threads of the process share.
    """
    global _is_fit
    results = SimpleQueue(results_id)
    setup: Setup = SimpleQueue(setup_id).get_nowait()  # type: ignore[assignment]  # what _worker put
    worker_id, _, _, _, _, max_tasks, max_threads, shared = setup
    board: Any = shared.cast("q")  # type: ignore[union-attr]  # a worker has one
    control = Control(control_id, open_turns(turns_id), board)
    try:
        if not _prepare(setup, results, board, control):
            return
        was_fit, _is_fit = _is_fit, False  # until the loop has ended well
        is_fit = _serve_calls(SimpleQueue(calls_id), results, control, board, worker_id, max_tasks, max_threads)
        # An exception from outside can leave a lock locked (CPython 3.14), or what a task was about half done.
        _is_fit = is_fit and was_fit and (CLOSING_LEAKS or not control.has_struck)
    finally:
        control.end()


def prepare(setup_id: int, results_id: int) -> None:
    """Make the interpreter as ready as a worker is, for somebody else to use."""
    setup: Setup = SimpleQueue(setup_id).get_nowait()  # type: ignore[assignment]  # what _worker put
    _prepare(setup, SimpleQueue(results_id), [0], None)


def _prepare(setup: "Setup", results: SimpleQueue, board: "Any", control: Control | None) -> bool:
    """Follow the setup, put WORKER_READY or INITIALIZER_FAILED; return whether the interpreter can be used."""
    global _is_fit, _name
    worker_id, _name, is_named, initializer, warning_filters, *_ = setup
    if is_named:
        import threading  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it has names
    _name_thread()
    _set_warning_filters(warning_filters)
    started = perf_counter()
    if initializer is not None:
        failure = _initialize(initializer, board, control)
        if failure is not None:
            _is_fit = False
            results.put((INITIALIZER_FAILED, worker_id, encode_failure(_without_own_frame(failure)), 0.0))
            return False
        # What it put there is lost when the interpreter is tidied up: the next one must run it anew.
        _is_fit = not main_is_used()
    results.put((WORKER_READY, worker_id, None, perf_counter() - started))
    return True


def _initialize(initializer: "Payload", board: "Any", control: Control | None) -> BaseException | None:
    """Run the initializer; return what it raised. Until L3 it can be struck like a task."""
    failure: BaseException | None = None
    try:
        board[0] = INITIALIZING  # L1
        try:
            function, args, kwargs = _unpickled(initializer)
            function(*args, **kwargs)
        except BaseException as exc:
            failure = exc
        board[0] = -INITIALIZING  # L3
        if control is not None and control.struck:
            control.clear_up()  # L4
    except BaseException as exc:
        board[0] = -INITIALIZING  # L3, unless it was already
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
    for _ in range(max_tasks or sys.maxsize):
        item: Any = get(spin=_SPIN)
        if item is None:
            put((WORKER_LEAVING, worker_id, True, 0.0))
            return True
        work_id = item[0]
        outcome: tuple[int, int, object, float] | None = None
        try:
            if work_id > 0:
                board[0] = work_id  # L1
                outcome = _run(work_id, item[1])
            else:
                work_id = -work_id
                outcome = _run_flagged(work_id, item[1], item[2], board, put)
            board[0] = -work_id  # L3
            if control.struck:
                control.clear_up()  # L4
        except BaseException as exc:
            board[0] = -work_id  # L3, unless it was already: nothing between can be struck, see _worker_control
            if control.struck:
                control.clear_up()  # L4
            if outcome is None:
                if not isinstance(exc, TaskInterrupted):  # not the task's: its own are in the outcome
                    put((WORKER_LOST, worker_id, (work_id, _describe_loss(exc)), 0.0))
                    return False
                outcome = TASK_FAILED, work_id, encode_failure(_without_own_frame(exc)), 0.0
        put(outcome)
        # What the task was given, shared memory among it, must not stay while the worker waits.
        item = outcome = None
        if most_threads is not None and _count_threads() > most_threads:
            break
    put((WORKER_LEAVING, worker_id, False, 0.0))
    return True


def _run_flagged(
    work_id: int, payload: "Payload", flags: int, board: "Any", put: "Callable[[object], None]"
) -> tuple[int, int, object, float]:
    clock = board if flags & TIMED else None
    if clock is not None:
        clock[1] = 0  # before its work id can be seen: it has not begun, what it needs may have to be imported
    board[0] = work_id  # L1
    if flags & BATCH:
        return _run_batch(work_id, payload, flags, put, clock)
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
        clock[1] = monotonic_ns()
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
    work_id: int, payload: "Payload", flags: int, put: "Callable[[object], None]", clock: "Any"
) -> tuple[int, int, object, float]:
    """Run one message of `map`, all items of it; return the last result item, put others before if it takes long."""
    try:
        function, (batch,), _ = _unpickled(payload)
    except TaskInterrupted:
        raise
    except BaseException as exc:
        return TASK_UNREADABLE, work_id, encode_failure(exc), 0.0
    if clock is not None:
        clock[1] = monotonic_ns()
    results: list[object] = []
    failures: dict[int, tuple[int, Failure]] = {}
    apply: Any = map if flags & SINGLE else starmap
    items = iter(batch)
    left, step = len(batch), 1
    started = sent = perf_counter()
    while left:
        before, expected = len(results), min(step, left)
        try:
            results.extend(apply(function, islice(items, expected)))
            if len(results) - before < expected:
                # The list took the StopIteration of an item for the end.
                failures[len(results)] = TASK_FAILED, encode_failure(StopIteration())
                results.append(None)
        except TaskInterrupted:
            raise  # the batch is one task
        except BaseException as exc:  # what came before it in this step is there
            failures[len(results)] = TASK_FAILED, encode_failure(_without_own_frame(exc))
            results.append(None)
        left -= len(results) - before
        now = perf_counter()
        if left and now - sent > _PART:
            put((BATCH_PART, work_id, _encode_part(results, failures), 0.0))
            results, failures, sent, step = [], {}, now, 1
        else:
            step *= 2
    seconds = perf_counter() - started
    return BATCH_DONE, work_id, _encode_part(results, failures), seconds


def _encode_part(results: list[object], failures: "dict[int, tuple[int, Failure]]") -> "Payload":
    """Encode results, with a failure in place of each that cannot be sent."""
    try:
        return encode((results, failures), share=False)
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
    return encode((results, failures), share=False)


def _unpickled(payload: "Payload") -> "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]":
    call: Any = decode(payload)
    if _name:
        _name_thread()
    if "__mp_main__" in sys.modules:
        adopt_main()
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


def _set_warning_filters(payload: "Payload") -> None:
    entries: Any = decode(payload)
    if entries == _warnings.filters and "warnings" not in sys.modules:
        return  # it has them, as every interpreter has in the beginning
    import warnings

    warnings.resetwarnings()
    missing: set[str] = set()
    filters: Any = warnings.filters
    for action, message, category, *rest in entries:
        if type(category) is not type:
            reference: tuple[str, str] = category
            module, name = reference
            found = None if module in missing else _find(module, name)
            if found is None:
                missing.add(module)  # it does not support subinterpreters, say: it will not warn here either
                continue
            category = found  # noqa: PLW2901  # in place of its name
        filters.append((action, message, category, *rest))


def _find(module: str, name: str) -> "Any":
    """Return what a module has under a name, None if there is no such module here, or nothing of that name."""
    try:
        __import__(module)
        found: Any = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part)
    except Exception:
        return None
    return found


def main_is_used() -> bool:
    """Return whether `__main__` has names of its own, or is a copy of the parent's."""
    names = sys.modules["__main__"].__dict__
    return "__mp_main__" in sys.modules or any(not (name[:2] == name[-2:] == "__") for name in names)


def tidy() -> bool:
    """Clean up behind the tasks; return whether the interpreter can serve others."""
    forget_main()
    return _is_fit and _count_threads() == 0
