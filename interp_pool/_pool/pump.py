"""The pump: results become settled futures, and room in the window.

Owns the way of a result from the inbox to its future, for the manager and for whoever works in its place. A thread that
waits for a future, or submits while there is no room, settles what runs nobody's code, in the order of the messages, up
to the first item that only the manager may deal with, and never while the manager has taken items that it has not
settled.

Any such thread may be struck by an exception between two bytecodes. So whatever is done here to a shared structure can
be done again: an item leaves the inbox after it has been dealt with.

Called without the lock, but for what says otherwise.
"""

from functools import partial

import interp_api
from interp_pool._core.states import PoolState
from interp_pool._core.task import Task
from interp_pool._core.task_book import MOST_IN_FLIGHT
from interp_pool._pool.kernel import Kernel
from interp_pool._pool.outcomes import result_size, settle, settle_quietly
from interp_pool._pool.traced import note_traced
from interp_pool._wire.messages import BATCH_PART, BATCH_REST, RESULT_UNSENDABLE, TASK_TRACED, TASK_UNREADABLE, VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._pool.result_stream import ResultReader
    from interp_pool._wire.messages import Failure, Refusal, ResultItem

LONGEST_SPIN = 50e-6  # seconds to look for a result before sleeping; with one processor too, see `_worker.loop`


