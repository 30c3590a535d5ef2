"""Looking at a pool from outside: what its workers do, where their tasks are, and what waits.

Owns what is seen of one pool, as plain values. The lock is held to list the workers, and never while one is asked where
its task is. All are asked first and their answers taken afterwards, so that together they have the time of one.
"""

import math
from dataclasses import fields
from functools import partial
from itertools import islice
from time import monotonic

from interp_api import QueueError, SimpleQueue
from interp_pool._core.histogram import Histogram
from interp_pool._core.states import WorkerState
from interp_pool._core.statistics import Statistics
from interp_pool._futures.stopping import GRACE
from interp_pool._wire.answer import get_answer
from interp_pool._wire.places import calls_of_task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._core.task import Task
    from interp_pool._pool.control import Control
    from interp_pool._pool.kernel import Kernel
    from interp_pool._seeing.shapes import TaskShape, TimesShape, WorkerShape
    from interp_pool._workers.handle import Questions, Worker

MOST_WAITING = 10  # tasks in the backlog that are named
_IN_C = ", in C code that keeps the interpreter's lock"


def look_at_workers(kernel: "Kernel", end: float) -> "list[WorkerShape]":
    """Return what the workers do.

    Blocks: until all that run a task have told where that is, but not beyond a time on the monotonic clock.
    """
    shapes, asked = kernel.step(partial(_look, kernel))
    for task, reply, _ in asked:
        try:
            places = get_answer(reply, max(0.0, end - monotonic()))
        except QueueError:
            task["phrase"] += _IN_C
        else:
            if places is None:
                task["phrase"] = "has just ended"
            else:
                task["places"] = calls_of_task(list(places))
    return shapes


def first_waiting(kernel: "Kernel") -> list[str]:
    """Return the names of the first tasks in the backlog."""
    return kernel.step(lambda: [item.name for item in islice(kernel.tasks.backlog, MOST_WAITING)])


def interrupt_task(kernel: "Kernel", control: "Control", work_id: int) -> str | None:
    """Begin to stop a task that was sent; return its name, None if there is none. Never blocks."""
    item = kernel.tasks.in_flight.get(work_id)
    if item is None or not control.interrupt(item.future, GRACE):
        return None
    return item.name


def counts_of(statistics: Statistics) -> dict[str, int]:
    """Return the numbers among the statistics."""
    values = {each.name: getattr(statistics, each.name) for each in fields(Statistics)}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def times_of(statistics: Statistics) -> "dict[str, TimesShape | None]":
    """Return the histograms among the statistics, in short."""
    return {
        "run": _shorten(statistics.run_times),
        "wait": _shorten(statistics.wait_times),
        "encode": _shorten(statistics.encode_times),
    }


def _shorten(times: Histogram | None) -> "TimesShape | None":
    if times is None:
        return None
    return {
        "count": times.count,
        "sum": times.sum,
        "median": times.quantile(0.5),
        "p90": times.quantile(0.9),
        "p99": times.quantile(0.99),
    }


# Called with the lock held.


def _look(kernel: "Kernel") -> "tuple[list[WorkerShape], list[tuple[TaskShape, SimpleQueue, Questions]]]":
    """Return all workers, and of whom an answer comes; what they are asked must be kept until then."""
    asked: list[tuple[TaskShape, SimpleQueue, Questions]] = []
    running = [(worker, worker.task) for worker in kernel.staff.workers.values()]
    stuck = [(worker, work_id) for work_id, worker in kernel.staff.stuck.items() if work_id > 0]
    shapes = [_shape(kernel, worker, work_id, asked, is_stuck=False) for worker, work_id in running]
    return [*shapes, *(_shape(kernel, worker, work_id, asked, is_stuck=True) for worker, work_id in stuck)], asked


def _shape(
    kernel: "Kernel",
    worker: "Worker",
    work_id: int,
    asked: "list[tuple[TaskShape, SimpleQueue, Questions]]",
    *,
    is_stuck: bool,
) -> "WorkerShape":
    in_flight = kernel.tasks.in_flight
    cpu = worker.cpu_seconds if worker.thread.is_alive() else math.inf
    return {
        "name": worker.thread.name,
        "state": "abandoned" if is_stuck else _state(worker, work_id),
        "cpu": cpu if math.isfinite(cpu) else None,
        "task": _ask(worker, work_id, in_flight.get(work_id), asked) if work_id else None,
        "below": [in_flight[each].name for each in worker.buried if each in in_flight],
    }


def _state(worker: "Worker", work_id: int) -> str:
    if work_id:
        return "running"
    if worker.state is WorkerState.STARTING:
        return "initializing" if worker.is_initializing else "starting"
    return "idle" if worker.state is WorkerState.READY else "leaving"


def _ask(
    worker: "Worker",
    work_id: int,
    item: "Task | None",
    asked: "list[tuple[TaskShape, SimpleQueue, Questions]]",
) -> "TaskShape":
    known = worker.where_now()
    shape: TaskShape = {
        "id": work_id,
        "name": "a task that was given up" if item is None else item.name,
        "items": None if item is None else item.count,
        "seconds": worker.seconds_running,
        "is_stopping": item is None or (item.control is not None and item.control.reason is not None),
        "phrase": f"runs in {worker.thread.name}" + ("" if known is None else f", {known[0]}"),
        "places": [] if known is None else calls_of_task(known[1]),
    }
    if known is None:
        reply = SimpleQueue()
        asked.append((shape, reply, worker.ask_where(work_id, reply)))
    return shape
