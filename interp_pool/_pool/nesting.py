"""Tasks that tasks have submitted to their own pool: the pool's side.

Owns how a *child* becomes a task like any other, and how what has become of it gets to the worker that has asked. What
that does meanwhile is `_nested.nest`'s, whose steps these follow.

    N1  NESTED_TASKS: each child becomes a task, whose future nobody waits for; it is taken also if the pool was shut
        down, for its parent keeps the pool open
    N2  the worker that runs it puts NESTED_DONE, with the outcome as it is: nobody unpickles that here
    N3  whichever way the future ends, its callback puts a reply: the outcome, or the error that it has got, or that it
        was cancelled; then it rings the place where the worker sleeps
    N4  RECALL, DROP: what no worker has begun is taken out of the backlog or the calls queue, by this thread, which
        nothing strikes; the answer comes before the outcome
    N5  a worker is without work, and another one has children that it has not sent: it is asked for some (OFFER), once
        until it has answered
    N6  what else may be needed so that somebody begins them, `_pool.relieving` does
    N7  the parent was lost, or its worker abandoned: its children are interrupted, as the worker itself would have
        them (STOP) where a parent was interrupted

A reply may come when nobody waits, or when the worker has ended: then it is dropped.
"""

from functools import partial

from interp_api import PoolQueue, QueueError, decode, detach, encode
from interp_pool._core.task import Task
from interp_pool._futures.claims import start
from interp_pool._futures.stopping import TaskControl
from interp_pool._futures.task_future import TaskFuture
from interp_pool._futures.unread import note_unread
from interp_pool._options.task_options import TaskOptions
from interp_pool._pool.outcomes import call_off, fail, result_size, settle
from interp_pool._pool.relieving import Relieving
from interp_pool._wire.failures import encode_failure
from interp_pool._wire.messages import (
    BEGUN,
    CANCELLED,
    DROP,
    HANDED,
    LEAVE,
    NESTED,
    RECALL,
    REPORTED,
    RESULT,
    RETURNED,
    STOP,
    TASK_FAILED,
    TIMED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_pool._pool.control import Control
    from interp_pool._pool.kernel import Kernel
    from interp_pool._pool.pump import Pump
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._wire.messages import Child, Payload, Report
    from interp_pool._workers.handle import Worker


class _Named:
    """What stands for a function that only its worker has: its names are all that is asked of one here."""

    def __init__(self, module: str | None, name: str) -> None:
        self.__module__, self.__qualname__ = module or "", name


class ChildFuture(TaskFuture[None]):
    """The future of a child, for the pool's own use: its end is passed on."""

    def __init__(
        self, worker: int, number: int, parent: int, payload: "Payload", reply: "Callable[[int, int, int, Any], None]"
    ) -> None:
        super().__init__(None)
        self.reply = reply
        self.worker, self.number, self.parent, self.payload = worker, number, parent, payload
        self.is_left = False
        """Whether nobody waits for it any more."""
        self.is_handed = False
        """Whether the worker that has asked for it is to run it, or has."""
        self.outcome: tuple[int, Any] | None = None
        """As a worker has sent it; set before it is done."""

    def note_unread(self, task: str, error: BaseException) -> None:
        """Its worker has it logged, or the callback."""

    def note_progress(self, report: "Report") -> None:
        """Pass it on."""
        if not self.is_left:
            self.reply(self.worker, self.number, REPORTED, report)


class Nesting:
    """The children that one pool has. For the manager's thread, with the lock held, but for what says otherwise."""

    __slots__ = ("_control", "_kernel", "_pump", "_relieving", "_replies", "submit")

    def __init__(self, kernel: "Kernel", control: "Control", pump: "Pump", submit: "Callable[..., bool]") -> None:
        self._kernel, self._control, self._pump = kernel, control, pump
        self.submit = submit
        """Takes a task; the way through the routes, if there are any."""
        self._relieving = Relieving(kernel, control)
        self._replies: dict[int, PoolQueue] = {}  # by worker

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._replies.clear()
        self._relieving.reset()

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        self._relieving.call_off_timers()

    def note_tasks(self, worker: int, queue: int, parent: int, children: "Iterable[Child]") -> None:
        """Take children, as soon as the lock is free (N1); until then the pool, and their executor, do not end."""
        outer = self._kernel.tasks.in_flight.get(parent)  # whose outcome may be the next message
        open_tasks, promise = None if outer is None else outer.open_tasks, object()
        if open_tasks is not None:
            open_tasks.add(promise)
        self._kernel.core.coming += 1
        self._kernel.todo.append(partial(self._take_all, worker, queue, parent, children, open_tasks, promise))

    def note_done(self, item: Task, kind: int, body: "Any", seconds: float) -> None:
        """Have an outcome passed on (N2)."""
        self._kernel.tasks.bytes_received += result_size(kind, body)
        item.is_deferred = True
        self._kernel.todo.append(partial(_bring, item, kind, body))
        self._pump.account(item, TASK_FAILED, None, seconds)

    def note_question(self, worker: int, what: int, about: "Any", seconds: float) -> None:
        """Do what a worker asks of its children, once those are taken that it has sent before."""
        self._kernel.todo.append(partial(self._answer, worker, what, about, seconds))

    def _answer(self, worker: int, what: int, about: "Any", seconds: float) -> None:
        with self._kernel.lock:
            self._follow(worker, what, about, seconds)

    def _follow(self, worker: int, what: int, about: "Any", seconds: float) -> None:
        items = [self._kernel.nested.children.get((worker, number)) for number in about]
        known = [item for item in items if item is not None]
        if what in (RECALL, DROP):
            for number, item in zip(about, items, strict=True):
                if item is None or not self._give_back(item, is_dropped=what == DROP):
                    self._kernel.todo.append(partial(self._reply, worker, number, BEGUN, None))
        elif what == STOP:
            self._control.stop_soon(known, seconds)
        else:  # LEAVE, TAKE_BACK
            self._control.take_from_stack(known)
            for item in known:
                _future_of(item).is_left |= what == LEAVE

    def note_gone(self, worker: "Worker") -> None:
        """Forget a worker that has ended."""
        self._replies.pop(worker.number, None)
        self._kernel.nested.note_end(worker)

    def _give_back(self, item: Task, *, is_dropped: bool) -> bool:
        """Take a child out that no worker has begun, and have that told; return whether that is so (N4)."""
        kernel, tasks = self._kernel, self._kernel.tasks
        if item.is_ended or item.is_deferred:
            return False
        if item.work_id is None:
            if not tasks.take_waiting(lambda each: each is item):
                return False  # it is on its way to the fallback
            tasks.unsent -= not is_dropped
        elif item.work_id in tasks.in_flight and kernel.calls.take_back({item.work_id}):
            del tasks.in_flight[item.work_id]
            tasks.recalled += 1
            tasks.moved += not is_dropped
        else:
            return False
        if is_dropped:
            kernel.todo.append(partial(call_off, item))
        elif item.control is None:
            item.traced = None  # its parent's trace has it
            kernel.todo.append(partial(_bring, item, RETURNED, None))
        else:
            self._hand(item)
        kernel.changed.wake_all()
        kernel.top_up()
        return True

    def _hand(self, item: Task) -> None:
        """Have the worker that has asked run a task that has options."""
        tasks, future = self._kernel.tasks, _future_of(item)
        if not start(future):
            item.end()
            return
        is_first = item.work_id is None
        if not is_first:
            tasks.recalled -= 1
            tasks.moved -= 1
        work_id = tasks.number(item)
        item.placed.append(None)
        future.is_handed = True
        if is_first:
            self._kernel.watch(item)
        call = -work_id, future.payload, item.flags
        self._kernel.todo.append(partial(self._reply, future.worker, future.number, HANDED, call))

    # Called without the lock.

    def _take_all(
        self,
        worker: int,
        queue: int,
        parent: int,
        children: "Iterable[Child]",
        open_tasks: "OpenTasks | None",
        promise: object,
    ) -> None:
        try:
            self._take(worker, queue, parent, children, open_tasks)
        finally:
            with self._kernel.lock:
                self._kernel.core.coming -= 1
                self._kernel.end_if_done()
            if open_tasks is not None:
                open_tasks.end(promise)

    def _take(
        self, worker: int, queue: int, parent: int, children: "Iterable[Child]", open_tasks: "OpenTasks | None"
    ) -> None:
        kernel = self._kernel
        with kernel.lock:
            handle = kernel.staff.workers.get(worker)
            if handle is not None:
                kernel.nested.note_worker(handle)
        if worker not in self._replies:
            try:
                self._replies[worker] = PoolQueue(queue)
            except QueueError:
                pass  # the worker has ended meanwhile, and its children go on
        for number, payload, module, name, options, is_left in children:
            own = detach(payload)
            given: Any = None if options is None else decode(options)
            control = None if given is None else TaskControl(TaskOptions(**given))
            flags = NESTED | (TIMED if given and given.get("timeout") is not None else 0)
            future = ChildFuture(worker, number, parent, own, self._reply)
            future.is_left = is_left
            item = Task(future, _named(module, name), own, open_tasks, flags, control=control)
            future.add_done_callback(self._pass_on)
            kernel.nested.add(worker, number, item)
            try:
                self.submit(item, is_taken=True)
            except Exception as exc:
                fail(item, exc)
        with kernel.lock:
            if kernel.tasks.backlog and kernel.core.is_alive:
                kernel.top_up()
            self._tell_wanted(worker)

    def _pass_on(self, future: "Any") -> None:
        """The callback of a child's future (N3)."""
        key = future.worker, future.number
        item = self._kernel.nested.children.pop(key, None)
        kind, body = _outcome_of(future)
        if not future.is_left:
            self._reply(*key, kind, body)
        elif item is not None and kind == TASK_FAILED and self._kernel.options.unread == "log":
            note_unread(future, item.name, body[6])

    def _reply(self, worker: int, number: int, kind: int, body: "Any") -> None:
        replies = self._replies.get(worker)
        if replies is None:
            return
        with self._kernel.lock:
            handle = self._kernel.staff.workers.get(worker)
            self._tell_wanted(worker)
            if kind == RETURNED:
                self._kernel.nested.returned.add(worker)
        try:
            replies.put((number, kind, body))
        except QueueError:
            return  # the worker has ended
        place = 0 if handle is None else handle.place
        if place:
            self._kernel.calls.queue.ring_at(place - 1)

    def _tell_wanted(self, worker: int) -> None:
        """Tell a worker how many children to send, and look whether those that it keeps are begun."""
        if not self._kernel.tasks.is_empty:
            self._kernel.nested.tell_wanted(worker, self._kernel.staff.room - self._kernel.tasks.count)
            self._relieving.watch()


def _named(module: str | None, name: str) -> "Any":
    return _Named(module, name)


def _future_of(item: Task) -> ChildFuture:
    future: Any = item.future
    return future  # type: ignore[no-any-return]  # a child's


def _bring(item: Task, kind: int, body: "Any") -> None:
    """End the future of a child with what a worker has sent, as it is."""
    future, control = _future_of(item), item.control
    if future.done():
        item.end()
        return
    if kind == TASK_FAILED and control is not None and control.reason is not None and control.reason.is_timeout:
        settle(item, kind, body)  # which makes a TimeoutError of it
        return
    if kind == RESULT:
        body = detach(body)
    elif kind == TASK_FAILED and body[0] is not None:
        body = (detach(body[0]), *body[1:])
    future.outcome = kind, body
    start(future)
    try:
        future.set_result(None)
    finally:
        item.end()


def _outcome_of(future: ChildFuture) -> "tuple[int, Any]":
    """Return what to tell of a future that is done."""
    if future.outcome is not None:
        return future.outcome
    if future.cancelled():
        return CANCELLED, None
    error = future.exception()
    if error is not None:
        return TASK_FAILED, encode_failure(error)
    return RESULT, encode(future.result(), share=False)
