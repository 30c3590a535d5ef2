"""The manager of a pool: the thread that starts workers, takes result items, and does what must not be struck.

Owns the order of what is done with the messages of workers. In this order it counts a task as finished, tops up the
calls queue, and settles the future: counting later would start a second worker for nothing when the future's waiter
submits again, and the workers need not wait for callbacks. Settlements and what else must happen without the lock come
in the order of the messages, so a worker is let go only when everything it sent is settled.

Called without the lock, in the manager's thread, but for what says otherwise.
"""

import threading
from functools import partial
from time import monotonic

from interp_api import InterpreterError
from interp_pool._core.states import Instruction, WorkerEvent
from interp_pool._core.task_book import MOST_IN_FLIGHT
from interp_pool._pool.control import Control
from interp_pool._pool.hearing import note_told
from interp_pool._pool.in_callback import InCallback, PutOff, tasks_of
from interp_pool._pool.kernel import CALL_POOL, Kernel
from interp_pool._pool.nesting import Nesting
from interp_pool._pool.outcomes import decode_failure_now, fail_lost, fail_unsettled, result_size
from interp_pool._pool.pump import Pump
from interp_pool._pool.sizing import Sizing
from interp_pool._pool.starting import Starting, log
from interp_pool._pool.traced import note_traced
from interp_pool._process.timer import timer
from interp_pool._wire.decoding import describe_failure
from interp_pool._wire.messages import (
    BATCH_PART,
    INITIALIZER_FAILED,
    INITIALIZING,
    ITEM_FAILED,
    MODULE_REFUSED,
    MODULE_REPLACED,
    NESTED_ASKED,
    NESTED_DONE,
    NESTED_TASKS,
    PARENT_ASKED,
    POOL_CALLED,
    RESULT_UNSENDABLE,
    TASK_TRACED,
    TOLD,
    WORKER_ENDED,
    WORKER_LEAVING,
    WORKER_LEFT,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._wire.refused import describe_refusal, warn, warn_of_replacement
from interp_pool._worker.parent import MAY_IGNORE_CTRL_C
from interp_pool._workers.answering import answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, Protocol

    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._wire.messages import Refusal, ResultItem
    from interp_pool._workers.handle import Worker

    class HasTimers(Protocol):
        """What the timer calls."""

        def call_off_timers(self) -> None:
            """Have the timer let go of it."""
            ...


class Manager:
    """The manager of one pool."""

    __slots__ = (
        "_control",
        "_kernel",
        "_nesting",
        "_pump",
        "_refused",
        "_sizing",
        "_starting",
        "_with_timers",
        "callbacks",
        "in_callback",
    )

    def __init__(
        self,
        kernel: Kernel,
        pump: Pump,
        control: Control,
        sizing: Sizing,
        starting: Starting,
        nesting: Nesting,
        with_timers: "Collection[HasTimers]",
    ) -> None:
        self._kernel, self._pump, self._control = kernel, pump, control
        self._sizing, self._starting, self._nesting = sizing, starting, nesting
        self._with_timers = with_timers
        self.in_callback = InCallback(kernel)
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._nesting.reset()
        self._refused: set[str] = set()  # modules that were warned of
        self.callbacks: list[Callable[[], None]] = []  # put off, while this thread forks or a callback waits

    def manage(self) -> None:
        """Start workers and take result items until the pool is closed."""
        try:
            with self._kernel.lock:
                if self._kernel.manager is not threading.current_thread():
                    return  # whoever started this thread was interrupted, and there is another one since
            self._process_all()
        except BaseException as exc:
            self._fail(exc)
        if self._kernel.is_closed:
            self._let_stuck_end()
            if self._kernel.routing is not None:
                self._kernel.routing.end()

    def _process_all(self) -> None:
        kernel, reader = self._kernel, self._kernel.reader
        # A callback that waits may have met the end: then there is nothing to wait for. Another reader is that of a
        # forked child.
        while self.process_messages(0.0 if kernel.is_closed else None) and kernel.reader is reader:
            pass

    def stand_in(self, _: "TaskFuture[Any]", has_arrived: "Callable[[], bool]", deadline: float | None) -> None:
        """In a callback that waits for a future: work until that is done; see `InCallback.work`."""
        self.in_callback.work(self, has_arrived, deadline)

    def _let_stuck_end(self) -> None:
        """Let each abandoned worker end as soon as its task does; what it sends then nobody takes.

        Not before the last messages were taken: those that come from an interpreter are lost when that is closed.
        """
        for worker in self._kernel.staff.stuck.values():
            self._kernel.calls.queue.put(None)
            worker.allow_close()
        self._kernel.staff.stuck.clear()

    def process_messages(self, timeout: float | None = None) -> bool:
        """Wait for messages, at most so many seconds, and do what they ask for; return whether there can be more."""
        kernel = self._kernel
        kernel.reader.wait(timeout)
        with kernel.lock:
            kernel.reader.fill(MOST_IN_FLIGHT)
            taken = [item[0] for item in kernel.inbox]
            kernel.inbox.clear()
            kernel.is_dealing = True
        messages = [_readable(message, kernel) for message in taken]
        with kernel.lock:
            is_ending = self._follow(messages)
        # A result may point into its worker's memory: nothing of it may outlive the settling.
        del taken, messages
        self.carry_out()
        with kernel.lock:
            kernel.is_dealing = False
        self._pump.drop_settled()
        if kernel.wishes:
            kernel.todo.append(kernel.catch_up)
            self.carry_out()  # which goes on after an error
        return not is_ending

    def _follow(self, messages: "list[ResultItem]") -> bool:
        """Enter messages into the books, and do what is due; return whether the manager ends."""
        kernel = self._kernel
        kernel.is_manager_called = False
        self._note_messages(messages)
        if kernel.tasks.has_cancelled and (kernel.room_wanted or kernel.changed):
            kernel.drop_cancelled()
        if kernel.core.is_alive:
            kernel.want_workers()
            kernel.top_up()
            self._starting.start_workers()
            self._sizing.watch_for_idleness()
        kernel.end_if_done()
        if kernel.is_dirty:
            kernel.audit()
        is_ending = kernel.is_closed or self._pause_if_idle()
        if is_ending:
            self._call_off_timers()
        return is_ending

    def _note_messages(self, messages: "list[ResultItem]") -> None:
        for kind, number, body, seconds in messages:
            if kind <= RESULT_UNSENDABLE:
                self._note_result(kind, number, body, seconds)
            elif kind == TASK_TRACED:
                self._note_messages([note_traced(self._kernel, number, body, seconds)])
            elif kind == TOLD:
                note_told(self._kernel, number, *body)
            elif kind == MODULE_REFUSED:
                self._note_refusal(*body)
            elif kind == MODULE_REPLACED:
                self._kernel.todo.append(partial(warn_of_replacement, body))
            elif kind == ITEM_FAILED:
                self._note_failed_item(number, body)
            elif kind == NESTED_DONE:
                self._note_nested_result(number, body, seconds)
            elif kind == NESTED_TASKS:
                self._nesting.note_tasks(number, *body)
            elif kind == NESTED_ASKED:
                self._nesting.note_question(number, *body)
            elif kind != POOL_CALLED:
                self._note_worker(kind, number, body)
            elif self._kernel.is_forgotten:
                self._kernel.perform(self._kernel.core.ask_shutdown())

    def carry_out(self) -> None:
        """Do what is owed, in order."""
        kernel = self._kernel
        is_forking = kernel.core.is_pausing and kernel.paused_by == threading.get_ident()
        puts_off = is_forking or self.in_callback.is_waiting
        while kernel.todo:
            acting, kernel.acting = kernel.acting, kernel.todo[0]
            action = kernel.todo.popleft()
            try:
                if not (puts_off and self._put_off(action)):
                    action()
            except BaseException as exc:  # a callback's SystemExit; a future that somebody else has settled
                self._note_failed(action, exc)
            del action
            kernel.acting = acting  # of a callback that forks, in which this is

    def _fail(self, cause: BaseException) -> None:
        """End with an error in the pool's own code: loudly, and with nobody left waiting."""
        with self._kernel.lock:
            self._kernel.perform(self._kernel.core.fail(cause))
            self._call_off_timers()
        self.carry_out()
        log("the manager thread of a pool failed:", cause)

    def _note_result(self, kind: int, work_id: int, body: "Any", seconds: float) -> None:
        item = self._kernel.tasks.in_flight.get(work_id)
        if item is not None:
            self._pump.settle_for_manager(item, kind, body, seconds)
            return
        # It was withdrawn, or the pool broke meanwhile, and the future with it; or it was stopped.
        self._kernel.tasks.parts += kind <= BATCH_PART
        self._kernel.tasks.bytes_received += result_size(kind, body)
        if kind > BATCH_PART:
            self._control.take_back(work_id)

    def _note_nested_result(self, work_id: int, outcome: "tuple[int, Any]", seconds: float) -> None:
        kind, body = outcome
        item = self._kernel.tasks.in_flight.get(work_id)
        if item is None:
            self._note_result(kind, work_id, body, seconds)
        else:
            self._nesting.note_done(item, kind, body, seconds)

    def _note_failed(self, action: object, cause: BaseException) -> None:
        """Tell of an action that has failed, and end the future that it was to end: nobody else would."""
        for item in tasks_of(action):
            try:
                fail_unsettled(item, cause)
            except BaseException as exc:  # a callback's
                log("the pool goes on after an error in a callback:", exc)
        log("the pool goes on after an error in a callback or a future:", cause)

    def _put_off(self, action: object) -> bool:
        """Before an action: put off the callbacks of a future that it may end. Or the action, if it is these."""
        if isinstance(action, PutOff):
            self.callbacks.append(action)
            return True
        for item in tasks_of(action):
            if not item.future.done() and item.future.has_callbacks:
                self.callbacks.append(PutOff(item.future.run_callbacks, item.future.take_callbacks()))
        return False

    def _pause_if_idle(self) -> bool:
        """Before a fork, end when nothing is left to do; return whether that is so. Called with the lock held."""
        # What is in flight without a worker goes on being so: in the calls queue.
        kernel = self._kernel
        if not kernel.core.is_pausing or kernel.staff.workers or kernel.paused_by == threading.get_ident():
            return False
        if kernel.todo:
            kernel.wake_manager()  # to come here again afterwards
            return False
        kernel.manager = None
        kernel.changed.wake_all()
        return True

    def _call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends. Called with the lock held."""
        for each in self._with_timers:
            each.call_off_timers()
        self._kernel.todo.append(timer.rest)  # who waits for the pool's end finds no thread left

    def _note_failed_item(self, work_id: int, error: str) -> None:
        item = self._kernel.tasks.in_flight.get(work_id)
        if item is not None:
            batch: Any = item.future
            batch.note_failed_item(item.name, error)

    def _note_refusal(self, work_id: int, refusal: "Refusal") -> None:
        """Warn of a module that cannot be loaded in a worker, once: the futures may be some that nobody reads."""
        is_routed = refusal[-1] is None and self._kernel.routing is not None  # which tells it in its own words
        if refusal[0] in self._refused or is_routed:
            return
        self._refused.add(refusal[0])
        item = self._kernel.tasks.in_flight.get(work_id)
        name = (
            self._kernel.options.initializer_name
            if work_id == INITIALIZING
            else "a task"
            if item is None
            else item.name
        )
        self._kernel.todo.append(partial(warn, describe_refusal(refusal, name)))

    def _note_worker(self, kind: int, number: int, body: "Any") -> None:
        if kind == WORKER_LOST and body is not None and body[0] in self._kernel.staff.stuck:
            self._control.take_back(body[0])
        worker = self._kernel.staff.workers.get(number)
        if worker is None:
            return  # left behind
        if kind == WORKER_LEFT:
            worker.left_at = monotonic()
        if self._kernel.tracer is not None:
            self._kernel.tracer.note_worker(worker, kind)
        is_leaving = kind == WORKER_LEAVING
        instructions = self._kernel.core.worker_told(
            worker,
            _WORKER_EVENTS[kind],
            took_sentinel=is_leaving and bool(body),
            is_retired=is_leaving and body is None,
        )
        for instruction, _ in instructions:
            if instruction is Instruction.LET_GO:
                self._kernel.todo.append(worker.allow_close)
                self._kernel.changed.wake_all()
            elif instruction is Instruction.FORGET_WORKER:
                self._kernel.staff.forget(worker)
                self._nesting.note_gone(worker)
                self._kernel.todo.append(worker.thread.join)
                self._kernel.changed.wake_all()
                self._starting.note_end(worker)
            elif instruction is Instruction.BREAK_POOL:
                told: Any = body  # what the initializer raised, and what cannot be in a worker
                self._note_failed_initializer(worker, *told)
            elif instruction is Instruction.DO_WITHOUT:
                self._note_failed_start(worker, body)
            elif instruction is Instruction.FAIL_LOST_TASK:
                self._fail_lost_task(worker, body)

    def _note_failed_initializer(self, worker: "Worker", error: BaseException, refusal: "Refusal | None") -> None:
        if refusal is not None and self._kernel.routing is not None:
            self._starting.move_everything(refusal, self._pump.give_away)
            return
        what = "" if worker.told_at is not None else "Exception in initializer:"  # CPython's words
        self._starting.break_pool(error, what)

    def _note_failed_start(self, worker: "Worker", body: "Any") -> None:
        worker.has_failed = True
        if worker.told_at is not None:  # its initializer, to stop
            self._starting.break_pool(InterpreterError(f"a worker could not start: {worker.loss(body)[1]}"))
        else:
            self._starting.do_without(worker.loss(body)[1], "A worker could not start:")

    def _fail_lost_task(self, worker: "Worker", body: "Any") -> None:
        work_id, failure = worker.loss(body)
        item = None if work_id is None else self._kernel.tasks.in_flight.pop(work_id, None)
        if item is not None:
            self._kernel.note_stopped(item)
            self._kernel.todo.append(partial(fail_lost, item, failure))
            self._control.lose_stack(worker, item)
        elif work_id is None:
            self._note_failed_start(worker, (None, describe_failure(failure)))  # it has never had a task


_WORKER_EVENTS = {
    WORKER_READY: WorkerEvent.WORKER_READY,
    INITIALIZER_FAILED: WorkerEvent.INITIALIZER_FAILED,
    WORKER_LEAVING: WorkerEvent.WORKER_LEAVING,
    WORKER_LOST: WorkerEvent.WORKER_LOST,
    WORKER_LEFT: WorkerEvent.WORKER_LEFT,
    WORKER_ENDED: WorkerEvent.WORKER_ENDED,
}


def _readable(message: "Any", kernel: Kernel) -> "ResultItem":
    """Deal with what must be while the lock is not held: the failure of an initializer, a question of a worker."""
    item: ResultItem = message
    kind, number, body, seconds = item
    if kind == PARENT_ASKED:
        what, reply_id = body
        kernel.ignores_ctrl_c = kernel.ignores_ctrl_c or what == MAY_IGNORE_CTRL_C
        answer(what, reply_id, has_processes=kernel.routing is not None and kernel.routing.has_processes)
        return CALL_POOL
    if kind != INITIALIZER_FAILED:
        return item
    error = decode_failure_now(body, kernel.options.initializer_name)
    return kind, number, (error, None if kernel.routing is None else kernel.routing.refusal_of(body)), seconds
