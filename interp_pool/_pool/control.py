"""Acting on tasks while they wait and run: interrupts, timeouts, deadlines, and the replacing of stuck workers.

Owns when a task is stopped, and how far one goes to do that. What is raised in the task, and how it never hits another
one, is `_worker.control_thread`'s; what the future gets is `_futures.stopping`'s.

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

from functools import partial
from time import monotonic

from interp_api import QueueError, SimpleQueue
from interp_pool._core.states import WorkerState
from interp_pool._core.task import Task
from interp_pool._futures.stopping import GRACE, Reason, TaskControl
from interp_pool._pool.metering import note_abandoned
from interp_pool._pool.outcomes import call_off, cancel, fail_lost, fail_stopped
from interp_pool._process.stuck import expect_stuck, forget_stuck, note_stuck
from interp_pool._process.timer import timer
from interp_pool._wire.answer import get_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.ports import OpenMap
    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._pool.kernel import Kernel
    from interp_pool._pool.recall import Recall
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._wire.messages import Place
    from interp_pool._workers.handle import Questions, Worker

HASTY_GRACE = 0.06  # seconds, in place of GRACE when the user waits for the prompt
_PATIENCE = 2.0  # seconds more, on a machine so busy that the task had no chance, unless the user has said how many
NOT_SO_SOON = 5e-3  # seconds until another look at a task that has not begun
_SOON = 1e-3  # seconds until another look at a task that is on its way into a worker or out of it


class Control:
    """Stops tasks of one pool while they wait and run. Thread safety: all methods."""

    __slots__ = ("__weakref__", "_kernel", "_recall")

    def __init__(self, kernel: "Kernel", recall: "Recall") -> None:
        self._kernel, self._recall = kernel, recall

    def interrupt(self, future: "TaskFuture[Any]", grace: float) -> bool:
        """Begin to stop the task of a future. Never blocks.

        Args:
            future: one of this pool's.
            grace: seconds until its worker is abandoned, unless an earlier call said fewer.

        Returns:
            Whether the task has not ended yet; if it has not started, it is cancelled.
        """
        expect_stuck()
        item = self._kernel.step(partial(self._kernel.tasks.find, future))
        if item is not None:
            patience = _PATIENCE if grace == GRACE else 0.0
            timer.call_at(0.0, partial(self.stop, [item], Reason.INTERRUPT, monotonic() + grace, patience))
        return item is not None

    def stop_tasks(self, grace: float, reason: Reason, open_tasks: "OpenTasks | None", patience: float) -> list[Task]:
        """Begin to cancel what waits, and to stop what runs; return that. Never blocks.

        Args:
            grace: seconds until the workers of tasks that do not stop are abandoned.
            reason: for the words of the errors.
            open_tasks: of the executor whose tasks are meant; None for all.
            patience: seconds more for those that had no chance to stop, on a busy machine.
        """
        runs, items = self._kernel.step(partial(self._find_all, open_tasks))  # and none that is submitted from now on
        if items or runs:
            timer.call_at(0.0, partial(self._stop_all, runs, items, reason, monotonic() + grace, patience))
        return items

    def where(self, future: "TaskFuture[Any]", timeout: float) -> "tuple[str, list[Place]]":
        """Find out where the task of a future is.

        Returns:
            A phrase, and if it runs Python code the lines it is in: file, line, function, the innermost last.

        Blocks: until the worker has answered, at most `timeout` seconds.
        """
        reply = SimpleQueue()
        phrase, known, _questions = self._kernel.step(partial(self._ask_where, future, reply))
        if _questions is None:  # otherwise they are kept until the answer is there
            return phrase, known
        try:
            frames = get_answer(reply, timeout)
        except QueueError:
            return f"{phrase}, in C code that keeps the interpreter's lock", []
        if frames is None:
            return "has just ended", []
        return phrase, list(frames)

    # The timer's part: called without the lock, in the timer's thread, which no signal handler strikes.

    def stop(self, items: list[Task], reason: Reason, stop_by: float, patience: float = 0.0) -> None:
        """Begin to stop tasks; see `stop_tasks`."""
        with self._kernel.lock:
            self._begin_to_stop(items, reason, stop_by, patience)
        self._kernel.carry_out_soon()

    def _stop_all(
        self, runs: "list[OpenMap]", items: list[Task], reason: Reason, stop_by: float, patience: float
    ) -> None:
        for run in runs:
            run.drop()  # before its batches are told, whose consumers would send more
        self.stop(items, reason, stop_by, patience)

    def _on_alarm(self, item: Task) -> None:
        with self._kernel.lock:
            self._look_at(item)
        self._kernel.carry_out_soon()

    # Everything below is called with the lock held.

    def stop_soon(self, items: list[Task], seconds: float) -> None:
        """Have children interrupted. Never blocks."""
        if items:
            timer.call_at(0.0, partial(self.stop, items, Reason.INTERRUPT, monotonic() + seconds, _PATIENCE))

    def take_from_stack(self, children: list[Task]) -> None:
        """Send children to whoever takes them which were handed to the worker of their parent, and not begun there."""
        for item in children:
            future: Any = item.future  # a ChildFuture
            if future.is_handed and not item.is_deferred and item.work_id in self._kernel.tasks.in_flight:
                future.is_handed = False
                self._kernel.calls.put_back((-item.work_id, future.payload, item.flags))

    def lose_stack(self, worker: "Worker", top: Task) -> None:
        """Do without the tasks that wait in a worker that is lost, or abandoned, and without the children of all.

        Args:
            worker: it.
            top: the task that runs there, on top of these.
        """
        gone = [top.work_id]
        for work_id in worker.buried:
            item = self._kernel.tasks.in_flight.pop(work_id, None)
            if item is not None:
                gone.append(work_id)
                self._kernel.note_stopped(item)
                self._kernel.todo.append(partial(fail_lost, item, f"{top.name}, which ran on top of it, did not end"))
        children = self._kernel.nested.children_of(gone)
        self.take_from_stack(children)
        self.stop_soon(children, GRACE)

    def _find_all(self, open_tasks: "OpenTasks | None") -> "tuple[list[OpenMap], list[Task]]":
        """Return the runs and the tasks of an executor, or of all."""
        items = [*self._kernel.tasks.backlog, *self._kernel.tasks.in_flight.values()]
        return (
            [run for run in [*self._kernel.core.open_maps] if open_tasks is None or run.open_tasks is open_tasks],
            [item for item in items if open_tasks is None or item.open_tasks is open_tasks],
        )

    def _ask_where(self, future: "TaskFuture[Any]", reply: SimpleQueue) -> "tuple[str, list[Place], Questions | None]":
        """Have the worker of a task tell where that is; return a phrase, and the lines or what to keep if it tells."""
        item = self._kernel.tasks.find(future)
        if item is None:
            return "is done or was never submitted", [], None
        if item.work_id is None:
            return "waits in the backlog", [], None
        worker = self._kernel.staff.find(item.work_id)
        if worker is None:
            return "is next, once a worker is free, or has just ended", [], None
        known = worker.where_now()
        if known is not None:
            return f"runs in {worker.thread.name}, {known[0]}", known[1], None
        return f"runs in {worker.thread.name}", [], worker.ask_where(item.work_id, reply)

    def _set_alarm(self, item: Task, control: TaskControl, when: float) -> None:
        control.end()
        control.alarm = timer.call_at(when, partial(self._on_alarm, item))

    def _look_at(self, item: Task) -> None:
        """Do what is due for a task with limits, and come back in time for what comes next."""
        control = item.control
        if control is None or item.is_ended:
            return
        if control.reason is not None:
            self._go_on_stopping(item, control)
            return
        now, options = monotonic(), control.options
        if options.deadline is not None and now >= options.deadline:
            self._begin_to_stop([item], Reason.DEADLINE, now + GRACE, _PATIENCE)
            return
        due = options.deadline
        if options.timeout is not None and item.work_id is not None:
            worker = self._kernel.staff.find(item.work_id)
            if worker is not None:
                seconds = worker.seconds_running
            else:
                worker = self._kernel.nested.find_buried(item.work_id)
                seconds = None if worker is None else worker.seconds_buried(item.work_id)
            if seconds is None:
                left = max(options.timeout, NOT_SO_SOON)
            else:
                left = options.timeout - seconds
                if left <= 0:
                    self._begin_to_stop([item], Reason.TIMEOUT, now + GRACE, _PATIENCE)
                    return
            due = now + left if due is None else min(due, now + left)
        if due is not None:
            self._set_alarm(item, control, due)

    def watch(self, item: Task) -> None:
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

    def _begin_to_stop(self, items: list[Task], reason: Reason, stop_by: float, patience: float = 0.0) -> None:
        expect_stuck()
        recalled = self._kernel.calls.take_back({item.work_id for item in items if item.work_id is not None})  # P2
        self._forward_stop(items, reason, stop_by, patience)
        for item in items:
            control = item.control
            if item.successor is not None:
                continue
            if control is None:
                control = item.control = TaskControl()
            if control.reason is None:
                control.reason, control.stop_by = reason, min(stop_by, self._latest_end(control))
                self._kernel.tasks.timeouts += reason.is_timeout
            else:
                control.stop_by = min(control.stop_by, stop_by)
            control.patience = patience
            if item.work_id in recalled:
                self._kernel.tasks.recalled += 1
                self._kernel.tasks.in_flight.pop(item.work_id, None)
                self._kernel.todo.append(self._end_unstarted(item, control.reason))
                self._kernel.note_stopped(item)
            elif item.work_id is not None:
                self._go_on_stopping(item, control)
            elif item in self._kernel.tasks.backlog:  # otherwise the pool broke just now
                self._kernel.tasks.backlog.remove(item)  # P1; from the front, which is quick, if all are meant
                self._kernel.tasks.unsent += 1
                self._kernel.todo.append(self._end_unstarted(item, control.reason))
                self._kernel.note_stopped(item)
        self._recall.fill_the_gap()

    def _forward_stop(self, items: list[Task], reason: Reason, stop_by: float, patience: float) -> None:
        """Have the fallback stop those that it was given."""
        successors = [item.successor for item in items if item.successor is not None]
        if successors and self._kernel.routing is not None:
            stop = self._kernel.routing.fallback.stop
            self._kernel.todo.append(partial(stop, successors, reason, stop_by, patience))

    def _latest_end(self, control: TaskControl) -> float:
        """Return when the limits of a task that runs have it abandoned at the latest."""
        options, latest = control.options, float("inf")
        if options.deadline is not None:
            latest = options.deadline + GRACE
        if options.timeout is not None:
            latest = min(latest, monotonic() + options.timeout + GRACE)
        return latest

    def _end_unstarted(self, item: Task, reason: Reason) -> "Callable[[], None]":
        if reason.is_timeout:
            return partial(fail_stopped, item, "was not started")
        return partial(cancel if item.work_id is None else call_off, item)

    def _go_on_stopping(self, item: Task, control: TaskControl) -> None:
        work_id = item.work_id
        if item.is_ended or work_id is None or self._kernel.tasks.in_flight.get(work_id) is not item:
            return
        now = monotonic()
        worker = self._kernel.staff.find(work_id)
        if worker is None:
            worker = self._kernel.nested.find_buried(work_id)
            if worker is None:
                self._set_alarm(item, control, now + _SOON)  # P4
                return
            # It is told when it goes on, and has its time from then on. What it has called is not to keep it from that.
            control.stop_by = now + GRACE
            own = self._kernel.nested.find_own_above(work_id, worker)
            self.stop_soon([each for each in own if each.control is None or each.control.reason is None], GRACE)
            if control.asked_at is not None:
                self._set_alarm(item, control, now + NOT_SO_SOON)
                return
        if control.asked_at is None:
            control.asked_at, control.cpu_seconds = now, worker.cpu_seconds
            if control.reason is not None and not control.reason.is_timeout:
                self._kernel.tasks.interrupts += 1
            worker.interrupt(work_id)  # P3
            if self._kernel.tracer is not None:
                self._kernel.tracer.note_interrupt(worker, item)
        is_busy_machine = now < control.stop_by + control.patience and not worker.has_ignored(
            control.asked_at, control.cpu_seconds, GRACE if control.patience > GRACE else HASTY_GRACE
        )
        if now < control.stop_by:
            self._set_alarm(item, control, control.stop_by)
        elif is_busy_machine or worker.state is not WorkerState.READY:  # but the manager has not heard of that yet
            self._set_alarm(item, control, now + NOT_SO_SOON)
        else:
            self._abandon(worker, item)  # P5

    def _abandon(self, worker: "Worker", item: Task) -> None:
        """Do without a worker whose task does not stop, until it does."""
        assert item.work_id is not None
        note_abandoned(self._kernel, worker)
        self._kernel.staff.give_up(worker, item.work_id)
        worker.given_up = item.plain_name
        is_by_exit = item.control is not None and item.control.reason is Reason.EXIT
        note_stuck(worker.thread, item.name, is_by_exit=is_by_exit)
        del self._kernel.tasks.in_flight[item.work_id]
        if self._kernel.tracer is not None:
            self._kernel.tracer.note_abandoned(worker, item)
        self._kernel.todo.append(
            partial(fail_stopped, item, f"does not stop; {worker.thread.name} is abandoned until it does")
        )
        self.lose_stack(worker, item)
        self._kernel.want_workers()
        self._kernel.note_stopped(item)
        self._recall.fill_the_gap()

    def take_back(self, work_id: int) -> None:
        """Let an abandoned worker work again whose task has ended at last."""
        worker, instructions = self._kernel.core.worker_returned(work_id)
        if worker is not None:
            forget_stuck(worker.thread)
            worker.given_up = None
            if self._kernel.tracer is not None:
                self._kernel.tracer.note_return(worker)
            self._kernel.perform(instructions)
