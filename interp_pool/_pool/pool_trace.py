"""What one pool notes for a trace, while there is one.

Owns what is known of a task between its submit and its end. It must not know how a trace is written: it keeps notes
(`_seeing.trace_file`), each of one C call. What is noted of a task that has run comes with its outcome, from its
worker; a task that ends otherwise, as one that is cancelled while it waits, notes that itself.

Called with the lock of the pool held, but for `note_end` of a task.
"""

from time import monotonic_ns

from interp_pool._pool.outcomes import payload_size
from interp_pool._seeing.trace_events import Formatter
from interp_pool._wire.messages import (
    RESULT_UNSENDABLE,
    TASK_FAILED,
    TASK_UNREADABLE,
    TRACED,
    WORKER_ENDED,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_READY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from interp_pool._core.ports import TracedTask
    from interp_pool._core.task import Task
    from interp_pool._core.task_book import TaskBook
    from interp_pool._core.worker_book import WorkerBook
    from interp_pool._seeing.trace_file import TraceFile
    from interp_pool._wire.messages import Measured
    from interp_pool._workers.handle import Worker

_SAMPLE = 1_000_000  # ns between two looks at the counts
_OUTCOMES = {TASK_FAILED: "failed", TASK_UNREADABLE: "cannot be unpickled", RESULT_UNSENDABLE: "cannot be pickled"}
_OF_WORKERS = {WORKER_LEAVING: "worker leaves", WORKER_LOST: "worker lost", WORKER_ENDED: "worker ended"}


class _Traced:
    """What is known of a task before it has ended."""

    __slots__ = ("_trace", "count", "ran", "size", "taken")

    def __init__(self, trace: "PoolTrace", size: int, count: int | None) -> None:
        self._trace, self.size, self.count = trace, size, count
        self.taken = monotonic_ns()
        self.ran: tuple[int, int] | None = None
        """The worker that it was seen in, and when it had begun there."""

    def see(self, worker: "Worker") -> None:
        """Note which worker has it."""
        seconds = worker.seconds_running
        if seconds is not None:
            self.ran = worker.number, monotonic_ns() - int(seconds * 1e9)

    def note_end(self, task: "Task") -> None:
        """It has ended, and its worker has measured nothing."""
        task.traced = None
        self._trace.put_unmeasured(task.plain_name, self, task.work_id or 0, _how_ended(task))


class PoolTrace:
    """What one pool notes."""

    __slots__ = ("_file", "_has_waiting", "_number", "_sample_at", "_started", "_strays")

    def __init__(self, file: "TraceFile", number: int, name: str, max_workers: int) -> None:
        """Begin to note.

        Args:
            file: of the trace.
            number: of the pool in it, from 0.
            name: of the pool.
            max_workers: most that it has.
        """
        self._file, self._number = file, number
        self._sample_at = 0  # when the counts are looked at next
        self._has_waiting = False  # at the last look
        self._started: dict[int, int] = {}  # when workers were started that are not ready yet
        self._strays: dict[int, tuple[str, TracedTask]] = {}  # by work id: tasks of abandoned workers
        file.put((Formatter.pool, number, name, max_workers))

    def begin(self, tasks: "TaskBook", workers: "Iterable[Worker]") -> None:
        """Note what is there already."""
        for worker in workers:
            if worker.is_started:
                self._file.put((Formatter.worker, self._number, worker.number, worker.thread.name))
        for task in tasks.backlog:
            self._mark(task)

    def end(self, tasks: "TaskBook", staff: "WorkerBook[Worker]") -> None:
        """Note what is still there."""
        for worker in staff.workers.values():
            task = tasks.in_flight.get(worker.task)
            if task is not None and task.traced is not None:
                traced, task.traced = task.traced, None
                traced.see(worker)
                self.put_unmeasured(task.plain_name, traced, task.work_id or 0, "unfinished")
        for work_id, (name, traced) in self._strays.items():
            self.put_unmeasured(name, traced, work_id, "abandoned")
        for task in (*tasks.in_flight.values(), *tasks.backlog):
            task.traced = None
            task.flags &= ~TRACED
        self._sample(tasks, staff, monotonic_ns())

    # Tasks.

    def note_taken(self, task: "Task", tasks: "TaskBook", staff: "WorkerBook[Worker]") -> None:
        """The pool takes a task, which is traced from now on."""
        traced = self._mark(task)
        if traced.taken >= self._sample_at:
            self._sample(tasks, staff, traced.taken)

    def _mark(self, task: "Task") -> "TracedTask":
        task.flags |= TRACED
        task.traced = traced = _Traced(self, payload_size(task.payload), task.count)
        return traced

    def note_outcome(
        self,
        task: "Task | None",
        work_id: int,
        outcome: tuple[int, int],
        measured: "Measured",
        seconds: float,
        tasks: "TaskBook",
        staff: "WorkerBook[Worker]",
    ) -> None:
        """A task that has run brings its outcome.

        Args:
            task: it, None if it was given up.
            work_id: its.
            outcome: its kind, and its size in bytes.
            measured: what its worker has.
            seconds: it ran.
            tasks: of the pool.
            staff: likewise.
        """
        now = monotonic_ns()
        if task is not None and task.traced is not None:
            (name, traced), task.traced = (task.plain_name, task.traced), None
            word = _OUTCOMES.get(outcome[0], "")
            if outcome[0] == TASK_FAILED and task.control is not None and task.control.reason is not None:
                word = task.control.reason.name.lower()
        elif work_id in self._strays:
            (name, traced), word = self._strays.pop(work_id), "abandoned"
        else:
            return  # it was dealt with already, by somebody who was struck then
        count = traced.count
        items = None if count is None else ((task.count if task is not None else None) or count, count)
        of_task = work_id, name, traced.taken, traced.size, items
        self._file.put((Formatter.task, self._number, *of_task, measured, seconds, word, outcome[1], now))
        is_last = tasks.count <= 1 and self._has_waiting  # nobody may come for long who would look
        if now >= self._sample_at or is_last:
            self._sample(tasks, staff, now, -1 if task is not None else 0)

    def note_interrupt(self, worker: "Worker", task: "Task") -> None:
        """A worker is told to stop a task."""
        if task.traced is not None:
            task.traced.see(worker)
        reason = None if task.control is None else task.control.reason
        self._tell(worker, f"{'interrupt' if reason is None else reason.name.lower()}: {task.plain_name}")

    def note_abandoned(self, worker: "Worker", task: "Task") -> None:
        """A worker is given up, for its task does not stop."""
        self._tell(worker, f"abandoned: {task.plain_name}")
        if task.traced is not None and task.work_id is not None:
            task.traced.see(worker)
            self._strays[task.work_id], task.traced = (task.plain_name, task.traced), None

    def put_unmeasured(self, name: str, traced: "TracedTask", work_id: int, outcome: str) -> None:
        """Note the end of a task that no worker has measured. Needs no lock."""
        ran = traced.ran
        self._file.put((Formatter.unmeasured, self._number, work_id, name, traced.taken, outcome, ran, monotonic_ns()))

    # Workers.

    def note_start(self, worker: "Worker") -> None:
        """A worker's thread was started."""
        self._started[worker.number] = monotonic_ns()
        self._file.put((Formatter.worker, self._number, worker.number, worker.thread.name))

    def note_worker(self, worker: "Worker", kind: int) -> None:
        """A worker has sent a message of its own."""
        since = self._started.pop(worker.number, None)
        if kind == WORKER_READY and since is not None:
            self._file.put((Formatter.started, self._number, worker.number, since, monotonic_ns()))
        elif kind in _OF_WORKERS:
            self._tell(worker, _OF_WORKERS[kind])

    def note_return(self, worker: "Worker") -> None:
        """A worker that was given up takes tasks again."""
        self._tell(worker, "worker returns")

    def _tell(self, worker: "Worker", what: str) -> None:
        self._file.put((Formatter.instant, self._number, worker.number, what, monotonic_ns()))

    def _sample(self, tasks: "TaskBook", staff: "WorkerBook[Worker]", now: int, more: int = 0) -> None:
        self._sample_at = now + _SAMPLE
        running = sum(worker.task != 0 for worker in staff.workers.values())
        waiting = max(0, tasks.count + more - running)
        self._has_waiting = waiting > 0
        self._file.put((Formatter.counts, self._number, now, waiting, running, tasks.bytes_sent, tasks.bytes_received))


def _how_ended(task: "Task") -> str:
    """Return a word for the end of a task that no worker has measured."""
    reason = None if task.control is None else task.control.reason
    if reason is not None:
        return reason.name.lower()
    if task.successor is not None:
        return "moved to the fallback"
    return "cancelled" if task.future.cancelled() else "lost"
