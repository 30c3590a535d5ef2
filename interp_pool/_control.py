"""Acting on tasks while they wait and run: interrupts, timeouts, deadlines, and the replacing of stuck workers.

Owns when a task is stopped, and how far one goes to do that. What is raised in the task, and how it never hits another
one, is `_worker_control`'s; what the future gets is `_stopping`'s.

A task is stopped in steps, each taken under the pool's lock by the timer's thread, which nothing strikes:

    P1  it waits in the backlog: take it out, its future is cancelled
    P2  it is in the calls queue: take everything out of that and put the rest back; who is taken out is cancelled
    P3  it is on a worker's board: ask that worker's control thread to interrupt it, once
    P4  it is nowhere: a worker is just taking it, or its result is on the way: look again soon
    P5  it is still on the board after its grace: it is in C code, or swallows the exception, or its `finally` takes
        long. The worker is *abandoned*: the future ends, another worker takes the place. When the task ends at last,
        its worker takes tasks again, and one worker too many is ended; its interpreter is not reused later.

A worker empties its place on the board before it puts the result. So what is on the board at P5 has not ended, whatever
the manager has not read yet.

A timeout counts from the moment a worker begins with the task, which it writes on its board. Nobody tells the timer:
it looks when the earliest timeout can have passed, and if the task has begun later, again when that has.
"""

from collections import deque
from functools import partial
from time import monotonic

from interp_api import QueueError, SimpleQueue
from interp_pool._dispatch import MOST_IN_FLIGHT
from interp_pool._exit import forget_stuck, note_stuck
from interp_pool._ledger import holding, release_if_held
from interp_pool._lifecycle import PoolState, WorkerEvent, WorkerState, step_worker
from interp_pool._settling import Settling
from interp_pool._stopping import GRACE, Reason, TaskControl
from interp_pool._timer import timer
from interp_pool._work import WorkItem, call_off, cancel, fail_stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._future import TaskFuture
    from interp_pool._ledger import Ledger
    from interp_pool._map import MapRun
    from interp_pool._messages import Place
    from interp_pool._worker import Worker

HASTY_GRACE = 0.06  # seconds, in place of GRACE when the user waits for the prompt
NOT_SO_SOON = 5e-3  # seconds until another look at a task that has not begun
_SOON = 1e-3  # seconds until another look at a task that is on its way into a worker or out of it


