"""InterpreterPool, the service under the executor: backlog, window, settling, sizing.

Owns the way of a work item from `submit` to its settled future, and how many workers there are. What crosses to
the workers is `_messages`'; how a worker's interpreter is got and left is `_worker`'s; how a future ends is `_work`'s;
which states there are is `_lifecycle`'s.

A work item waits in the backlog, where it can be cancelled, until the window has room; then its future is RUNNING
and its call item lies in the calls queue, which all workers share. One thread, the manager, starts the workers and
takes the result items. In this order it counts the task as finished, tops up the calls queue, and settles the future:
counting later would start a second worker for nothing when the future's waiter submits again, and the workers need not
wait for callbacks. Settlements and what else must happen without the lock come in the order of the messages, so a
worker is let go only when everything it sent is settled.

The main thread can be struck by KeyboardInterrupt between any two bytecodes. So it starts no worker, and when `submit`
is struck, the work item is withdrawn: nobody has its future. A call item it may have sent then runs for nothing. The
lock is reentrant only because such a lock knows its owner.

A thread that waits for a future may take the manager's place for a while, and one that submits may take results when
the window is full: see `_reader`. They settle what runs nobody's code, in the order of the messages, up to the first
item that only the manager may deal with, and never while the manager has taken items that it has not settled. As any of
them may be struck, whatever they do to a shared structure can be done again: an item leaves the inbox or the backlog
after it has been dealt with.

A run of `map` is a promise: it will submit batches, also after a shutdown, and the pool ends when it is redeemed.

Ends: a None in the calls queue ends whichever worker takes it. `_ends` counts those that nobody has taken. One meant
for a worker that was lost, or that reached its task limit first, ends another, which is replaced if there is work.

Lock order: `_lock`, then a ledger's. Under them no user code runs: no pickling, no callbacks, no settling of futures.
"""

import itertools
import os
import threading
from collections import deque
from contextlib import contextmanager
from functools import partial