class Pump:
    """What settles the futures of one pool. Thread safety: all methods."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def reader(self) -> "ResultReader":
        """What it takes results from."""
        return self._kernel.reader

    @property
    def seconds_per_task(self) -> float | None:
        """What a task takes on average, None before the first."""
        return self._kernel.tasks.seconds_per_task

    def stand_in(self, future: "TaskFuture[Any]", has_arrived: "Callable[[], bool]", deadline: float | None) -> None:
        """Take results, while the manager sleeps, until a future is done; may return before.

        Args:
            future: one of this pool's.
            has_arrived: tells when.
            deadline: on the monotonic clock, None for no limit.

        Blocks: until then, or until the deadline. Returns at once when it is not this thread's turn.
        """
        average = self._kernel.tasks.seconds_per_task
        spin = 0.0 if average is None or average > LONGEST_SPIN else LONGEST_SPIN
        self._kernel.reader.stand_in(has_arrived, partial(self.advance, future), deadline, spin)

    def advance(self, own: "TaskFuture[Any] | None" = None) -> bool:
        """Take what is there and settle it, in order, up to the first item that only the manager may deal with.

        That is all that runs somebody's code, but for the result of the future this thread waits for. Returns whether
        nothing is left.
        """
        try:
            return self._settle_what_is_there(own)
        except BaseException:
            self._kernel.call_manager()  # struck, say: to make good what else was not done, such as topping up
            raise

    def _settle_what_is_there(self, own: "TaskFuture[Any] | None") -> bool:
        step = partial(self._take_and_settle, own)
        while True:
            taken = self._kernel.step(step)
            if taken is None:
                return True
            item, entry = taken
            is_left = entry is not None
            self.drop_settled()
            if own is not None:
                own.help_on()
            if (
                item is None
                or entry is None
                or own is None
                or not own.concerns(item.future)
                or item.future.has_callbacks
                or entry[0][0] == TASK_UNREADABLE
            ):
                return not is_left
            kind, _, body, _ = entry[0]
            settle(item, kind, body)
            self._kernel.step(partial(self._strike_off_own, item, entry, own))
            body = None
            del entry, taken

    def _take_and_settle(
        self, own: "TaskFuture[Any] | None"
    ) -> "tuple[Task | None, tuple[ResultItem, Any] | None] | None":
        """Settle what is there; return what is left: the first task whose result needs somebody's code, and its entry.

        None if it is not this thread's turn.
        """
        kernel = self._kernel
        core, inbox = kernel.core, kernel.inbox
        if kernel.is_dealing or core.state is PoolState.CLOSED:
            return None  # the manager has older ones, or there will be none
        kernel.reader.fill(MOST_IN_FLIGHT)
        item = self._settle_inbox(own)
        kernel.top_up()
        if core.state is not PoolState.RUNNING or kernel.todo:
            kernel.wake_manager()
        return item, inbox[0] if inbox else None

    def _strike_off_own(self, item: Task, entry: "tuple[ResultItem, Any]", own: "TaskFuture[Any] | None") -> None:
        if self._kernel.inbox and self._kernel.inbox[0] is entry:  # the manager may have been called back meanwhile
            kind, _, body, seconds = entry[0]
            self._strike_off(item, kind, body, seconds, own)

    def _settle_inbox(self, own: "TaskFuture[Any] | None") -> Task | None:
        """Settle what needs nobody's code; return the work item of the first result that does."""
        inbox, in_flight = self._kernel.inbox, self._kernel.tasks.in_flight
        while inbox:
            kind, work_id, body, seconds = inbox[0][0]
            if kind > RESULT_UNSENDABLE:
                if kind != TASK_TRACED:
                    return None
                inbox[0] = note_traced(self._kernel, work_id, body, seconds), inbox[0][1]
                continue
            item = in_flight.get(work_id)
            if item is None:  # withdrawn, or the pool broke meanwhile, and the future with it
                if work_id in self._kernel.staff.stuck:
                    return None  # its worker is back, which is the manager's to see
                inbox.popleft()
            elif item.is_ended or settle_quietly(item, kind, body):
                self._strike_off(item, kind, body, seconds, own)
            else:
                return item
        return None

    def _strike_off(self, item: Task, kind: int, body: "Any", seconds: float, own: "TaskFuture[Any] | None") -> None:
        """Take the first item out of the inbox, once its future is settled."""
        self.account(item, kind, body, seconds, is_fed=own is not None and own.concerns(item.future))
        self._kernel.inbox.popleft()

    def account(
        self, item: Task, kind: int, body: "Any", seconds: float, *, is_fed: bool = False, is_again: bool = False
    ) -> None:
        """Count a task as finished, or a part of it as come. Called with the lock held.

        Args:
            item: the task.
            kind: of the message.
            body: what it brings.
            seconds: what that took.
            is_fed: whether the consumer of the map is about to send more itself.
            is_again: whether the items of a batch are sent once more, one by one.
        """
        tasks = self._kernel.tasks
        if kind <= BATCH_PART:
            tasks.parts += 1
            if kind == BATCH_REST:
                self._kernel.note_rest(item, body, seconds, is_fed=is_fed)
        else:
            tasks.note_duration(seconds)
            if item.count is not None and not is_again:
                self._kernel.note_batch(item, item.count, seconds, is_fed=is_fed)
            self._kernel.settled.append(item)
            tasks.in_flight.pop(item.work_id, None)  # type: ignore[arg-type]  # it was sent
        if kind != VALUE:
            tasks.bytes_received += result_size(kind, body)

    def settle_for_manager(self, item: Task, kind: int, body: "Any", seconds: float) -> None:
        """Count a task as finished, and settle its future, now or when the lock is free. Called with the lock held."""
        if kind == TASK_UNREADABLE and self._gives_away(item, body):
            return
        # What may have to wait for an import is not pickled again here: then the batch fails as a whole.
        is_again = kind == TASK_UNREADABLE and (item.count or 0) > 1 and not interp_api.is_importing()
        if is_again:
            batch: Any = item.future
            self._kernel.todo.append(partial(batch.run.send_again, batch))  # before its consumer looks
        if kind == BATCH_REST:
            pass  # nothing is settled by it
        elif item.is_deferred or item.has_told or (not item.is_ended and not settle_quietly(item, kind, body)):
            # What comes later of a batch must not overtake what waits to be unpickled, nor what was told to be heard.
            item.is_deferred = True
            self._kernel.todo.append(partial(settle, item, kind, body))
        self.account(item, kind, body, seconds, is_again=is_again)

    def _gives_away(self, item: Task, failure: "Failure") -> bool:
        """Have a task that a worker could not unpickle given to the fallback, if it can run there; return whether."""
        routing, control = self._kernel.routing, item.control
        if routing is None or (control is not None and control.reason is not None):
            return False
        refusal = routing.refusal_of(failure)
        if refusal is None:
            return False
        routing.routes.learn(refusal[2], item.function, item.payload)
        routing.prepare(item)  # G1
        self._kernel.todo.append(partial(self.give_away, item, refusal))
        return True

    def give_away(self, item: Task, refusal: "Refusal") -> None:
        """Give a task to the fallback, and strike it off. Called by the manager, without the lock."""
        kernel = self._kernel
        assert kernel.routing is not None
        kernel.routing.give(item, refusal)  # G2, G3
        with kernel.lock:
            item.is_ended = True
            kernel.tasks.moved += item.work_id is not None
            kernel.settled.append(item)
            kernel.tasks.in_flight.pop(item.work_id or 0, None)  # G4
        if item.open_tasks is not None:
            item.open_tasks.end(item)  # its successor is there
        kernel.call_manager()  # to go on; and whoever stands in for it, for this very future, gives way

    def drop_settled(self) -> None:
        """Let go of what is done, without the lock."""
        settled, self._kernel.settled = self._kernel.settled, []
        del settled
