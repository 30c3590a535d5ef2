"""The worker's side: take a call item, run it, put its result item; runs INSIDE a worker interpreter.

Owns the resident loop, and what prepares an interpreter for it and cleans up behind it. It must not know pools,
executors or futures, and must not import what costs milliseconds in every worker.
"""

import _thread
import sys
from itertools import chain
from time import perf_counter

from interp_api import CLOSING_LEAKS, PoolQueue, SimpleQueue, decode, forget_main
from interp_pool._wire.failures import describe_loss, encode_failure, tell_refusals, tell_replaced, without_outer_frame
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    BOARD,
    INITIALIZER_FAILED,
    INITIALIZING,
    MAY_RECYCLE,
    MODULE_REFUSED,
    PREPARED,
    RENEW,
    RETIRE,
    TASK,
    TASK_FAILED,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._worker.baseline import Baseline, refused
from interp_pool._worker.control_thread import Control
from interp_pool._worker.load_lock import open_load_lock
from interp_pool._worker.main_ahead import follow_program
from interp_pool._worker.measured import trace_this_thread
from interp_pool._worker.parent import forget_parent, know_parent
from interp_pool._worker.running import name_thread, run_flagged, run_task, unpickled
from interp_pool._worker.surroundings import adopt, end_task, endings, flush_streams, set_standard_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from interp_pool._wire.messages import Payload, Setup

    # What runs the tasks, their queue, that of results, the board, the worker's id and whether it has a task limit.
    type Serving = tuple[Control, PoolQueue, PoolQueue, Any, int, bool]

_count_threads = _thread._count  # pyright: ignore[reportPrivateUsage]  # no other way to count them all

_baseline: Baseline | None = None  # what this interpreter was like before its first task
_is_fit = True  # for others, once this worker has ended
_serving: "Serving | None" = None

# Seconds a worker looks for the next task before it sleeps. Also where there is one processor alone: each look gives it
# to the others, and sleeping and waking cost more: a task of a burst 12 to 17 us of it instead of 9 (CPython 3.14).
_SPIN = 30e-6


def serving() -> "Serving | None":
    """Return what this worker has to do with; None if this interpreter is no worker."""
    return _serving


def serve(setup: "Setup", results_id: int, calls_id: int, bell: tuple[int, int], load_lock_id: int) -> None:
    """Run tasks until an end arrives or a limit is reached.

    Args:
        setup: what this worker is to be.
        results_id: PoolQueue that takes result items.
        calls_id: PoolQueue that all workers take call items from.
        bell: the reader and the address of the one its control thread sleeps on.
        load_lock_id: SimpleQueue that all control threads of the process share as a lock.
    """
    global _is_fit, _serving
    results, calls = PoolQueue(results_id), PoolQueue(calls_id)  # before it is ready: they may be renewed from then on
    worker_id, _, _, _, _, max_tasks, max_threads, shared, _ = setup
    board: Any = shared.cast("q")  # type: ignore[union-attr]  # a worker has one
    control = Control(bell, open_load_lock(load_lock_id), board)
    tell_refusals(lambda refusal: results.put((MODULE_REFUSED, worker_id, (abs(board[TASK]), refusal), 0.0)))
    try:
        if not _prepare(setup, results, board, control):
            return
        was_fit, _is_fit = _is_fit, False  # until the loop has ended well
        _serving = control, calls, results, board, worker_id, bool(max_tasks)
        is_fit = _serve_calls(calls, results, control, board, worker_id, max_tasks, max_threads)
        # An exception from outside can leave a lock locked (CPython 3.14), or what a task was about half done.
        _is_fit = is_fit and was_fit and (CLOSING_LEAKS or not control.has_struck)
    finally:
        _serving = None
        control.end()  # first: its thread may be importing what is ended below
        if _baseline is not None:
            _baseline.mend_builtins()
            if _baseline.mend_modules():
                _is_fit = False
        if (telling := sys.modules.get("interp_pool._worker.telling")) is not None:
            telling.end()
        if control.nest is not None:
            control.nest.close()
            control.nest = None
        forget_parent()
        tell_refusals(None)


def prepare(setup: "Setup", results_id: int) -> None:
    """Make the interpreter as ready as a worker is, for somebody else to use."""
    _prepare(setup, SimpleQueue(results_id), [0] * len(BOARD), None)


