"""The kernel of a pool: its lock, the core behind it, and the steps that several of its threads take.

Owns the one way in. Those above it, each of which is handed the kernel, take their steps here: the pump, the manager,
the control of tasks, the sizing, the public methods.

A signal handler or a finalizer may call the pool in the middle of a step, in the thread that takes it and so holds the
lock. It changes nothing then: what it asks for is noted (`later`), and done after the step, by whoever has taken that
or by the manager, whichever comes first. A shutdown refuses further tasks at once.

A thread that takes a step can be struck by an exception of a signal handler, in the middle. There is one way in,
`step`: it leaves the lock free and the pool marked as *dirty*. The truth of a step is written before what is derived
from it, each in one C call: that a call item is in the calls queue (`placed`), that a task is done (`is_ended`), which
workers there are. The manager, which nothing strikes, derives the rest anew before it does anything else (`audit`);
without a manager the timer's thread does.
"""

import threading
from collections import deque
from functools import partial
from time import monotonic
from weakref import WeakMethod

from interp_api import PoolQueue
from interp_pool._core.core import PoolCore
from interp_pool._core.nested_book import NestedBook
from interp_pool._core.states import Instruction, PoolState
from interp_pool._core.task import Task
from interp_pool._errors import broken
from interp_pool._futures.claims import start
from interp_pool._pool.calls import Calls
from interp_pool._pool.outcomes import call_off, fail_broken
from interp_pool._pool.result_stream import ResultReader
from interp_pool._process.exit_status import is_exiting
from interp_pool._process.locks import WaitList, start_thread
from interp_pool._process.open_tasks import open_tasks_of
from interp_pool._process.timer import timer
from interp_pool._wire.messages import POOL_CALLED
from interp_pool._wire.texts import describe
from interp_pool._workers.hosted_worker import make_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.core import Instructions
    from interp_pool._core.ports import OpenMap
    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._pool.pool_trace import PoolTrace
    from interp_pool._pool.routing import Routing
    from interp_pool._workers.handle import Worker

CALL_POOL = (POOL_CALLED, 0, None, 0.0)


