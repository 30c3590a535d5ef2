"""What a worker measures of a task while its pool is traced; runs INSIDE a worker, or wherever a task does.

Owns the moments of a task, which go out with its outcome as one message: so they are there whenever that is. Loaded
with the first task that is traced. Times are in ns on the monotonic clock, which is one for the process and its
children.
"""

import sys
from time import monotonic_ns, perf_counter_ns

from interp_pool._wire.messages import BEGAN, BURIED_COUNT, TASK_FAILED, TASK_TRACED, TIMED, TRACED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from interp_pool._wire.messages import Inner, Payload

    class HasTraced(Protocol):
        """Who runs tasks."""

        traced: list[Inner] | None


# Of two names for one clock: the least that is read, as others may run between the two.
_OFFSET = max(monotonic_ns() - perf_counter_ns() for _ in range(5))
_MOST_INNER = 500  # tasks that one has run in place and that are told; the first ones


def run_traced(
    run: "Callable[..., tuple[int, int, Any, float]]",
    worker_id: int,
    work_id: int,
    payload: "Payload",
    flags: int,
    board: "Any",
    put: "Callable[[object], None]",
    control: "HasTraced",
) -> "tuple[int, int, object, float]":
    """Run a task or a batch; return its last result item, wrapped with what was measured.

    Args:
        run: runs it: `run_flagged`.
        worker_id: of the worker.
        work_id: see `run_flagged`, as what follows.
        payload: as there.
        flags: as there.
        board: as there.
        put: as there.
        control: as there.
    """
    begun, modules, depth = monotonic_ns(), len(sys.modules), board[BURIED_COUNT]
    outer = control.traced
    inner: list[Inner] = []
    control.traced = inner
    try:
        kind, _, body, seconds = run(work_id, payload, (flags & ~TRACED) | TIMED, board, put, control)
    finally:
        control.traced = outer
    return wrapped((kind, work_id, body, seconds), (worker_id, begun, board[BEGAN]), modules, depth, inner)


def wrapped(
    outcome: "tuple[int, int, Any, float]",
    times: tuple[int, int, int],
    modules: int,
    depth: int = 0,
    inner: "list[Inner] | None" = None,
) -> "tuple[int, int, object, float]":
    """Return a result item with what was measured until now.

    Args:
        outcome: the result item.
        times: the worker's id, when it took the task, when the function was called, 0 if it was not.
        modules: how many were loaded when it took the task.
        depth: how many tasks waited below.
        inner: what was run in place.
    """
    kind, work_id, body, seconds = outcome
    imported = max(0, len(sys.modules) - modules)
    return TASK_TRACED, work_id, (kind, body, (*times, monotonic_ns(), imported, depth, tuple(inner or ()))), seconds


def note_inner(inner: "list[Inner]", name: str, started: float, kind: int) -> None:
    """Note a task that was run in place, just now.

    Args:
        inner: of the task that has called it.
        name: what to call it.
        started: on `perf_counter`.
        kind: of its outcome.
    """
    if len(inner) < _MOST_INNER:
        inner.append((name, int(started * 1e9) + _OFFSET, monotonic_ns(), kind >= TASK_FAILED))
