"""Which tasks a pool has: those that wait, those that were sent, and the counts of those that have ended.

Owns the backlog, the window of tasks in flight, and their numbers. It must not know queues, futures, threads or clocks.

A task that was taken is in the backlog until there is room in the window; then it gets a number and is in flight until
its end is accounted for. Whoever changes the book may be struck by an exception between two lines. So a task enters the
book it goes to before it leaves the one it comes from, and `audit` derives both from the truths that tasks carry.
"""

from collections import deque

from interp_pool._core.backlog import PriorityBacklog, take_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._core.histogram import Meters
    from interp_pool._core.task import Task

MOST_IN_FLIGHT = 250  # the runtime leaks payloads beyond 300 that their receiver released but their sender did not
MOST_URGENT = 40  # beyond these, that go before all others: then the window may be full of what would wait for them
MOST_SENT = MOST_IN_FLIGHT + MOST_URGENT
WORK_AHEAD = 0.006  # seconds of work per worker in the calls queue: one switch interval of 5 ms in which none is added


class TaskBook:
    """The tasks of a pool. Not thread-safe: guarded by the pool's lock, but for what says otherwise."""

    __slots__ = (
        "backlog",
        "bytes_received",
        "bytes_sent",
        "has_cancelled",
        "in_flight",
        "interrupts",
        "last_work_id",
        "meters",
        "moved",
        "parts",
        "recalled",
        "seconds_per_task",
        "timeouts",
        "unsent",
        "window",
    )

    def __init__(self) -> None:
        self.backlog: deque[Task] | PriorityBacklog[Task] = deque()
        self.in_flight: dict[int, Task] = {}
        self.window = 2  # most tasks in flight
        self.seconds_per_task: float | None = None  # moving average
        self.last_work_id = 0
        # Somebody has cancelled a future since the backlog was cleaned. Set without the lock.
        self.has_cancelled = False
        self.meters: Meters | None = None  # with histograms
        # What happened so far.
        self.parts = 0  # messages with results of a task that goes on
        self.recalled = 0  # tasks that were sent, and taken back before a worker had them
        self.unsent = 0  # tasks that ended in the backlog
        self.moved = 0  # tasks that were sent, and given to another pool
        self.bytes_sent = self.bytes_received = self.interrupts = self.timeouts = 0

    @property
    def is_empty(self) -> bool:
        """Whether no task waits or is in flight."""
        return not (self.backlog or self.in_flight)

    @property
    def count(self) -> int:
        """How many tasks wait or are in flight."""
        return len(self.backlog) + len(self.in_flight)

    @property
    def messages_received(self) -> int:
        """How many messages with results have come."""
        return self.last_work_id - len(self.in_flight) - self.recalled + self.parts

    def count_waiting(self) -> int:
        """Return how many tasks wait that were not cancelled."""
        waiting = len(self.backlog)
        return waiting - sum(map(_is_cancelled, self.backlog)) if self.has_cancelled else waiting

    def count_ended(self) -> int:
        """Return how many tasks have ended, in whatever way."""
        sent = self.last_work_id - self.moved - len(self.in_flight)
        return sent + self.unsent + len(self.backlog) - self.count_waiting()

    def set_window(self, workers: int, *, is_pausing: bool = False) -> None:
        """Decide how many tasks may be in flight.

        Args:
            workers: that there are.
            is_pausing: whether nothing is to be sent.
        """
        if is_pausing:
            self.window = 0
            return
        if workers < 1:
            workers = 1
        ahead, seconds = workers, self.seconds_per_task
        if seconds is not None:
            ahead = int(workers * WORK_AHEAD / (seconds + 1e-6)) or 1
        self.window = workers + ahead  # without max() and min(): each task pays for this
        if self.window > MOST_IN_FLIGHT:
            self.window = MOST_IN_FLIGHT

    def widen(self, count: int) -> None:
        """Let so many more tasks be in flight, unless nothing is to be sent: as many wait for tasks of their own."""
        if self.window:
            self.window = min(self.window + count, MOST_IN_FLIGHT)

    def note_duration(self, seconds: float) -> None:
        """Note how long a task took."""
        average = self.seconds_per_task
        self.seconds_per_task = seconds if average is None else average + 0.1 * (seconds - average)

    def add_waiting(self, task: "Task") -> None:
        """Put a task into the backlog."""
        if task.priority and isinstance(self.backlog, deque):
            self.backlog = PriorityBacklog(self.backlog)
        self.backlog.append(task)

    def number(self, task: "Task") -> int:
        """Count a task as in flight; return its number, which stays the same if this is done again."""
        work_id = task.work_id
        if work_id is None:
            self.last_work_id = task.work_id = work_id = self.last_work_id + 1
        self.in_flight[work_id] = task
        return work_id

    def take_waiting(self, is_meant: "Callable[[Task], bool]") -> "list[Task]":
        """Take tasks out of the backlog, to be ended otherwise; return them."""
        taken: list[Task] = []
        take_out(self.backlog, is_meant, taken)
        self.unsent += len(taken)
        return taken

    def take_cancelled(self) -> "list[Task]":
        """Take those out of the backlog whose futures were cancelled."""
        self.has_cancelled = False  # before the look: who cancels later sets it again
        return self.take_waiting(_is_cancelled)

    def take_all(self) -> "list[Task]":
        """Take everything out of both books."""
        taken = [*self.in_flight.values(), *self.backlog]
        self.unsent += len(self.backlog)
        self.in_flight.clear()
        self.backlog.clear()
        return taken

    def find(self, future: object) -> "Task | None":
        """Return the task of a future that has not ended."""
        tasks: list[Task] = [*self.in_flight.values(), *self.backlog]  # a signal handler may submit meanwhile
        for task in tasks:
            if task.future is future:
                return task
        return None

    def audit(self) -> "list[Task]":
        """Put both books right by what tasks tell of themselves; return those that nobody will send any more.

        Whoever submitted these was struck: nobody has their futures.
        """
        take_out(self.backlog, _is_gone, [])
        waiting = set(map(id, self.backlog))
        lost: list[Task] = []
        for work_id, task in [*self.in_flight.items()]:
            if not (task.is_ended or task.placed or id(task) in waiting):
                lost.append(task)
            elif not task.is_ended:
                continue
            del self.in_flight[work_id]
        return lost


def _is_gone(task: "Task") -> bool:
    return task.is_ended or bool(task.placed)


def _is_cancelled(task: "Task") -> bool:
    return task.future.cancelled()
