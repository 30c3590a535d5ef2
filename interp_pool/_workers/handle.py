"""The outside of one worker: its interpreter and the thread that runs the resident loop in it.

Owns the thread, the board and what is asked of a running worker. It must not know tasks or futures: what it has to tell
it puts into the results queue, like the loop inside.
"""

import sys
import threading
from time import monotonic, monotonic_ns
from weakref import ref

from interp_api import (
    Doorbell,
    ExecutionFailed,
    Interpreter,
    PoolQueue,
    QueueNotFoundError,
    SimpleQueue,
    ring,
)
from interp_pool._core.states import WorkerState
from interp_pool._core.worker_book import ACTIVE
from interp_pool._wire.messages import (
    ASKED,
    AWAITED,
    BEGAN,
    BOARD,
    BURIED,
    BURIED_BEGAN,
    BURIED_COUNT,
    DEEPEST,
    GIVE_BACK,
    HAS_ROUTES,
    IN_PLACE,
    INITIALIZING,
    INTERRUPT,
    KEPT,
    LOGS,
    LOGS_UNREAD,
    MAY_RECYCLE,
    MOST_INTERRUPTS,
    OFFER,
    PLACE,
    PREPARED,
    QUESTIONS,
    RENEW,
    RETIRE,
    STRUCK,
    TASK,
    WANTED,
    WORKER_ENDED,
    WORKER_LEFT,
    WORKER_LOST,
)
from interp_pool._worker.load_lock import shared_load_lock
from interp_pool._workers.interpreters import (
    create_claimed,
    current_surroundings,
    enter,
    obtain,
    program_of,
    release,
)
from interp_pool._workers.reserve import discard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._wire.messages import Place, ResultItem

MOST_STARTS = 3  # interpreters a worker tries to start in; the last one is new
_ENOUGH = 0.04  # seconds in which a task of pure Python stops: so long after it was struck, or of its thread's own time

if sys.platform == "linux":
    from time import clock_gettime, pthread_getcpuclockid

    def _cpu_seconds(ident: int) -> float:
        return clock_gettime(pthread_getcpuclockid(ident))
else:

    def _cpu_seconds(ident: int) -> float:  # noqa: ARG001  # nobody can tell here
        return float("inf")


_HEARD = 2  # in the cell RENEW
_BALLAST = 64 * 1024  # bytes
_RETRY = 0.05  # seconds


class Questions(SimpleQueue):
    """Those that one worker is asked, as long as one of those who ask keeps it."""

    __slots__ = ("__weakref__",)


