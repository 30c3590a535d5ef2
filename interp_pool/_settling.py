"""Settling in the manager's place, by a thread that has the reader's turn.

Owns what a thread that waits for a future, or submits while there is no room, does for the pool meanwhile. It settles
what runs nobody's code, in the order of the messages, up to the first item that only the manager may deal with, and
never while the manager has taken items that it has not settled.

Any such thread may be struck by an exception between two bytecodes. So whatever is done here to a shared structure can
be done again: an item leaves the inbox after it has been dealt with.

Called without the lock, but for what says otherwise.
"""

import os
from functools import partial

from interp_pool._dispatch import MOST_IN_FLIGHT, Dispatch
from interp_pool._ledger import release_if_held
from interp_pool._lifecycle import PoolState
from interp_pool._messages import BATCH_PART, RESULT_UNSENDABLE, TASK_UNREADABLE, VALUE
from interp_pool._work import WorkItem, result_size, settle, settle_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._future import TaskFuture
    from interp_pool._map import MapRun

LONGEST_SPIN = 50e-6 if (os.process_cpu_count() or 1) > 1 else 0.0  # seconds to look for a result before sleeping


class Settling(Dispatch):
    """Dispatch, and the settling that any thread may do."""

    __slots__ = ()

    def stand_in(self, future: "TaskFuture[Any]", deadline: float | None) -> None:
        """Take results, while the manager sleeps, until a future is done; may return before.

        Args:
            future: one of this pool's.
            deadline: on the monotonic clock, None for no limit.

        Blocks: until then, or until the deadline. Returns at once when it is not this thread's turn.
        """
        is_nested = self._lock._is_owned()  # type: ignore[attr-defined]  # as in submit
        try:
            average = self._seconds_per_task
            spin = 0.0 if average is None or average > LONGEST_SPIN else LONGEST_SPIN
            self._reader.stand_in(future.has_arrived, partial(self._advance, future), deadline, spin)
        except BaseException:
            if not is_nested:
                release_if_held(self._lock)
            raise

    def _advance(self, own: "TaskFuture[Any] | None" = None) -> bool:
        """Take what is there and settle it, in order, up to the first item that only the manager may deal with.

        That is all that runs somebody's code, but for the result of the future this thread waits for. Returns whether
        nothing is left.
        """
        try:
            return self._settle_what_is_there(own)
        except BaseException:
            self.call_manager()  # struck, say: to make good what else was not done, such as topping up
            raise

    def _settle_what_is_there(self, own: "TaskFuture[Any] | None") -> bool:
        while True:
            with self._lock:
                if self._is_dealing or self.is_closed:
                    return True  # it has older ones, or there will be none
                self._reader.fill(MOST_IN_FLIGHT)
                item = self._settle_inbox(own)
                self._top_up()
                if self._state is not PoolState.RUNNING or self._todo:
                    self._call_manager()
                is_left = bool(self._inbox)
                entry = self._inbox[0] if is_left else None
            self._drop_settled()
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
            kind, _, body, seconds = entry[0]
            settle(item, kind, body)
            with self._lock:
                if self._inbox and self._inbox[0] is entry:  # the manager may have been called back meanwhile
                    self._strike_off(item, kind, body, seconds, own)
            body = None
            del entry

    def _settle_inbox(self, own: "TaskFuture[Any] | None") -> WorkItem | None:
        """Settle what needs nobody's code; return the work item of the first result that does."""
        inbox, in_flight = self._inbox, self._in_flight
        while inbox:
            kind, work_id, body, seconds = inbox[0][0]
            if kind > RESULT_UNSENDABLE:
                return None
            item = in_flight.get(work_id)
            if item is None:  # withdrawn, or the pool broke meanwhile, and the future with it
                if work_id in self._abandoned:
                    return None  # its worker is back, which is the manager's to see
                inbox.popleft()
            elif item.is_ended or settle_quietly(item, kind, body):
                self._strike_off(item, kind, body, seconds, own)
            else:
                return item
        return None

    def _strike_off(
        self, item: WorkItem, kind: int, body: object, seconds: float, own: "TaskFuture[Any] | None"
    ) -> None:
        """Take the first item out of the inbox, and count its task as finished, once its future is settled."""
        if kind == BATCH_PART:
            self._parts += 1
        else:
            average = self._seconds_per_task  # _note_duration, without the call: this is what a burst waits for
            self._seconds_per_task = seconds if average is None else average + 0.1 * (seconds - average)
            if item.count is not None:
                self._note_batch(item, item.count, seconds, is_fed=own is not None and own.concerns(item.future))
            self._settled.append(item)
            self._in_flight.pop(item.work_id, None)  # type: ignore[arg-type]  # it was sent
        if kind != VALUE:
            self._bytes_received += result_size(kind, body)
        self._inbox.popleft()

    def _drop_settled(self) -> None:
        """Let go of what is done, without the lock."""
        settled, self._settled = self._settled, []
        del settled

    def _note_batch(self, item: WorkItem, items: int, seconds: float, *, is_fed: bool) -> None:
        """Tell the run of a batch that it is done, and what so many of its items took.

        Unless its consumer is about to, have the manager feed it.
        """
        future: Any = item.future  # a BatchFuture
        run: MapRun = future.run
        run.note_done(items, seconds)
        if not is_fed and run in self._promises:
            self._todo.append(run.feed)

    def _note_duration(self, seconds: float) -> None:
        average = self._seconds_per_task
        self._seconds_per_task = seconds if average is None else average + 0.1 * (seconds - average)