import interp_api
from interp_api import InterpreterError, SimpleQueue
from interp_pool._errors import BrokenInterpreterPool
from interp_pool._failures import decode_failure
from interp_pool._future import start, start_new
from interp_pool._hooks import is_exiting, register
from interp_pool._ledger import release_if_held
from interp_pool._lifecycle import (
    Instruction,
    PoolEvent,
    PoolState,
    WorkerEvent,
    WorkerState,
    step_pool,
    step_worker,
)
from interp_pool._messages import (
    BATCH_PART,
    INITIALIZER_FAILED,
    POOL_CALLED,
    RESULT_UNSENDABLE,
    TASK_UNREADABLE,
    WORKER_ENDED,
    WORKER_LEAVING,
    WORKER_LEFT,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._options import DEFAULT_IDLE_TIMEOUT, PoolOptions
from interp_pool._reader import ResultReader
from interp_pool._work import WorkItem, cancel, describe, fail_broken, fail_lost, settle, settle_quietly
from interp_pool._worker import Worker, obtain, prepare, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Self

    from interp_api import Interpreter
    from interp_pool._future import TaskFuture
    from interp_pool._ledger import Ledger
    from interp_pool._map import MapRun
    from interp_pool._messages import ResultItem

MOST_IN_FLIGHT = 250  # the runtime leaks payloads beyond 300 that their receiver released but their sender did not
WORK_AHEAD = 0.006  # seconds of work per worker in the calls queue: one switch interval of 5 ms in which none is added
LONGEST_SPIN = 50e-6 if (os.process_cpu_count() or 1) > 1 else 0.0  # seconds to look for a result before sleeping
FEW_RESULTS = 32  # not worth a look while submitting

PATIENCE = 5.0  # seconds that a fork waits for an idle pool; a worker that is just starting needs some 0.05

_FORKED = "the process was forked, and its workers live in the parent"
_call_pool = (POOL_CALLED, 0, None, 0.0)


class InterpreterPool:
    """Workers, each an interpreter with a thread of its own, that run tasks for one or several executors.

    Thread safety: all methods.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        thread_name_prefix: str = "",
        initializer: "Callable[..., object] | None" = None,
        initargs: tuple[object, ...] = (),
        max_tasks_per_child: int | None = None,
        reuse: bool = True,
        idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
    ) -> None:
        """Make a pool; workers start when there is work for them.

        Args:
            max_workers: most interpreters at a time; None means `os.process_cpu_count()`.
            thread_name_prefix: the workers' threads are named so, with a number.
            initializer: called in each worker's interpreter before its first task.
            initargs: its arguments.
            max_tasks_per_child: a worker is replaced by one with a new interpreter after so many tasks; None: never.
            reuse: whether interpreters come from the process's warm reserve and go back there.
            idle_timeout: seconds an idle interpreter stays in that reserve, None for ever. CPython 3.13 keeps them
                for ever, because closing one leaks more than keeping it costs.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        interp_api.check_main_is_not_loading("make a pool")
        self._options = PoolOptions(
            max_workers, thread_name_prefix, initializer, initargs, max_tasks_per_child, reuse, idle_timeout
        )
        self._lock = threading.RLock()  # for release_if_held(); taken once at a time
        self._changed = threading.Condition(self._lock)  # workers came or went, or the state changed
        self._state = PoolState.RUNNING  # guarded by self._lock
        self._backlog: deque[WorkItem] = deque()  # guarded by self._lock
        self._in_flight: dict[int, WorkItem] = {}  # guarded by self._lock
        self._workers: dict[int, Worker] = {}  # guarded by self._lock
        self._active = 0  # workers that take call items or soon will; guarded by self._lock
        self._leases: dict[
            object, bool
        ] = {}  # each takes a worker's place; whether it was given; guarded by self._lock
        self._promises: set[MapRun] = set()  # guarded by self._lock
        self._ends = 0  # in the calls queue; guarded by self._lock
        self._seconds_per_task: float | None = None  # moving average; guarded by self._lock
        self._broken: BaseException | str | None = None  # guarded by self._lock
        self._manager: threading.Thread | None = None  # guarded by self._lock
        self._is_manager_called = False  # and will look at everything soon; guarded by self._lock
        self._todo: deque[Callable[[], object]] = deque()  # what the manager owes, in order; it alone takes out
        self._is_dealing = False  # the manager has items that are not settled yet; guarded by self._lock
        self._litter: list[
            WorkItem
        ] = []  # done: they may end objects of the user's, which must happen without the lock
        self._is_pausing = False  # for a fork; guarded by self._lock
        self._is_forgotten = False  # set without the lock, see forget()
        self._next_work_id = itertools.count().__next__
        self._next_worker = itertools.count().__next__
        self._calls, self._results = SimpleQueue(), SimpleQueue()
        self._reader = ResultReader(self._results)
        self._inbox = self._reader.inbox  # guarded by self._lock
        self._window = 2  # most call items in flight; guarded by self._lock
        register(self)

    @property
    def max_workers(self) -> int:
        """Most interpreters at a time."""
        return self._options.max_workers

    @property
    def thread_name_prefix(self) -> str:
        """How the workers' threads are named."""
        return self._options.thread_name_prefix

    @property
    def broken(self) -> "BaseException | str | None":
        """Why the pool cannot run tasks any more, None if it can."""
        return self._broken

    @property
    def is_shut_down(self) -> bool:
        """Whether the pool takes no more tasks."""
        return self._state is not PoolState.RUNNING

    @property
    def is_closed(self) -> bool:
        """Whether the pool was shut down, or broke, and its last worker has ended."""
        return self._state is PoolState.CLOSED

    @property
    def is_forked(self) -> bool:
        """Whether this is the child of the process that has the workers."""
        return self._broken is _FORKED

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles the pool's futures, and must not wait for one: it runs a callback."""
        return self._manager is threading.current_thread()

    @property
    def worker_threads(self) -> set[threading.Thread]:
        """The threads of the workers that have not ended."""
        with self._lock:
            return {worker.thread for worker in self._workers.values()}

    def __repr__(self) -> str:
        with self._lock:
            workers, in_flight = len(self._workers), len(self._in_flight)
            busy = min(workers, in_flight)
            return (
                f"<{type(self).__name__} {self._state.name.lower()}: workers {workers} of {self.max_workers}, "
                f"busy {busy}, lent {sum(self._leases.values())}, queued {len(self._backlog) + in_flight - busy}>"
            )

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()

    def check_invariants(self) -> None:
        """Assert what holds whenever the lock is free."""
        with self._lock:
            states = [worker.state for worker in self._workers.values()]
            assert self._active == states.count(WorkerState.STARTING) + states.count(WorkerState.READY)
            assert len(self._workers) + sum(self._leases.values()) <= self.max_workers
            assert self._ends >= 0
            assert WorkerState.DEAD not in states
            assert len(self._in_flight) <= MOST_IN_FLIGHT
            if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                assert not self._backlog or self._in_flight
            else:
                assert not self._backlog
                assert not self._in_flight
            if self._state is PoolState.CLOSED:
                assert not self._workers

    def submit(self, item: WorkItem) -> None:
        """Take a work item; its future will be settled whatever happens.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down, the interpreter is exiting, or no thread can be started.
        """
        is_nested = self._lock._is_owned()  # type: ignore[attr-defined]  # a finalizer's, run by an allocation
        try:
            with self._lock:
                is_open = self._state is PoolState.RUNNING and self._broken is None and not is_exiting()
                is_promised = item.count is not None and self._state is PoolState.DRAINING
                if not (is_open or is_promised):
                    self._check_open()
                interp_api.check_tracing("run a task")
                try:
                    if self._backlog or len(self._in_flight) >= self._window:
                        self._backlog.append(item)
                    else:
                        start_new(item.future)
                        self._send(item)
                    if self._active < self._options.max_workers:
                        self._want_workers()
                except BaseException:
                    self._withdraw(item)
                    raise
            if self._backlog and self._results.qsize() >= FEW_RESULTS:
                self._reader.with_turn(self._advance)
        except BaseException:
            if not is_nested:
                release_if_held(self._lock)
            raise

    def promise(self, run: "MapRun", ledger: "Ledger | None") -> None:
        """Count a run among the tasks that were taken, until `redeem`: it will submit batches, also after a shutdown.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool or the executor is shut down, or the interpreter is exiting.
        """
        try:
            if ledger is not None:
                ledger.begin(run)
            with self._lock:
                self._check_open()
                self._promises.add(run)
        except BaseException:
            release_if_held(self._lock)
            if ledger is not None:
                ledger.end(run)
            raise

    def redeem(self, run: "MapRun", ledger: "Ledger | None") -> None:
        """Strike a run off that has submitted its last batch. Doing so again does no harm."""
        try:
            with self._lock:
                if run in self._promises:
                    self._promises.discard(run)
                    if self._manager is None:
                        self._finish_if_done()
                    elif self._state is not PoolState.RUNNING:
                        self._call_manager()
        except BaseException:
            release_if_held(self._lock)
            raise
        if ledger is not None:
            ledger.end(run)

    def check_open(self) -> None:
        """Raise what `submit` would raise now."""
        with self._lock:
            self._check_open()

    def cancel_backlog(self, ledger: "Ledger") -> None:
        """Cancel the tasks of one executor that no worker has been given."""
        with self._lock:
            cancelled = [item for item in self._backlog if item.ledger is ledger]
            self._backlog = deque(item for item in self._backlog if item.ledger is not ledger)
            runs = [run for run in self._promises if run.ledger is ledger]
            self._finish_if_done()
        for run in runs:
            run.drop()
        for item in cancelled:
            cancel(item)

    def call_manager(self) -> None:
        """Have the manager look at everything, and whoever stands in for it give way. Never blocks."""
        self._results.put(_call_pool)

    def call_off_stand_in(self) -> None:
        """Before this thread waits for the manager: let it work, if this thread stands in further up its stack."""
        self._reader.call_off()

    def forget(self) -> None:
        """Shut the pool down without waiting; for a finalizer, which may run in a thread that holds the lock."""
        self._is_forgotten = True
        if self._manager is not None:
            self._results.put(_call_pool)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks and let the workers end when those that were taken are done.

        Args:
            wait: return only when that has happened and all threads of the pool have ended.
            cancel_futures: cancel the tasks that have not been sent to a worker yet.

        Blocks: with `wait`, until the last task has ended. Called from a callback of one of the pool's own futures it
        does not wait.
        """
        cancelled: list[WorkItem] = []
        dropped: list[MapRun] = []
        try:
            with self._lock:
                self._do(step_pool(self._state, PoolEvent.SHUTDOWN_ASKED))
                if cancel_futures:
                    cancelled.extend(self._backlog)
                    self._backlog.clear()
                    dropped.extend(self._promises)
                manager = self._manager
                if manager is None:
                    self._finish_if_done()
                else:
                    self._results.put(_call_pool)  # which finishes; also again, when a signal struck here before
        except BaseException:
            release_if_held(self._lock)
            raise
        for run in dropped:
            run.drop()
        for item in cancelled:
            cancel(item)
        self.call_off_stand_in()
        if wait and manager is not None and manager is not threading.current_thread():
            manager.join()

    @contextmanager
    def lease(self) -> "Generator[Interpreter]":
        """Lend a warm interpreter, with the initializer run in it, to the caller alone.

        It counts as a worker. At the end of the `with` block it is tidied up and becomes warm again.

        Raises:
            BrokenInterpreterPool: the initializer failed, or the pool is broken.
            RuntimeError: the pool is shut down.
            InterpreterError: at the end of the block: something is still running in the interpreter.

        Thread safety: each lease belongs to the thread that entered it. Shutting the pool down does not wait for it.

        Blocks: while `max_workers` interpreters are in use, until a worker has done what is queued before, or another
            lease ends.
        """
        with self._changed:
            self._check_open()
        lease = object()
        try:
            with self._changed:
                self._leases[lease] = False  # from now on no worker is started in its place
                if self._active - self._ends > max(0, self.max_workers - len(self._leases)):
                    self._stop_workers(1)
                while len(self._workers) + sum(self._leases.values()) >= self.max_workers:
                    self._changed.wait()
                    self._check_open()
                self._leases[lease] = True
            interpreter, is_initialized = obtain(self._options)
            try:
                prepare(interpreter, self._options, is_initialized)
                yield interpreter
            finally:
                release(interpreter, self._options)
        finally:
            with self._changed:
                self._leases.pop(lease, None)
                self._changed.notify_all()
                if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                    self._want_workers()

    # Everything below is called with self._lock held, up to the manager's part.

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

    def _send(self, item: WorkItem) -> None:
        if item.work_id is None:
            item.work_id = self._next_work_id()
        work_id = item.work_id
        self._in_flight[work_id] = item
        self._calls.put_noting(
            (work_id, item.payload) if item.count is None else (work_id, item.payload, item.is_single), item.placed
        )
        if type(item.payload) is bytes:
            item.payload = b""  # the queue has it; a tuple may hold the only reference to shared memory

    def _withdraw(self, item: WorkItem) -> None:
        """Undo a submission that was interrupted, whatever it had done."""
        if item.work_id is not None:
            self._in_flight.pop(item.work_id, None)
        elif item in self._backlog:
            self._backlog.remove(item)
        if self._manager is None or self._manager.ident is None:
            self._manager = None
            self._is_manager_called = False
            self._workers.clear()  # none was started
        self._active = sum(worker.state in _ACTIVE for worker in self._workers.values())
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

    def _want_workers(self) -> None:
        """Make the workers that there is work for; the manager starts them."""
        if self._is_pausing:
            return
        room = self.max_workers - len(self._leases)
        wanted = min(room, len(self._in_flight) + len(self._backlog))
        if self._active >= wanted or len(self._workers) >= room:
            return
        while self._active < wanted and len(self._workers) < room:
            number = self._next_worker()
            self._workers[number] = Worker(number, self._options, self._calls, self._results)
            self._active += 1
        self._set_window()
        if self._manager is None:
            self._manager = threading.Thread(target=self._manage, name=f"{self.thread_name_prefix}_manager")
            self._manager.start()
        self._call_manager()

    def _call_manager(self) -> None:
        if self._manager is not None and not self._is_manager_called:
            self._results.put(_call_pool)
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

    # In the manager's place: called without the lock, by a thread that has the reader's turn.

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
                if self._is_dealing:
                    return True  # it has older ones
                self._reader.fill(MOST_IN_FLIGHT)
                item = self._settle_inbox(own)
                self._top_up()
                if self._state is not PoolState.RUNNING or self._todo:
                    self._call_manager()
                is_left = bool(self._inbox)
                entry = self._inbox[0] if is_left else None
            self._clear_litter()
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
            body = None
            with self._lock:
                if self._inbox and self._inbox[0] is entry:  # the manager may have been called back meanwhile
                    self._strike_off(item, kind, seconds, own)
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
                inbox.popleft()
            elif item.is_ended or settle_quietly(item, kind, body):
                self._strike_off(item, kind, seconds, own)
            else:
                return item
        return None

    def _strike_off(self, item: WorkItem, kind: int, seconds: float, own: "TaskFuture[Any] | None") -> None:
        """Take the first item out of the inbox, and count its task as finished, once its future is settled."""
        if kind != BATCH_PART:
            assert item.work_id is not None
            self._note_duration(seconds)
            if item.count is not None:
                self._note_batch(item, item.count, seconds, is_fed=own is not None and own.concerns(item.future))
            self._litter.append(item)
            self._in_flight.pop(item.work_id, None)
        self._inbox.popleft()

    def _clear_litter(self) -> None:
        """Let go of what is done, without the lock."""
        litter, self._litter = self._litter, []
        del litter

    def _note_batch(self, item: WorkItem, items: int, seconds: float, *, is_fed: bool) -> None:
        """Tell the run of a batch that it is done, and what so many of its items took.

        Unless its consumer is about to, have the manager feed it.
        """
        future: Any = item.future  # a BatchFuture
        run: MapRun = future.run
        run.note_done(items, seconds)
        if not is_fed and run in self._promises:
            self._todo.append(run.feed)

    # The manager's part: called without the lock.

    def _manage(self) -> None:
        """Start workers and take result items until the pool is closed."""
        try:
            with self._lock:
                if self._manager is not threading.current_thread():
                    return  # whoever started this thread was interrupted, and there is another one since
            while self._process_messages():
                pass
        except BaseException as exc:
            self._fail(exc)

    def _process_messages(self) -> bool:
        """Wait for messages and do what they ask for; return whether there can be more."""
        self._reader.wait()
        with self._lock:
            self._reader.fill(MOST_IN_FLIGHT)
            taken = [item[0] for item in self._inbox]
            self._inbox.clear()
            self._is_dealing = True
        messages = [_readable(message) for message in taken]
        with self._lock:
            self._is_manager_called = False
            for kind, number, body, seconds in messages:
                if kind <= RESULT_UNSENDABLE:
                    self._count_finished(kind, number, body, seconds)
                elif kind != POOL_CALLED:
                    self._note_worker(kind, number, body)
                elif self._is_forgotten:
                    self._do(step_pool(self._state, PoolEvent.SHUTDOWN_ASKED))
            if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                self._want_workers()
                self._top_up()
                self._start_workers()
            self._finish_if_done()
            is_ending = self.is_closed or self._pause_if_idle()
        # A result may point into its worker's memory: nothing of it may outlive the settling.
        del taken, messages
        body = None
        self._carry_out()
        with self._lock:
            self._is_dealing = False
        self._clear_litter()
        return not is_ending

    def _pause_if_idle(self) -> bool:
        """Before a fork, have the manager end when nothing is left for it; the next task starts another."""
        if not self._is_pausing or self._workers or self._in_flight:
            return False
        self._manager = None
        self._changed.notify_all()
        return True

    def _carry_out(self) -> None:
        while self._todo:
            action = self._todo.popleft()
            try:
                action()
            except BaseException as exc:  # a callback's SystemExit; a future that somebody else has settled
                _log("the pool goes on after an error in a callback or a future:", exc)
            del action

    def _fail(self, cause: BaseException) -> None:
        """End with an error in the pool's own code: loudly, and with nobody left waiting."""
        with self._lock:
            self._broken = cause
            self._do(step_pool(self._state, PoolEvent.MANAGER_FAILED))
        _log("the manager thread of a pool failed:", cause)
        self._carry_out()

    def _count_finished(self, kind: int, work_id: int, body: "Any", seconds: float) -> None:
        item = self._in_flight.get(work_id)
        if item is None:
            return  # withdrawn, or the pool broke meanwhile, and the future with it
        self._litter.append(item)
        if kind != BATCH_PART:
            del self._in_flight[work_id]
            self._note_duration(seconds)
        is_again = kind == TASK_UNREADABLE and (item.count or 0) > 1
        if is_again:
            batch: Any = item.future
            self._todo.append(partial(batch.run.send_again, batch))  # before its consumer looks
        # What comes later of a batch must not overtake what waits to be unpickled.
        if item.is_deferred or (not item.is_ended and not settle_quietly(item, kind, body)):
            item.is_deferred = True
            self._todo.append(partial(settle, item, kind, body))
        if item.count is not None and kind != BATCH_PART and not is_again:
            self._note_batch(item, item.count, seconds, is_fed=False)

    def _note_duration(self, seconds: float) -> None:
        average = self._seconds_per_task
        self._seconds_per_task = seconds if average is None else average + 0.1 * (seconds - average)

    def _start_workers(self) -> None:
        for worker in [worker for worker in self._workers.values() if not worker.is_started]:
            try:
                worker.start()
            except RuntimeError as exc:  # no more threads: the others have to do, if there are any
                self._drop(worker)
                if not self._workers:
                    self._break(InterpreterError(f"a worker could not start: {exc}"), "No worker thread can start:")

    def _note_worker(self, kind: int, number: int, body: "Any") -> None:
        worker = self._workers[number]
        worker.state, instructions = step_worker(worker.state, _WORKER_EVENTS[kind])
        for instruction in instructions:
            if instruction is Instruction.COUNT_OUT:
                self._active -= 1
                if kind == WORKER_LEAVING and body:
                    self._ends = max(0, self._ends - 1)
            elif instruction is Instruction.LET_GO:
                self._todo.append(worker.let_go)
            elif instruction is Instruction.FORGET_WORKER:
                del self._workers[number]
                self._todo.append(worker.thread.join)
                self._changed.notify_all()
            elif instruction is Instruction.BREAK_POOL:
                if kind == INITIALIZER_FAILED:
                    self._break(body, "Exception in initializer:")  # the standard library's words
                else:
                    self._break(InterpreterError(f"a worker could not start: {body[1]}"), "A worker could not start:")
            elif instruction is Instruction.FAIL_LOST_TASK:
                item = self._in_flight.pop(body[0], None)
                if item is not None:
                    if item.count is not None:
                        self._note_batch(item, 0, 0.0, is_fed=False)
                    self._todo.append(partial(fail_lost, item, body[1]))

    def _break(self, cause: BaseException, what: str) -> None:
        self._broken = cause
        self._todo.append(partial(_log, what, cause))
        self._do(step_pool(self._state, PoolEvent.INITIALIZER_FAILED))

    # Around a fork.

    def before_fork(self) -> None:
        """Let idle workers end: their interpreters would kill the child. The next task starts new ones.

        The manager ends as well, so that a program whose only threads are an idle pool's forks without a warning. Tasks
        submitted meanwhile by other threads wait in the backlog until `after_fork_in_parent`. If a callback of a future
        keeps the manager from ending, the fork goes on after PATIENCE, and with it the warning that comes then.
        """
        if self.is_managed_here:
            return  # only this thread could see them end
        with self._changed:
            manager = self._manager
            if manager is None or self.is_closed or self._in_flight or self._backlog:
                return
            self._is_pausing = True
            self._set_window()
            self._stop_workers(self._active - self._ends)
            self._results.put(_call_pool)
            if not self._changed.wait_for(lambda: self._manager is not manager or self.is_closed, PATIENCE):
                return
        manager.join()

    def after_fork_in_parent(self) -> None:
        """Go on with what was submitted during the fork."""
        with self._changed:
            self._is_pausing = False
            if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                self._want_workers()
                self._top_up()

    def after_fork_in_child(self) -> None:
        """Refuse everything: the workers and the manager are the parent's."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._workers.clear()
        self._in_flight.clear()
        self._backlog.clear()
        self._promises.clear()
        self._leases.clear()
        self._active = self._ends = 0
        self._manager = None
        self._is_pausing = False
        self._broken = _FORKED
        self._state, _ = step_pool(self._state, PoolEvent.FORKED)


_ACTIVE = (WorkerState.STARTING, WorkerState.READY)
_WORKER_EVENTS = {
    WORKER_READY: WorkerEvent.WORKER_READY,
    INITIALIZER_FAILED: WorkerEvent.INITIALIZER_FAILED,
    WORKER_LEAVING: WorkerEvent.WORKER_LEAVING,
    WORKER_LOST: WorkerEvent.WORKER_LOST,
    WORKER_LEFT: WorkerEvent.WORKER_LEFT,
    WORKER_ENDED: WorkerEvent.WORKER_ENDED,
}


def _readable(message: "Any") -> "ResultItem":
    """Decode what needs to be while the lock is not held: the failure of an initializer."""
    item: ResultItem = message
    kind, number, body, seconds = item
    return (kind, number, decode_failure(body), seconds) if kind == INITIALIZER_FAILED else item


def _log(what: str, cause: BaseException) -> None:
    from logging import getLogger

    # The logger of the standard library's executors, which is where their users look.
    getLogger("concurrent.futures").critical(what, exc_info=cause)