class Worker:
    """One worker of a pool.

    `state`, `is_started`, `is_dirty`, `is_stale`, `has_failed`, `told_at`, `left_at`, `asked_for_rest_of` and
    `given_up` belong to the pool; the rest is set once. What the board tells may be outdated when it is read.

    What the thread has to tell at its end is made before it starts, with a ballast that is dropped for it: it may end
    for want of memory.
    """

    def __init__(self, number: int, options: "PoolOptions", calls: PoolQueue, results: PoolQueue) -> None:
        self.number = number
        self.state = WorkerState.STARTING
        self.is_started = False
        self.has_failed = False  # to start
        self.is_dirty = False  # its interpreter is not to be used again
        self.is_stale = False  # what its interpreter has loaded is not to be used again
        self.told_at: float | None = None  # when its initializer was told to stop, on the monotonic clock
        self.left_at = 0.0  # when it was in state LEFT
        self.asked_for_rest_of = 0  # work id of a batch
        self._interrupts = 0  # that were asked for
        self.is_asked_for_tasks = False  # of its task, and has not answered
        self.given_up: str | None = None  # the name of its task, that nobody waits for any more
        self._last_seen: int | None = None  # in its place for a task
        self._board = bytearray(8 * len(BOARD))
        self._cells = memoryview(self._board).cast("q")
        self._cells[LOGS_UNREAD] = options.unread == "log"
        self._cells[HAS_ROUTES] = options.fallback is not None
        self._bell: Doorbell | None = None  # of the control thread; see `_worker.control_thread`
        self._questions: ref[Questions] | None = None  # guarded by the pool's lock
        self._options = options
        self._calls, self._results = calls, results
        self._path = list(sys.path)
        self._surroundings = current_surroundings(options.watches_now())
        self._may_close = threading.Event()
        self._ballast: bytearray | None = bytearray(_BALLAST)
        self._lost, self._left, self._ended = (
            (kind, number, None, 0.0) for kind in (WORKER_LOST, WORKER_LEFT, WORKER_ENDED)
        )
        self.thread = threading.Thread(target=self._main, name=f"{options.thread_name_prefix}_{number}")

    def start(self) -> None:
        """Start the thread; the messages that follow end with WORKER_LEFT, and after `allow_close` WORKER_ENDED."""
        self.thread.start()
        self.is_started = True

    @property
    def task(self) -> int:
        """The work id of the task that runs, 0 if there is none."""
        work_id = self._cells[TASK]
        return work_id if 0 < work_id < INITIALIZING else 0

    @property
    def is_initializing(self) -> bool:
        """Whether it runs the initializer."""
        return self._cells[TASK] == INITIALIZING

    @property
    def seconds_running(self) -> float | None:
        """How long ago the last timed task began; None if it is still being unpickled."""
        began = self._cells[BEGAN]
        return (monotonic_ns() - began) / 1e9 if began else None

    def seconds_buried(self, work_id: int) -> float | None:
        """How long ago a timed task began that is buried here; None if it is not any more."""
        buried = self.buried
        if work_id not in buried:
            return None
        return (monotonic_ns() - self._cells[BURIED_BEGAN + buried.index(work_id)]) / 1e9

    @property
    def may_leave(self) -> bool:
        """Whether it may end at a limit although threads that tasks have left keep its interpreter open."""
        return bool(self._cells[MAY_RECYCLE])

    @may_leave.setter
    def may_leave(self, allowed: bool) -> None:
        self._cells[MAY_RECYCLE] = allowed

    @property
    def cpu_seconds(self) -> float:
        """How much of a processor's time its thread, which must run, has had; infinite where nobody can tell."""
        assert self.thread.ident is not None
        return _cpu_seconds(self.thread.ident)

    def has_ignored(self, asked_at: float, cpu_seconds: float, grace: float) -> bool:
        """Return whether its task has not stopped although it had the time to: on a busy machine it may not have had.

        Args:
            asked_at: when it was told to, on the monotonic clock.
            cpu_seconds: of its thread, then.
            grace: seconds that it has from the moment on when it was struck.
        """
        struck_at = self._cells[STRUCK] / 1e9
        if struck_at >= asked_at:
            return monotonic() - struck_at >= grace
        return not self.cpu_seconds - cpu_seconds < _ENOUGH  # inf - inf is nan

    def look_whether_idle(self) -> bool:
        """Return whether it has had no task since the last such look, if there was one."""
        seen, self._last_seen = self._last_seen, self._cells[TASK]
        return seen is not None and seen <= 0 and seen == self._last_seen

    @property
    def is_quiet(self) -> bool:
        """Whether it runs no task and was not told to end."""
        return not self.task and self._cells[RETIRE] != 1 - self._cells[TASK] and not self._cells[RENEW]

    @property
    def last_task(self) -> int:
        """The work id of the last task it had, 0 if it had none."""
        work_id = abs(self._cells[TASK])
        return work_id if work_id < INITIALIZING else 0

    # What it tells of tasks that submit tasks.

    @property
    def buried(self) -> list[int]:
        """The work ids of the tasks that wait while another one runs on top of them, the lowest first."""
        return self._cells[BURIED : BURIED + self._cells[BURIED_COUNT]].tolist()

    @property
    def buried_count(self) -> int:
        """How many these are."""
        return self._cells[BURIED_COUNT]

    @property
    def in_place(self) -> int:
        """How many tasks of its tasks it has run itself, without the pool."""
        return self._cells[IN_PLACE]

    @property
    def deepest(self) -> int:
        """Most tasks that have waited on top of each other."""
        return self._cells[DEEPEST]

    @property
    def awaited(self) -> int:
        """The number of the child that its task waits for, -1 for one of several, 0 if it does not."""
        return self._cells[AWAITED]

    @property
    def asked(self) -> int:
        """How many times its tasks were told that a child of theirs is not done, so far."""
        return self._cells[ASKED]

    @property
    def place(self) -> int:
        """Where its thread sleeps in any queue, plus one; 0 if it never has, as a task that waits."""
        return self._cells[PLACE]

    def tell_wanted(self, count: int) -> None:
        """Say how many children of its tasks the pool is to have. Never blocks."""
        self._cells[WANTED] = count + 1

    def forget_wanted(self) -> None:
        """Have it send the next child, whatever it was told. Never blocks."""
        self._cells[WANTED] = 0

    @property
    def keeps_tasks(self) -> bool:
        """Whether it has children that it has not sent."""
        return bool(self._cells[KEPT])

    def ask_for_tasks(self, *, is_sure: bool = False) -> None:
        """Have it send children that it keeps, if it shows that, or it is sure. Called with the pool's lock held."""
        if (is_sure or self._cells[KEPT]) and not self.is_asked_for_tasks:
            self.is_asked_for_tasks = True
            self._ask(OFFER, self._cells[OFFER] + 1)

    def retire(self) -> None:
        """Have it end, unless it has had a task since that look. All that wait for call items are to be rung then."""
        assert self._last_seen is not None
        self._cells[RETIRE] = 1 - self._last_seen

    def renew(self) -> None:
        """Have it end before it looks for its next task. All that wait for call items are to be rung then."""
        self.is_stale = True
        self._cells[RENEW] = 1

    @property
    def may_take_another(self) -> bool:
        """Whether one that was told so may still take a call item that is put now: it was looking for one by then."""
        cells = self._cells
        return self.state in ACTIVE and bool(cells[PREPARED]) and cells[TASK] <= 0 and cells[RENEW] != _HEARD

    def interrupt(self, work_id: int) -> None:
        """Have a task stopped, if it still runs. Never blocks."""
        if work_id not in self._cells[INTERRUPT : INTERRUPT + MOST_INTERRUPTS].tolist():
            self._interrupts += 1
            self._ask(INTERRUPT + self._interrupts % MOST_INTERRUPTS, work_id)

    def give_back(self, work_id: int) -> None:
        """Have the batch of a map give back what it has not begun, if it still runs. Never blocks."""
        self.asked_for_rest_of = work_id
        self._ask(GIVE_BACK, work_id)

    def ask_where(self, work_id: int, reply: SimpleQueue) -> "Questions":
        """Have the place where a task is put into a queue, None if it does not run. Never blocks.

        Returns:
            What whoever asks keeps until the answer is there, or nobody waits for it.
        """
        questions = None if self._questions is None else self._questions()
        if questions is None:
            questions = Questions()
            self._questions = ref(questions)
        questions.put((work_id, reply.id))
        self._ask(QUESTIONS, questions.id)
        return questions

    def tell_levels(self, queue_id: int) -> None:
        """Have its loggers follow the program's, as the next item of a queue says, or of a later one. Never blocks.

        Called with the pool's lock held.
        """
        self._ask(LOGS, queue_id)

    def where_now(self) -> "tuple[str, list[Place]] | None":
        """Return what is known of its task's place without asking: nothing."""
        return None

    def _ask(self, cell: int, request: int) -> None:
        """Write a request on the board, then ring (R1, R2). Called with the pool's lock held."""
        self._cells[cell] = request
        bell = self._bell
        if bell is not None:
            ring(bell.address)

    def loss(self, body: "tuple[int | None, Any] | None") -> "tuple[int | None, Any]":
        """Return the task that a worker was lost with, and how, from its message or, if it has none, from the board."""
        if body is not None:
            return body
        return self.last_task or None, "the worker ended and had no memory to say why"

    def allow_close(self) -> None:
        """Allow the thread to close the interpreter: everything it has sent is settled."""
        self._may_close.set()

    def _main(self) -> None:
        interpreter: Interpreter | None = None
        try:
            self._bell = Doorbell()
            for attempts_left in reversed(range(MOST_STARTS)):
                interpreter = obtain(self._options) if attempts_left else create_claimed()
                try:
                    self._serve(interpreter)
                    break
                except ExecutionFailed:
                    # Not the program's code: a task of an earlier executor has spoilt the interpreter.
                    if self._cells[PREPARED] or not attempts_left:
                        raise
                    discard(interpreter)
        except BaseException as exc:
            self._tell_loss(self.last_task or None, exc)
        # What the worker has sent is lost when its interpreter is closed before it was taken, and large results point
        # into its memory.
        self._tell(self._left)
        self._may_close.wait()
        try:
            if interpreter is not None:
                is_stale = self.is_stale and self._options.keeps_modules
                release(interpreter, self._options, is_dirty=self.is_dirty or is_stale)
        except BaseException as exc:
            self._tell_loss(None, exc)
        finally:
            self._bell = None  # the control thread has ended, or was never there
            self._tell(self._ended)

    def _tell_loss(self, work_id: int | None, exc: BaseException) -> None:
        try:
            self._results.put((WORKER_LOST, self.number, (work_id, f"{type(exc).__name__}: {exc}"), 0.0))
        except BaseException:
            self._ballast = None
            self._tell(self._lost)

    def _tell(self, message: "ResultItem") -> None:
        """Put what was made before. The pool waits for it, so it is tried until there is memory, or nobody reads."""
        while True:
            try:
                self._results.put(message)
            except QueueNotFoundError:
                return
            except BaseException:
                self._ballast = None
            else:
                return
            # Nobody can wake this thread when there is memory again.
            if self._may_close.wait(_RETRY) and message is not self._ended:
                return

    def _serve(self, interpreter: Interpreter) -> None:
        options, board = self._options, memoryview(self._board)
        limits = options.max_tasks_per_child or 0, options.max_leftover_threads
        name = self.number, self.thread.name, options.is_named
        setup = (*name, options.initializer_call, self._surroundings, *limits, board, program_of(options))
        bell = self._bell
        assert bell is not None
        ids = self._results.id, self._calls.id, (bell.reader, bell.address), shared_load_lock().id
        enter(interpreter, self._path, "serve", setup, *ids)
