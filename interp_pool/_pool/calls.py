"""The calls queue: what the workers take.

Owns what is put there, call items and stop sentinels, and how it is taken back. Called with the pool's lock held.

Taking back what no worker has begun: everything is taken out and the rest put back in the same order, by a thread that
nothing strikes; an exception in between would lose tasks. Workers take meanwhile what they find; a task that one of
them has taken is not there, and is left alone.
"""

from collections import deque

from interp_api import PoolQueue
from interp_pool._core.task_book import MOST_SENT
from interp_pool._pool.outcomes import payload_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._core.task_book import TaskBook
    from interp_pool._core.worker_book import WorkerBook
    from interp_pool._workers.handle import Worker


class Calls:
    """What was sent to the workers of one pool."""

    __slots__ = ("_staff", "_tasks", "keeps_payloads", "queue")

    def __init__(self, queue: PoolQueue, tasks: "TaskBook", staff: "WorkerBook[Worker]") -> None:
        self.queue = queue
        self._tasks, self._staff = tasks, staff
        self.keeps_payloads = False  # tasks may be sent elsewhere later

    def send(self, task: "Task") -> None:
        """Send a task, whose future runs from now on."""
        tasks, payload = self._tasks, task.payload
        work_id = tasks.number(task)
        self.queue.put_recorded((-work_id, payload, task.flags) if task.flags else (work_id, payload), task.placed)
        if type(payload) is bytes:
            tasks.bytes_sent += len(payload)
            if not self.keeps_payloads:
                task.payload = b""  # the queue has it; a tuple may hold the only reference to shared memory
        else:
            tasks.bytes_sent += payload_size(payload)

    def send_ends(self, count: int) -> None:
        """Send so many stop sentinels."""
        for _ in range(count):
            self.queue.put(None)
            self._staff.stop_sentinels += 1

    def discard(self) -> None:
        """Drop everything that no worker has taken: nobody would take the results."""
        lost: deque[tuple[object, object]] = deque()
        self.queue.drain(lost, MOST_SENT + self._staff.stop_sentinels)
        self._staff.stop_sentinels -= sum(item[0] is None for item in lost)

    def take_back(self, work_ids: set[int]) -> set[int]:
        """Take tasks out; return the numbers of those that were still there."""
        taken: deque[tuple[Any, Any]] = deque()
        if work_ids:
            self.queue.drain(taken, MOST_SENT + self._staff.stop_sentinels)
        recalled: set[int] = set()
        for entry in taken:
            call: tuple[Any, ...] = entry[0] or ()
            work_id = abs(call[0]) if call else 0
            if work_id in work_ids:
                recalled.add(work_id)
            else:
                self.put_back(call)
        return recalled

    def bring_forward(self, work_ids: set[int]) -> None:
        """Have workers take some tasks before others, as far as none has taken them."""
        taken: deque[tuple[Any, Any]] = deque()
        if work_ids:
            self.queue.drain(taken, MOST_SENT + self._staff.stop_sentinels)
        calls: list[tuple[Any, ...]] = [entry[0] or () for entry in taken]
        for call in sorted(calls, key=lambda call: not call or abs(call[0]) not in work_ids):
            self.put_back(call)

    def take_ends_back(self, count: int) -> None:
        """Take so many stop sentinels out, as far as no worker has taken them, and count those that are left."""
        taken: deque[tuple[Any, Any]] = deque()
        self.queue.drain(taken, self.queue.qsize())
        self._staff.stop_sentinels = 0
        for entry in taken:
            if entry[0] is None and count:
                count -= 1
            else:
                self._staff.stop_sentinels += entry[0] is None
                self.put_back(entry[0] or ())

    def put_back(self, call: "tuple[Any, ...]") -> None:
        """Put what was taken out into the queue again; () is a stop sentinel."""
        other = self._tasks.in_flight.get(abs(call[0])) if call else None
        if other is not None and type(other.payload) is not bytes:
            self.queue.put((call[0], other.payload, *call[2:]))  # not through the views that were received
        else:
            self.queue.put(call or None)
