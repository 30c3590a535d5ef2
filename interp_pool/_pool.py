"""InterpreterPool, the service under the executor: its public methods and its manager.

Owns the way of a work item from `submit` to its settled future, and how many workers there are. The steps under the
lock are `_dispatch`'s; what others do in the manager's place is `_settling`'s. What crosses to the workers is
`_messages`'; how a worker's interpreter is got and left is `_worker`'s; how a future ends is `_work`'s; which states
there are is `_lifecycle`'s.

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

import sys
import threading
from contextlib import contextmanager
from functools import partial
from time import monotonic

import interp_api
from interp_api import InterpreterError
from interp_pool._control import HASTY_GRACE
from interp_pool._dispatch import CALL_POOL, MOST_IN_FLIGHT
from interp_pool._failures import decode_failure
from interp_pool._hooks import is_exiting, register
from interp_pool._lazy_future import start_new
from interp_pool._ledger import holding, release_if_held
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
    VALUE,
    WORKER_ENDED,
    WORKER_LEAVING,
    WORKER_LEFT,
    WORKER_LOST,
    WORKER_READY,
)
from interp_pool._options import DEFAULT_IDLE_TIMEOUT, PoolOptions
from interp_pool._sizing import Sizing
from interp_pool._work import WorkItem, cancel, fail_lost, result_size, settle, settle_quietly
from interp_pool._worker import obtain, prepare, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Self

    from interp_api import Interpreter
    from interp_pool._ledger import Ledger
    from interp_pool._map import MapRun
    from interp_pool._messages import ResultItem
    from interp_pool._options import WhenFull

FEW_RESULTS = 32  # not worth a look while submitting

PATIENCE = 5.0  # seconds that a fork waits for an idle pool; a worker that is just starting needs some 0.05

_FORKED = "the process was forked, and its workers live in the parent"


class InterpreterPool(Sizing):
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
        max_leftover_threads: int | None = None,
        reuse: bool = True,
        idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
        min_workers: int = 0,
        max_backlog: int | None = None,
        when_full: "WhenFull" = "block",
        exit_timeout: float | None = None,
    ) -> None:
        """Make a pool; workers start when there is work for them.

        Args:
            max_workers: most interpreters at a time; None means `os.process_cpu_count()`.
            thread_name_prefix: the workers' threads are named so, with a number.
            initializer: called in each worker's interpreter before its first task.
            initargs: its arguments.
            max_tasks_per_child: a worker is replaced by one with a new interpreter after so many tasks; None: never.
            max_leftover_threads: a worker is replaced likewise once its tasks have left more threads than so many
                running in its interpreter, which is closed when these have ended; None: never.
            reuse: whether interpreters come from the process's warm reserve and go back there.
            idle_timeout: seconds without a new task after which workers that have nothing to do end, and seconds an
                idle interpreter then stays in that reserve; None means for ever. CPython 3.13 keeps those in the
                reserve for ever, because closing one leaks more than keeping it costs.
            min_workers: workers that start at once and stay.
            max_backlog: most tasks that wait without having been sent to a worker, a few milliseconds of work ahead;
                None: no limit. Batches of `map` do not count: there are few of them.
            when_full: whether `submit` then blocks until there is room, or raises QueueFull.
            exit_timeout: seconds that the exit of the process waits for tasks; then it stops them. None: no limit.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        interp_api.check_main_is_not_loading("make a pool")
        super().__init__(
            PoolOptions(
                max_workers,
                thread_name_prefix,
                initializer,
                initargs,
                max_tasks_per_child,
                max_leftover_threads,
                reuse,
                idle_timeout,
                min_workers,
                max_backlog,
                when_full,
                exit_timeout,
            )
        )
        register(self)
        if min_workers:
            with self._lock:
                self._want_workers()

    @property
    def broken(self) -> "BaseException | str | None":
        """Why the pool cannot run tasks any more, None if it can."""
        return self._broken

    @property
    def is_shut_down(self) -> bool:
        """Whether the pool takes no more tasks."""
        return self._state is not PoolState.RUNNING

    @property
    def is_forked(self) -> bool:
        """Whether this is the child of the process that has the workers."""
        return self._broken is _FORKED

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles the pool's futures, and must not wait for one: it runs a callback."""
        return self._manager is threading.current_thread()

    @property
    def exit_timeout(self) -> float | None:
        """Seconds that the exit of the process waits for tasks, None for no limit."""
        return self._options.exit_timeout

    @property
    def worker_threads(self) -> set[threading.Thread]:
        """The threads of the workers that have not ended."""
        return holding(self._lock, lambda: {worker.thread for worker in self._workers.values()})

    def __repr__(self) -> str:
        state, most = self._state.name.lower(), self._max_workers
        return f"<{type(self).__name__} {state}, at most {most} workers: {self.statistics().describe()}>"

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt):
            self.shutdown(wait=False)
            self.stop_at_once()
        self.shutdown()

    def check_invariants(self) -> None:
        """Assert what holds whenever the lock is free."""
        with self._lock:
            states = [worker.state for worker in self._workers.values()]
            assert self._active == states.count(WorkerState.STARTING) + states.count(WorkerState.READY)
            # One that comes back after it was abandoned may be one too many, and one that has left does not count.
            clean = sum(
                not worker.is_dirty and worker.state is not WorkerState.LEFT for worker in self._workers.values()
            )
            assert clean + sum(self._leases.values()) <= self.max_workers
            assert not set(self._abandoned) & set(self._in_flight)
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
            QueueFull: too many tasks wait, and the pool refuses then.

        Blocks: while too many tasks wait, if the pool has a limit for that.
        """
        if self._has_limit:
            self.call_off_stand_in()
        is_nested = self._lock._is_owned()  # type: ignore[attr-defined]  # a finalizer's, run by an allocation
        try:
            with self._lock:
                is_open = self._state is PoolState.RUNNING and self._broken is None and not is_exiting()
                is_promised = item.count is not None and self._state is PoolState.DRAINING
                if not (is_open or is_promised):
                    self._check_open()
                if self._has_limit and item.count is None and not is_nested:
                    self._wait_for_room(item.ledger)
                try:
                    if self._backlog or len(self._in_flight) >= self._window:
                        if item.control is not None:
                            self._watch_waiting(item)
                        self._backlog.append(item)
                    else:
                        start_new(item.future)
                        self._send(item)
                    if self._active < self._max_workers:
                        interp_api.check_tracing("start a worker")
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
        holding(self._lock, self._check_open)

    def cancel_backlog(self, ledger: "Ledger") -> None:
        """Cancel the tasks of one executor that no worker has been given."""
        cancelled, runs = holding(self._lock, partial(self._take_out, ledger))
        for run in runs:
            run.drop()
        for item in cancelled:
            cancel(item)

    def _take_out(self, ledger: "Ledger") -> "tuple[list[WorkItem], list[MapRun]]":
        """Take one executor's tasks out of the backlog; return these and its runs. Called with self._lock held."""
        cancelled = [item for item in self._backlog if item.ledger is ledger]
        for item in cancelled:
            self._backlog.remove(item)
        self._changed.notify_all()  # who waits for room in the backlog
        self._finish_if_done()
        return cancelled, [run for run in self._promises if run.ledger is ledger]

    def call_off_stand_in(self) -> None:
        """Before this thread waits for the manager: let it work, if this thread stands in further up its stack."""
        self._reader.call_off()

    def forget(self) -> None:
        """Shut the pool down without waiting; for a finalizer, which may run in a thread that holds the lock."""
        self._is_forgotten = True
        if self._manager is not None:
            self._results.put(CALL_POOL)

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
                    self._results.put(CALL_POOL)  # which finishes; also again, when a signal struck here before
        except BaseException:
            release_if_held(self._lock)
            raise
        for run in dropped:
            run.drop()
        for item in cancelled:
            cancel(item)
        self.call_off_stand_in()
        if wait and manager is not None and manager is not threading.current_thread():
            try:
                manager.join()
            except KeyboardInterrupt:
                self.stop_at_once()
                manager.join(2 * HASTY_GRACE)
                raise

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
        if self.is_closed:
            self._let_abandoned_end()

    def _let_abandoned_end(self) -> None:
        """Let each abandoned worker end as soon as its task does; what it sends then nobody takes.

        Not before the last messages were taken: those that come from an interpreter are lost when that is closed.
        """
        for worker in self._abandoned.values():
            self._calls.put(None)
            worker.let_go()
        self._abandoned.clear()

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
            if self._room_wanted and self._drop_cancelled():
                self._changed.notify_all()
            if self._state in (PoolState.RUNNING, PoolState.DRAINING):
                self._want_workers()
                self._top_up()
                self._start_workers()
                self._watch_for_idleness()
            self._finish_if_done()
            is_ending = self.is_closed or self._pause_if_idle()
            if is_ending:
                self._call_off_timers()
        # A result may point into its worker's memory: nothing of it may outlive the settling.
        del taken, messages
        body = None
        self._carry_out()
        with self._lock:
            self._is_dealing = False
        self._drop_settled()
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
            self._call_off_timers()
        self._carry_out()
        _log("the manager thread of a pool failed:", cause)

    def _count_finished(self, kind: int, work_id: int, body: "Any", seconds: float) -> None:
        if kind == BATCH_PART:
            self._parts += 1
        if kind != VALUE:
            self._bytes_received += result_size(kind, body)
        item = self._in_flight.get(work_id)
        if item is None:  # withdrawn, or the pool broke meanwhile, and the future with it; or stopped
            if kind != BATCH_PART:
                self._take_back(work_id)
            return
        self._settled.append(item)
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

    def _start_workers(self) -> None:
        for worker in [worker for worker in self._workers.values() if not worker.is_started]:
            try:
                worker.start()
            except RuntimeError as exc:  # no more threads: the others have to do, if there are any
                self._drop(worker)
                if not self._workers:
                    self._break(InterpreterError(f"a worker could not start: {exc}"), "No worker thread can start:")

    def _note_worker(self, kind: int, number: int, body: "Any") -> None:
        if kind == WORKER_LOST and body[0] in self._abandoned:
            self._take_back(body[0])
        worker = self._workers.get(number)
        if worker is None:
            return  # left behind
        worker.state, instructions = step_worker(worker.state, _WORKER_EVENTS[kind])
        for instruction in instructions:
            if instruction is Instruction.COUNT_OUT:
                self._active -= 1
                if kind == WORKER_LEAVING and body:
                    self._ends = max(0, self._ends - 1)
                else:
                    self._vacancies += 1
            elif instruction is Instruction.LET_GO:
                worker.left_at = monotonic()
                self._todo.append(worker.let_go)
            elif instruction is Instruction.FORGET_WORKER:
                del self._workers[number]
                self._todo.append(worker.thread.join)
                self._changed.notify_all()
            elif instruction is Instruction.BREAK_POOL:
                if worker.told_at is not None:
                    self._break(body)
                elif kind == INITIALIZER_FAILED:
                    self._break(body, "Exception in initializer:")  # the standard library's words
                else:
                    self._break(InterpreterError(f"a worker could not start: {body[1]}"), "A worker could not start:")
            elif instruction is Instruction.FAIL_LOST_TASK:
                item = self._in_flight.pop(body[0], None)
                if item is not None:
                    if item.count is not None:
                        self._note_batch(item, 0, 0.0, is_fed=False)
                    self._todo.append(partial(fail_lost, item, body[1]))

    def _break(self, cause: BaseException, what: str = "") -> None:
        self._broken = cause
        if what:
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
            if manager is None or self.is_closed or self._in_flight or self._backlog or self._abandoned:
                return  # the runtime will kill the child; the parent goes on
            self._is_pausing = True
            self._set_window()
            self._stop_workers(self._active - self._ends)
            self._results.put(CALL_POOL)
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
        self._abandoned.clear()
        self._active = self._ends = 0
        self._manager = None
        self._is_pausing = False
        self._broken = _FORKED
        self._state, _ = step_pool(self._state, PoolEvent.FORKED)


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

    try:
        # The logger of the standard library's executors, which is where their users look.
        getLogger("concurrent.futures").critical(what, exc_info=cause)
    except BaseException as exc:  # of a handler of the program's
        sys.excepthook(type(exc), exc, exc.__traceback__)
