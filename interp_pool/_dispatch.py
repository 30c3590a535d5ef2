"""What a pool knows and does under its lock: its tasks, its workers, and what is sent to these.

Owns the fields of a pool and the steps that several of its threads take, each in one piece. The layers above it call
them: `_settling`, in the manager's place, and `_pool`, the manager and the public methods. What each step is for is
told in `_pool`.

Whatever begins with an underscore is called with `self._lock` held.
"""

import itertools
import threading
from collections import deque
from functools import partial

from interp_api import SimpleQueue
from interp_pool._backlog import PriorityBacklog
from interp_pool._errors import BrokenInterpreterPool
from interp_pool._hooks import is_exiting
from interp_pool._lazy_future import start
from interp_pool._lifecycle import Instruction, PoolEvent, PoolState, WorkerState, step_pool
from interp_pool._messages import POOL_CALLED
from interp_pool._reader import ResultReader
from interp_pool._work import WorkItem, describe, fail_broken, payload_size
from interp_pool._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interp_pool._map import MapRun
    from interp_pool._options import PoolOptions

MOST_IN_FLIGHT = 250  # the runtime leaks payloads beyond 300 that their receiver released but their sender did not
WORK_AHEAD = 0.006  # seconds of work per worker in the calls queue: one switch interval of 5 ms in which none is added

ACTIVE = (WorkerState.STARTING, WorkerState.READY)

CALL_POOL = (POOL_CALLED, 0, None, 0.0)