class Kernel:
    """The lock of a pool, the core behind it, and the steps that several of its threads take."""

    __slots__ = (
        "__weakref__",
        "_manage",
        "_watch",
        "_watch_if_idle",
        "acting",
        "calls",
        "changed",
        "core",
        "front",
        "ignores_ctrl_c",
        "inbox",
        "is_dealing",
        "is_dirty",
        "is_forgotten",
        "is_held",
        "is_manager_called",
        "lock",
        "manager",
        "nested",
        "options",
        "paused_by",
        "reader",
        "results",
        "room_wanted",
        "routing",
        "settled",
        "staff",
        "tasks",
        "todo",
        "tracer",
        "wishes",
    )

    def __init__(self, options: "PoolOptions") -> None:
        self.options = options
        # What those above do; weak, so that a pool that nobody uses goes at once.
        self._manage: Callable[[], Callable[[], None] | None] | None = None
        self._watch: Callable[[], Callable[[Task], None] | None] | None = None
        self._watch_if_idle: Callable[[], Callable[[], None] | None] | None = None
        self.routing: Routing | None = None  # to the fallback; set once
        self.front: Callable[[], Kernel | None] | None = None  # of the pool whose fallback this is; weak; set once
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        options = self.options
        self.lock = threading.RLock()  # to know its owner; taken once at a time
        self.is_held: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined]  # `is_held_here`, in one call
        calls, results = PoolQueue(), PoolQueue()
        self.results = results
        self.core: PoolCore[Worker, OpenMap] = PoolCore(
            lambda number: make_worker(number, options, calls, results), options.most_workers, options.min_workers
        )
        self.tasks, self.staff = self.core.tasks, self.core.workers  # all three guarded by self.lock
        self.calls = Calls(calls, self.tasks, self.staff)
        self.calls.keeps_payloads = self.routing is not None
        self.changed = WaitList()  # workers came or went, or the state changed
        self.is_dirty = False  # a step was torn; set before the lock is released, and by who may be struck before one
        self.manager: threading.Thread | None = None  # guarded by self.lock
        self.is_manager_called = False  # and will look at everything soon; guarded by self.lock
        self.todo: deque[Callable[[], object]] = deque()  # what the manager owes, in order; it alone takes out
        self.is_dealing = False  # the manager has items that are not settled yet; guarded by self.lock
        self.settled: list[Task] = []  # done; they may end objects of the user's, but not under the lock
        self.acting: Callable[[], object] | None = None  # the one that the manager has taken out of it
        self.is_forgotten = False  # set without the lock, see forget()
        self.ignores_ctrl_c = False  # a worker has said so, as those of a process pool do; set without the lock
        self.wishes: deque[Callable[[], object]] = deque()  # see above
        self.reader = ResultReader(self.results)
        self.inbox = self.reader.inbox  # guarded by self.lock
        self.room_wanted = 0  # threads that wait for room, or the end of one executor's tasks; guarded by self.lock
        self.nested: NestedBook[Worker] = NestedBook()  # guarded by self.lock
        self.tracer: PoolTrace | None = None  # while somebody traces the pool; guarded by self.lock
        self.paused_by = 0  # the thread that forks, while the core pauses; guarded by self.lock

    def connect(
        self, manage: "Callable[[], None]", watch: "Callable[[Task], None]", watch_if_idle: "Callable[[], None]"
    ) -> None:
        """Note what those above do.

        Args:
            manage: runs the manager, in a thread that starts with the first worker.
            watch: has the timer look at a task with limits that was just taken, or sent.
            watch_if_idle: if a worker has nothing to do, looks soon whether a batch of another one should be split.
        """
        self._manage, self._watch = WeakMethod(manage), WeakMethod(watch)
        self._watch_if_idle = WeakMethod(watch_if_idle)

    @property
    def is_managed_here(self) -> bool:
        """Whether this thread settles futures of this pool, of its fallback, or of the pool it is the fallback of."""
        front = self.front() if self.front is not None else None
        managers = (self.manager, front and front.manager, self.routing and self.routing.fallback.manager)
        return threading.current_thread() in managers

    @property
    def is_closed(self) -> bool:
        """Whether the pool was shut down, or broke, and its last worker has ended."""
        return self.core.state is PoolState.CLOSED

    def call_manager(self) -> None:
        """Have the manager look at everything, and whoever stands in for it give way. Never blocks, needs no lock."""
        self.results.put(CALL_POOL)

    def later(self, wish: "Callable[[], object]") -> bool:
        """If this thread is in the middle of a step, note what is to be done after that; return whether it is.

        Needs no lock.
        """
        if not self.is_held():
            return False
        self.wishes.append(wish)
        if self.manager is None:
            timer.call_at(0.0, self.catch_up)
        else:
            self.call_manager()
        return True

    def catch_up(self) -> None:
        """Do what was wished for in the middle of a step. Called without the lock."""
        while self.wishes:
            try:
                wish = self.wishes.popleft()
            except IndexError:
                return  # somebody else has it
            wish()

    def step[R](self, step: "Callable[[], R]") -> R:
        """Take a step with the lock held: the way in for every thread that an exception can strike.

        A step that refuses something returns the error, and raises none. In the middle of another step of this thread
        it only reads, or is a wish (`later`).
        """
        if self.is_held():
            return step()
        if self.is_dirty:  # who was struck may have been struck again before anybody was told
            self._have_audited()
        try:
            with self.lock:
                return step()
        except BaseException:
            # Nothing strikes between the raising and the release.
            self.is_dirty = True
            try:
                self.lock.release()
            except RuntimeError:
                pass  # `with` has done it
            self._have_audited()
            raise

    def _have_audited(self) -> None:
        """Have the books put right by a thread that nothing strikes."""
        manager = self.manager
        if manager is None or manager.ident is None:
            timer.call_at(0.0, self._audit_without_manager)
        else:
            self.call_manager()

    def _audit_without_manager(self) -> None:
        with self.lock:
            if self.is_dirty and (self.manager is None or self.manager.ident is None):
                self.audit()
        self.carry_out_soon()

    def carry_out_soon(self) -> None:
        """Have the manager do what it owes; without one, which is to say without workers, do it here."""
        owed: list[Callable[[], object]] = []
        with self.lock:
            if self.manager is None:
                owed.extend(self.todo)
                self.todo.clear()
            elif self.todo:
                self.wake_manager()
        for action in owed:
            action()

    def check_open(self) -> None:
        """Raise what `submit` would raise now."""
        error = self.step(self.refusal)
        if error is not None:
            raise error

    # Everything below is called with the lock held.

    def refusal(self) -> Exception | None:
        """Return the error for who wants something of a pool that takes no tasks any more, None if it does."""
        if self.core.broken is not None:
            error = broken(f"the pool is broken and takes no tasks: {describe(self.core.broken)}")
            error.__cause__ = self.core.broken if isinstance(self.core.broken, BaseException) else None
            return error
        if is_exiting():
            return RuntimeError("cannot schedule new futures after interpreter shutdown")
        if self.core.state is not PoolState.RUNNING or self.core.refuses:
            return RuntimeError("cannot schedule new futures after shutdown")
        return None

    def watch(self, item: Task) -> None:
        """Have the timer look at a task with limits that was just taken, or sent to the workers."""
        watch = self._watch and self._watch()
        if watch is not None:
            watch(item)

    def audit(self) -> None:
        """Put the books right after steps that were torn. Called by the manager, or the timer without one."""
        self.is_dirty = False  # before the look: a step that is torn later marks it again
        if self.manager is not None and self.manager.ident is None:
            self.manager = None  # its start was struck; if it has started all the same, it ends
        self.is_manager_called = False
        for item in self.core.audit(is_managed=self.manager is not None):
            self.todo.append(partial(call_off, item))
            self.note_stopped(item)
        elsewhere = [] if self.routing is None else self.routing.fallback.list_tasks()
        known = {*self.tasks.in_flight.values(), *self.tasks.backlog, *self.core.open_maps, *elsewhere}
        for open_tasks in open_tasks_of(self):
            open_tasks.keep_only(known)
        self.calls.take_ends_back(0)
        self.changed.wake_all()
        if self.core.refuses and self.core.state is PoolState.RUNNING:
            self.perform(self.core.ask_shutdown())
        if self.core.is_alive:
            self.drop_cancelled()
            self.want_workers()
            self.top_up()
        self.end_if_done()

    def note_batch(self, item: Task, items: int, seconds: float, *, is_fed: bool = False) -> None:
        """Tell the run of a batch that it is done, and what so many of its items took.

        Unless its consumer is about to, have the manager feed it.
        """
        future: Any = item.future  # a BatchFuture
        run: OpenMap = future.run
        run.note_done(future, items, seconds)
        if not is_fed and run.is_open:
            self.todo.append(run.feed)

    def note_rest(self, item: Task, kept: int, seconds: float, *, is_fed: bool = False) -> None:
        """Have the run of a batch send those of its items anew that the worker has given back. Can be done again."""
        if item.is_ended:
            return  # it was stopped, all of it
        item.count = kept
        future: Any = item.future  # a BatchFuture
        run: OpenMap = future.run
        run.note_rest(future, kept, seconds)
        if not is_fed and run.is_open:
            self.todo.append(run.feed)

    def note_stopped(self, item: Task) -> None:
        """Tell the run of a batch that this one is done."""
        if item.count is not None:
            self.note_batch(item, 0, 0.0)

    def top_up(self) -> None:
        """Move work items from the backlog to the calls queue while there is room."""
        self.core.set_window()
        tasks, nesting = self.tasks, self.nested.workers
        if nesting:
            tasks.widen(self.nested.count_buried())
        while tasks.backlog and len(tasks.in_flight) < tasks.window:
            item = tasks.backlog[0]
            if item.placed:
                pass  # an exception struck before it was taken out; it may have run since
            elif start(item.future):
                self.calls.send(item)
                if item.control is not None:
                    self.watch(item)
            else:
                item.end()
                tasks.unsent += 1
            tasks.backlog.popleft()
            if self.changed:
                self.changed.wake_all()
        if self.core.open_maps and len(tasks.in_flight) < self.staff.max_workers:
            watch = self._watch_if_idle and self._watch_if_idle()
            if watch is not None:
                watch()
        if nesting and not tasks.backlog:
            self.nested.ask_for_tasks(self.staff.room - len(tasks.in_flight))

    def want_workers(self) -> Exception | None:
        """Make the workers that there is work for; the manager starts them. Return why it cannot start, if so."""
        if self.tasks.has_cancelled and self.staff.active < self.staff.room:
            self.drop_cancelled()
        if not self.core.add_wanted_workers(monotonic()):
            return None
        if self.manager is None:
            manage = self._manage and self._manage()
            name = f"{self.options.thread_name_prefix}_manager"
            self.manager = manager = threading.Thread(target=manage, name=name)
            try:
                start_thread(manager)
            except (RuntimeError, MemoryError) as exc:
                self.manager = None
                self.staff.release_all()  # none was started
                return exc
        self.wake_manager()
        return None

    def drop_cancelled(self) -> bool:
        """Take what was cancelled out of the backlog; return whether there was any."""
        cancelled = self.tasks.take_cancelled()
        for item in cancelled:
            item.end()
        if cancelled:
            self.changed.wake_all()
            if self.core.state is not PoolState.RUNNING:
                self.wake_manager()  # these may have been the last
        return bool(cancelled)

    def wake_manager(self) -> None:
        """Have the manager look at everything, unless it was told to since it last began to."""
        if self.manager is not None and not self.is_manager_called:
            self.results.put(CALL_POOL)
            self.is_manager_called = True

    def end_if_done(self) -> None:
        """Go on towards the end of a pool that was shut down, if nothing is left to do."""
        instructions = self.core.end_if_done()
        if instructions:
            self.perform(instructions)

    def perform(self, instructions: "Instructions") -> None:
        """Do what the core asks for, in its order."""
        for what, subject in instructions:
            if what is Instruction.FAIL_TASKS:
                self._fail_tasks(subject)
            elif what is Instruction.STOP_WORKERS:
                self.calls.send_ends(self.staff.unsentenced if subject is None else subject)
            elif what is Instruction.RELEASE_WORKERS:
                released = self.staff.release_all()
                self.todo.extend(worker.allow_close for worker in released)
                self.todo.extend(worker.thread.join for worker in released if worker.is_started)
            elif what is Instruction.END_MANAGER:
                pass  # it sees the state
        self.changed.wake_all()

    def _fail_tasks(self, items: list[Task]) -> None:
        assert self.core.broken is not None
        self.calls.discard()
        self.todo.extend(partial(fail_broken, item, self.core.broken) for item in items)
        self.todo.extend(run.drop for run in [*self.core.open_maps])