class Controlling(Settling):
    """Settling, and control over tasks while they wait and run."""

    __slots__ = ()

    def interrupt(self, future: "TaskFuture[Any]", grace: float) -> bool:
        """Begin to stop the task of a future. Never blocks.

        Args:
            future: one of this pool's.
            grace: seconds until its worker is abandoned, unless an earlier call said fewer.

        Returns:
            Whether the task has not ended yet; if it has not started, it is cancelled.

        Raises:
            TypeError: it is no future of a pool.
            ValueError: it is one of another pool.
        """
        if not hasattr(future, "pool"):
            raise TypeError(f"future must be one of this pool, got {future!r}")
        if future.pool not in (self, None):
            raise ValueError(f"{future!r} is not a future of {self!r}")
        try:
            with self._lock:
                item = self._find_item(future)
                if item is not None:
                    timer.call_at(0.0, partial(self._stop, [item], Reason.INTERRUPT, monotonic() + grace))
        except BaseException:
            release_if_held(self._lock)
            raise
        return item is not None

    def stop_all(
        self,
        grace: float,
        reason: Reason = Reason.INTERRUPT,
        ledger: "Ledger | None" = None,
        patience: float = 0.0,
    ) -> list[WorkItem]:
        """Begin to cancel what waits, and to stop what runs; return that. Never blocks.

        Args:
            grace: seconds until the workers of tasks that do not stop are abandoned.
            reason: for the words of the errors.
            ledger: of the executor whose tasks are meant; None for all.
            patience: seconds more for those that had no chance to stop, on a busy machine.
        """
        try:
            with self._lock:
                runs = [run for run in self._promises if ledger is None or run.ledger is ledger]
                items = [*self._backlog, *self._in_flight.values()]  # and none that is submitted from now on
                if ledger is not None:
                    items = [item for item in items if item.ledger is ledger]
                if items or runs:
                    timer.call_at(0.0, partial(self._stop_all, runs, items, reason, monotonic() + grace, patience))
        except BaseException:
            release_if_held(self._lock)
            raise
        return items

    def stop_at_once(self, ledger: "Ledger | None" = None) -> None:
        """Do what Ctrl-C asks for: cancel what waits, and have what runs stop. Never blocks.

        Called by the thread that was struck, and not while it holds the condition of a future.

        Args:
            ledger: of the executor whose tasks are meant; None for all.
        """
        for item in self.stop_all(HASTY_GRACE, ledger=ledger, patience=GRACE):
            item.future.let_go()

    def where(self, future: "TaskFuture[Any]", timeout: float) -> "tuple[str, list[Place]]":
        """Find out where the task of a future is.

        Returns:
            A phrase, and if it runs Python code the lines it is in: file, line, function, the innermost last.

        Blocks: until the worker has answered, at most `timeout` seconds.
        """
        reply = SimpleQueue()
        worker = holding(self._lock, partial(self._ask_where, future, reply))
        if isinstance(worker, str):
            return worker, []
        try:
            frames: Any = reply.get(timeout)
        except QueueError:
            return f"runs in {worker.thread.name}, in C code that keeps the interpreter's lock", []
        if frames is None:
            return "has just ended", []
        return f"runs in {worker.thread.name}", list(frames)

    def _carry_out_soon(self) -> None:
        """Have the manager do what it owes; without one, which is to say without workers, do it here."""
        owed: list[Callable[[], object]] = []
        try:
            with self._lock:
                if self._manager is None:
                    owed.extend(self._todo)
                    self._todo.clear()
                elif self._todo:
                    self._call_manager()
        except BaseException:
            release_if_held(self._lock)
            raise
        for action in owed:
            action()

    # The timer's part: called without the lock, in the timer's thread, which no signal handler strikes.

    def _stop(self, items: list[WorkItem], reason: Reason, stop_by: float, patience: float = 0.0) -> None:
        with self._lock:
            self._begin_to_stop(items, reason, stop_by, patience)
        self._carry_out_soon()

    def _stop_all(
        self, runs: "list[MapRun]", items: list[WorkItem], reason: Reason, stop_by: float, patience: float
    ) -> None:
        for run in runs:
            run.drop()  # before its batches are told, whose consumers would send more
        self._stop(items, reason, stop_by, patience)

    def _on_alarm(self, item: WorkItem) -> None:
        with self._lock:
            self._look_at(item)
        self._carry_out_soon()

    # Everything below is called with self._lock held.

    def _find_item(self, future: "TaskFuture[Any]") -> WorkItem | None:
        items: list[WorkItem] = [*self._in_flight.values(), *self._backlog]  # a signal handler may submit meanwhile
        for item in items:
            if item.future is future:
                return item
        return None

    def _ask_where(self, future: "TaskFuture[Any]", reply: SimpleQueue) -> "Worker | str":
        """Have the worker of a task tell where that is; return the worker, or a phrase if none runs the task."""
        item = self._find_item(future)
        if item is None:
            return "is done or was never submitted"
        if item.work_id is None:
            return "waits in the backlog"
        worker = self._find_worker(item.work_id)
        if worker is None:
            return "is next, once a worker is free, or has just ended"
        worker.ask_where(item.work_id, reply)
        return worker

    def _find_worker(self, work_id: int) -> "Worker | None":
        for worker in self._workers.values():
            if worker.task == work_id:
                return worker
        return None

    def _set_alarm(self, item: WorkItem, control: TaskControl, when: float) -> None:
        control.end()
        control.alarm = timer.call_at(when, partial(self._on_alarm, item))

    def _look_at(self, item: WorkItem) -> None:
        """Do what is due for a task with limits, and come back in time for what comes next."""
        control = item.control
        if control is None or item.is_ended:
            return
        if control.reason is not None:
            self._go_on_stopping(item, control)
            return
        now, options = monotonic(), control.options
        if options.deadline is not None and now >= options.deadline:
            self._begin_to_stop([item], Reason.DEADLINE, now + GRACE)
            return
        due = options.deadline
        if options.timeout is not None and item.work_id is not None:
            worker = self._find_worker(item.work_id)
            seconds = None if worker is None else worker.seconds_running
            if seconds is None:
                left = max(options.timeout, NOT_SO_SOON)
            else:
                left = options.timeout - seconds
                if left <= 0:
                    self._begin_to_stop([item], Reason.TIMEOUT, now + GRACE)
                    return
            due = now + left if due is None else min(due, now + left)
        if due is not None:
            self._set_alarm(item, control, due)

    def _watch(self, item: WorkItem) -> None:
        """Have the timer look at a task with limits that was just taken, or sent to the workers."""
        control = item.control
        if control is None:
            return
        options = control.options
        due = options.deadline
        if options.timeout is not None and item.work_id is not None:
            later = monotonic() + options.timeout
            due = later if due is None else min(due, later)
        if due is not None:
            self._set_alarm(item, control, due)

    def _begin_to_stop(self, items: list[WorkItem], reason: Reason, stop_by: float, patience: float = 0.0) -> None:
        recalled = self._recall({item.work_id for item in items if item.work_id is not None})  # P2
        for item in items:
            control = item.control
            if control is None:
                control = item.control = TaskControl()
            if control.reason is None:
                control.reason, control.stop_by = reason, min(stop_by, self._latest_end(control))
                self._timeouts += reason.is_timeout
            else:
                control.stop_by = min(control.stop_by, stop_by)
            control.patience = patience
            if item.work_id in recalled:
                self._recalled += 1
                self._in_flight.pop(item.work_id, None)
                self._todo.append(self._end_unstarted(item, control.reason))
                self._note_stopped(item)
            elif item.work_id is not None:
                self._go_on_stopping(item, control)
            elif item in self._backlog:  # otherwise the pool broke just now
                self._backlog.remove(item)  # P1; from the front, which is quick, if all are meant
                self._todo.append(self._end_unstarted(item, control.reason))
                self._note_stopped(item)
        self._fill_the_gap()

    def _fill_the_gap(self) -> None:
        """Go on where tasks or a worker were taken out: others may wait for room in the backlog, or for the place."""
        self._changed.notify_all()
        if self._state in (PoolState.RUNNING, PoolState.DRAINING):
            self._top_up()
        self._finish_if_done()

    def _latest_end(self, control: TaskControl) -> float:
        """Return when the limits of a task that runs have it abandoned at the latest."""
        options, latest = control.options, float("inf")
        if options.deadline is not None:
            latest = options.deadline + GRACE
        if options.timeout is not None:
            latest = min(latest, monotonic() + options.timeout + GRACE)
        return latest

    def _end_unstarted(self, item: WorkItem, reason: Reason) -> "Callable[[], None]":
        if reason.is_timeout:
            return partial(fail_stopped, item, "was not started")
        return partial(cancel if item.work_id is None else call_off, item)

    def _note_stopped(self, item: WorkItem) -> None:
        """Tell the run of a batch that this one is done."""
        if item.count is not None:
            self._note_batch(item, 0, 0.0, is_fed=False)

    def _go_on_stopping(self, item: WorkItem, control: TaskControl) -> None:
        work_id = item.work_id
        if item.is_ended or work_id is None or self._in_flight.get(work_id) is not item:
            return
        now = monotonic()
        worker = self._find_worker(work_id)
        if worker is None:
            self._set_alarm(item, control, now + _SOON)  # P4
            return
        if control.asked_at is None:
            control.asked_at, control.cpu_seconds = now, worker.cpu_seconds
            if control.reason is not None and not control.reason.is_timeout:
                self._interrupts += 1
            worker.interrupt(work_id)  # P3
        is_busy_machine = now < control.stop_by + control.patience and not worker.has_ignored(
            control.asked_at, control.cpu_seconds
        )
        if now < control.stop_by:
            self._set_alarm(item, control, control.stop_by)
        elif is_busy_machine or worker.state is not WorkerState.READY:  # but the manager has not heard of that yet
            self._set_alarm(item, control, now + NOT_SO_SOON)
        else:
            self._abandon(worker, item)  # P5

    def _recall(self, work_ids: set[int]) -> set[int]:
        """Take call items out of the calls queue; return those that were still there."""
        taken: deque[tuple[Any, Any]] = deque()
        if work_ids:
            self._calls.drain(taken, MOST_IN_FLIGHT + self._ends)
        recalled: set[int] = set()
        for entry in taken:
            call: tuple[Any, ...] = entry[0] or ()
            work_id = abs(call[0]) if call else 0
            other = self._in_flight.get(work_id)
            if work_id in work_ids:
                recalled.add(work_id)
            elif other is not None and type(other.payload) is not bytes:
                self._calls.put((call[0], other.payload, *call[2:]))  # not through the views that were received
            else:
                self._calls.put(call or None)
        return recalled

    def _abandon(self, worker: "Worker", item: WorkItem) -> None:
        """Do without a worker whose task does not stop, until it does."""
        assert item.work_id is not None
        worker.is_dirty = True
        worker.state, _ = step_worker(worker.state, WorkerEvent.WORKER_ABANDONED)  # which says: COUNT_OUT
        self._active -= 1
        self._abandonings += 1
        self._vacancies += 1
        del self._workers[worker.number]
        note_stuck(worker.thread, item.name)
        self._abandoned[item.work_id] = worker
        del self._in_flight[item.work_id]
        self._todo.append(
            partial(fail_stopped, item, f"does not stop; {worker.thread.name} is abandoned until it does")
        )
        self._want_workers()
        self._note_stopped(item)
        self._fill_the_gap()

    def _take_back(self, work_id: int) -> None:
        """Let an abandoned worker work again whose task has ended at last."""
        if self.is_closed:
            return  # it is let go soon
        worker = self._abandoned.pop(work_id, None)
        if worker is None:
            return
        worker.state, _ = step_worker(worker.state, WorkerEvent.WORKER_RETURNED)  # which says: COUNT_IN
        forget_stuck(worker.thread)
        self._workers[worker.number] = worker
        self._active += 1
        self._vacancies = max(0, self._vacancies - 1)
        if self._state in (PoolState.STOPPING, PoolState.BROKEN):
            self._stop_workers(1)
        else:
            room = max(0, self._max_workers - len(self._leases))
            self._stop_workers(max(0, self._active - self._ends - room))