class Dispatch:
    """The fields of a pool, and the steps taken under its lock."""

    # There are too many for an instance dictionary to be quick.
    __slots__ = (
        "_abandoned",
        "_abandonings",
        "_active",
        "_backlog",
        "_broken",
        "_bytes_received",
        "_bytes_sent",
        "_calls",
        "_changed",
        "_ends",
        "_has_limit",
        "_in_flight",
        "_inbox",
        "_interrupts",
        "_is_dealing",
        "_is_forgotten",
        "_is_manager_called",
        "_is_pausing",
        "_last_work_id",
        "_leases",
        "_lock",
        "_manager",
        "_max_workers",
        "_min_workers",
        "_next_worker",
        "_options",
        "_parts",
        "_promises",
        "_reader",
        "_recalled",
        "_restarts",
        "_results",
        "_room_wanted",
        "_seconds_per_task",
        "_settled",
        "_state",
        "_timeouts",
        "_todo",
        "_vacancies",
        "_window",
        "_workers",
    )

    def __init__(self, options: "PoolOptions") -> None:
        self._options = options
        self._has_limit = options.max_backlog is not None
        self._max_workers, self._min_workers = options.max_workers, options.min_workers  # guarded by self._lock
        self._lock = threading.RLock()  # for release_if_held(); taken once at a time
        self._changed = threading.Condition(self._lock)  # workers came or went, or the state changed
        self._state = PoolState.RUNNING  # guarded by self._lock
        self._backlog: deque[WorkItem] | PriorityBacklog[WorkItem] = deque()  # guarded by self._lock
        self._in_flight: dict[int, WorkItem] = {}  # guarded by self._lock
        self._workers: dict[int, Worker] = {}  # guarded by self._lock
        # By the task that does not stop, or a negative number if it is something else. Guarded by self._lock.
        self._abandoned: dict[int, Worker] = {}
        self._active: int = 0  # workers that take call items or soon will; guarded by self._lock
        # Each takes a worker's place; whether it was given. Guarded by self._lock.
        self._leases: dict[object, bool] = {}
        self._promises: set[MapRun] = set()  # guarded by self._lock
        self._ends: int = 0  # in the calls queue; guarded by self._lock
        self._seconds_per_task: float | None = None  # moving average; guarded by self._lock
        self._broken: BaseException | str | None = None  # guarded by self._lock
        self._manager: threading.Thread | None = None  # guarded by self._lock
        self._is_manager_called = False  # and will look at everything soon; guarded by self._lock
        self._todo: deque[Callable[[], object]] = deque()  # what the manager owes, in order; it alone takes out
        self._is_dealing = False  # the manager has items that are not settled yet; guarded by self._lock
        self._settled: list[WorkItem] = []  # done; they may end objects of the user's, but not under the lock
        self._is_pausing = False  # for a fork; guarded by self._lock
        self._is_forgotten = False  # set without the lock, see forget()
        # What happened so far; guarded by self._lock.
        self._last_work_id: int = 0
        self._parts: int = 0  # messages with results of a task that goes on
        self._recalled: int = 0  # tasks that were sent, and taken back before a worker had them
        self._bytes_sent: int = 0
        self._bytes_received: int = 0
        self._interrupts: int = 0
        self._timeouts: int = 0
        self._abandonings: int = 0
        self._restarts: int = 0
        self._room_wanted: int = 0  # threads that wait for room in the backlog
        self._vacancies: int = 0  # workers that are to be replaced
        self._next_worker = itertools.count().__next__
        self._calls, self._results = SimpleQueue(), SimpleQueue()
        self._reader = ResultReader(self._results)
        self._inbox = self._reader.inbox  # guarded by self._lock
        self._window = 2  # most call items in flight; guarded by self._lock

    @property
    def max_workers(self) -> int:
        """Most interpreters at a time."""
        return self._max_workers

    @property
    def is_closed(self) -> bool:
        """Whether the pool was shut down, or broke, and its last worker has ended."""
        return self._state is PoolState.CLOSED

    @property
    def thread_name_prefix(self) -> str:
        """How the workers' threads are named."""
        return self._options.thread_name_prefix

    def call_manager(self) -> None:
        """Have the manager look at everything, and whoever stands in for it give way. Never blocks, needs no lock."""
        self._results.put(CALL_POOL)

    def _manage(self) -> None:
        """Run the manager thread, which starts with the first worker."""
        raise NotImplementedError

    def _watch(self, item: WorkItem) -> None:
        """Have the timer look at a task with limits that was just taken, or sent to the workers."""
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._broken is not None:
            broken = BrokenInterpreterPool(f"the pool is broken and takes no tasks: {describe(self._broken)}")
            raise broken from (self._broken if isinstance(self._broken, BaseException) else None)
        if is_exiting():
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        if self._state is not PoolState.RUNNING:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _set_window(self) -> None:
        """Decide how many call items may be in flight."""
        if self._is_pausing:
            self._window = 0
            return
        workers = max(1, self._active)
        ahead = workers
        if self._seconds_per_task is not None:
            ahead = max(1, int(workers * WORK_AHEAD / (self._seconds_per_task + 1e-6)))
        self._window = min(workers + ahead, MOST_IN_FLIGHT)

    def _watch_waiting(self, item: WorkItem) -> None:
        """Note the options of a task that goes to the backlog now."""
        if item.priority and isinstance(self._backlog, deque):
            self._backlog = PriorityBacklog(self._backlog)
        self._watch(item)

    def _send(self, item: WorkItem) -> None:
        work_id, payload = item.work_id, item.payload
        if work_id is None:
            self._last_work_id = item.work_id = work_id = self._last_work_id + 1
        self._in_flight[work_id] = item
        self._calls.put_recorded((-work_id, payload, item.flags) if item.flags else (work_id, payload), item.placed)
        if type(payload) is bytes:
            self._bytes_sent += len(payload)
            item.payload = b""  # the queue has it; a tuple may hold the only reference to shared memory
        else:
            self._bytes_sent += payload_size(payload)
        if item.control is not None:
            self._watch(item)

    def _withdraw(self, item: WorkItem) -> None:
        """Undo a submission that was interrupted, whatever it had done."""
        item.is_ended = True
        if item.control is not None:
            item.control.end()
        if item.work_id is not None:
            self._in_flight.pop(item.work_id, None)
        elif item in self._backlog:
            self._backlog.remove(item)
        if self._manager is None or self._manager.ident is None:
            self._manager = None
            self._is_manager_called = False
            self._workers.clear()  # none was started
        self._active = sum(worker.state in ACTIVE for worker in self._workers.values())
        self._set_window()
        self._call_manager()  # to make good what else was not done

    def _top_up(self) -> None:
        """Move work items from the backlog to the calls queue while there is room."""
        self._set_window()
        while self._backlog and len(self._in_flight) < self._window:
            item = self._backlog[0]
            if item.placed:
                pass  # an exception struck before it was taken out; it may have run since
            elif start(item.future):
                self._send(item)
            else:
                item.end()
            self._backlog.popleft()
            if self._room_wanted:
                self._changed.notify_all()

    def _want_workers(self) -> None:
        """Make the workers that there is work for; the manager starts them."""
        if self._is_pausing:
            return
        room = self._max_workers - len(self._leases)
        least = self._min_workers if self._state is PoolState.RUNNING else 0
        wanted = min(room, max(least, len(self._in_flight) + len(self._backlog)))
        # One that has LEFT has nothing to do but close its interpreter, where a task may have left a thread.
        present = sum(worker.state is not WorkerState.LEFT for worker in self._workers.values())
        if self._active >= wanted or present >= room:
            return
        while self._active < wanted and present < room:
            present += 1
            number = self._next_worker()
            self._workers[number] = Worker(number, self._options, self._calls, self._results)
            self._active += 1
            if self._vacancies:
                self._vacancies -= 1
                self._restarts += 1
        self._set_window()
        if self._manager is None:
            self._manager = threading.Thread(target=self._manage, name=f"{self.thread_name_prefix}_manager")
            self._manager.start()
        self._call_manager()

    def _call_manager(self) -> None:
        if self._manager is not None and not self._is_manager_called:
            self._results.put(CALL_POOL)
            self._is_manager_called = True

    def _stop_workers(self, count: int) -> None:
        for _ in range(count):
            self._calls.put(None)
            self._ends += 1

    def _finish_if_done(self) -> None:
        if self._state is PoolState.DRAINING and not (self._backlog or self._in_flight or self._promises):
            self._do(step_pool(self._state, PoolEvent.WORK_FINISHED))
        if self._state in (PoolState.STOPPING, PoolState.BROKEN):
            for worker in [worker for worker in self._workers.values() if not worker.is_started]:
                self._drop(worker)
            if not self._workers:
                self._do(step_pool(self._state, PoolEvent.WORKERS_GONE))

    def _drop(self, worker: Worker) -> None:
        """Forget a worker whose thread was not started."""
        del self._workers[worker.number]
        self._active -= 1

    def _do(self, stepped: tuple[PoolState, tuple[Instruction, ...]]) -> None:
        self._state, instructions = stepped
        for instruction in instructions:
            if instruction is Instruction.FAIL_TASKS:
                self._fail_tasks()
            elif instruction is Instruction.STOP_WORKERS:
                self._stop_workers(self._active - self._ends)
            elif instruction is Instruction.RELEASE_WORKERS:
                self._todo.extend(worker.let_go for worker in self._workers.values())
                self._todo.extend(worker.thread.join for worker in self._workers.values() if worker.is_started)
                self._workers.clear()
                self._active = 0
            elif instruction is Instruction.END_MANAGER:
                pass  # it sees the state
        self._changed.notify_all()

    def _fail_tasks(self) -> None:
        assert self._broken is not None
        # Nobody would take their results.
        lost: deque[tuple[object, object]] = deque()
        self._calls.drain(lost, MOST_IN_FLIGHT + self._ends)
        self._ends -= sum(item[0] is None for item in lost)
        for item in (*self._in_flight.values(), *self._backlog):
            self._todo.append(partial(fail_broken, item, self._broken))
        self._in_flight.clear()
        self._backlog.clear()
        self._todo.extend(run.drop for run in self._promises)