def _prepare(setup: "Setup", results: SimpleQueue, board: "Any", control: Control | None) -> bool:
    """Follow the setup, put WORKER_READY or INITIALIZER_FAILED; return whether the interpreter can be used."""
    global _baseline, _is_fit
    worker_id, name, is_named, initializer, surroundings, *_, program = setup
    if isinstance(initializer, int):
        sent: Any = SimpleQueue(initializer).get_nowait()
        initializer = sent
    if _baseline is None:
        _baseline = Baseline()
    refused.clear()
    follow_program(program)
    if is_named:
        import threading  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it has names
    name_thread(name)
    set_standard_streams()
    if control is not None:  # otherwise nobody reads the results
        know_parent(results, worker_id, board)
    taken_over: Any = decode(surroundings)
    *own, watches = taken_over
    adopt(*own)
    board[PREPARED] = 1
    if watches:
        from interp_pool._worker import telling

        telling.begin(watches)
    started = perf_counter()
    trace_this_thread()
    if initializer is not None:
        failure = _initialize(initializer, board, control)
        flush_streams()
        if failure is not None:
            _is_fit = False
            results.put((INITIALIZER_FAILED, worker_id, encode_failure(without_outer_frame(failure), "loading"), 0.0))
            return False
    results.put((WORKER_READY, worker_id, None, perf_counter() - started))
    return True


def _initialize(initializer: "Payload", board: "Any", control: Control | None) -> BaseException | None:
    """Run the initializer; return what it raised. Until L3 it can be struck like a task."""
    failure: BaseException | None = None
    try:
        board[TASK] = INITIALIZING  # L1
        try:
            function, args, kwargs = unpickled(initializer)
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
    calls: PoolQueue,
    results: PoolQueue,
    control: Control,
    board: "Any",
    worker_id: int,
    max_tasks: int,
    max_threads: int | None,
) -> bool:
    """Return whether nothing but tasks failed."""
    get, put = calls.get, results.put

    def retirement() -> tuple[()] | None:
        if board[RENEW]:
            board[RENEW] = 2
            return ()
        return () if board[RETIRE] == 1 - board[TASK] else None  # W1 of `_pool.sizing`

    for _ in _rounds(max_tasks, board, control):
        if board[RENEW]:
            board[RENEW] = 2
            break
        item: Any = get(spin=_SPIN, instead=retirement)
        if not item:
            if item is not None and board[RENEW]:
                break
            put((WORKER_LEAVING, worker_id, True if item is None else None, 0.0))
            return True
        work_id = item[0]
        outcome: tuple[int, int, object, float] | None = None
        try:
            if work_id > 0:
                board[TASK] = work_id  # L1
                outcome = run_task(work_id, item[1])
            else:
                work_id = -work_id
                outcome = run_flagged(work_id, item[1], item[2], board, put, control)
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
                    put((WORKER_LOST, worker_id, (work_id, describe_loss(exc)), 0.0))
                    return False
                outcome = TASK_FAILED, work_id, encode_failure(without_outer_frame(exc)), 0.0
                flush_streams()
        if endings:
            end_task(0, work_id)
        if control.nest is not None and control.nest.end_task(work_id, outcome):
            put(outcome)
            return False
        if refused:
            tell_replaced(refused, put, worker_id)
        put(outcome)
        # What the task was given, shared memory among it, must not stay while the worker waits.
        item = outcome = None
        if max_threads is not None and control.leftover_threads > max_threads and board[MAY_RECYCLE]:
            break
    put((WORKER_LEAVING, worker_id, False, 0.0))
    return True


def _rounds(max_tasks: int, board: "Any", control: Control) -> "Iterable[object]":
    """Return an iterator that ends when a worker at its task limit does."""
    return chain(range(max_tasks), iter(lambda: _may_leave(board, control), True)) if max_tasks else range(sys.maxsize)


def _may_leave(board: "Any", control: Control) -> bool:
    """Return whether a worker at its task limit ends: it has no thread that its interpreter waits for, or may do so."""
    return bool(board[MAY_RECYCLE]) or not control.leftover_threads


def tidy(keep_modules: bool) -> tuple[bool, bool]:
    """Clean up behind the tasks; return whether the interpreter can serve others, and whether to call `collect` then.

    What a task has done to it can make any step of this fail; then it cannot.

    Args:
        keep_modules: whether modules outside the standard library stay loaded.
    """
    baseline = _baseline
    if baseline is None:
        return False, False  # this is a second copy of the module: a task has removed the first
    baseline.mend_builtins()
    if not _is_fit or _count_threads():
        return False, False
    sys.path = [*baseline.path]  # what is not loaded yet can be found
    from interp_pool._worker.reset import is_spoilt, reset

    is_fit = not is_spoilt(baseline) and reset(baseline, keep_modules=keep_modules)
    flush_streams()
    forget_main()
    return is_fit and not _count_threads(), baseline.has_garbage


def collect() -> None:
    """Free the modules that `tidy` has removed.

    A module and its functions are a cycle, and an idle interpreter collects nothing. Not in `tidy` itself: it is called
    with the names of the main module, which keep what that has imported.
    """
    import gc

    gc.collect()
