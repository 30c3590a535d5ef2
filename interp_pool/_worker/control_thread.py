"""The control thread of a worker: stops the task, or tells where it is; runs INSIDE a worker interpreter.

From outside, nothing can be run in an interpreter that is busy, and only its own threads can have an exception raised
in its task (`PyThreadState_SetAsyncExc`). So each worker has this thread from its start, asleep on a bell of its own;
starting it takes 40 us, and it costs a task nothing.

What is wanted of it stands on the board, which is memory of the pool's. Whoever wants something does, holding the
pool's lock, R1 and R2; this thread does S1 to S3 for ever:

    R1  write a request into its cell          S1  look at every cell; carry out what is new there
    R2  ring the bell                          S2  there was something: go to S1
                                               S3  wait for a ring, then go to S1

No request is lost. A ring is kept until a wait has taken it, and a wait takes all that are there. So there is a wait
that takes the ring of R2, and S1 comes after it: the write of R1 is seen there, for the kernel's lock around the bell
orders what was written before the ring ahead of what is read after the wait, on x86 and ARM alike. A request that comes
while another one is carried out, or before this thread waits for the first time, rings ahead: S3 returns at once. If it
was seen at an S1 before that, the ring is for nothing, which does no harm. The pool makes the bell, before this thread
can start, and keeps it open until it has ended, so nobody rings a descriptor that is somebody else's by then. A request
that is written before there is a bell is seen at the first S1.

No request takes another one's place. GIVE_BACK holds the work id of a batch that was on the board when it was written:
one that comes later means a later task, so the earlier one has ended, and there is nothing to do any more. Tasks to
stop may all be in one stack, and each has a cell of its own, taken in turn: there are as many cells as tasks can be in
a stack. The same number again is no new request: what this thread has carried out it remembers. QUESTIONS holds the id
of a queue, which takes any number of questions, and exists while one of those who ask waits; so another one's id stands
there only when nobody waits for an answer from the queue before. Each question is put before its ring, and S2 goes on
while there are some.

An interrupt must never hit the worker's own code in a way that loses a result, and never the next task. The exception
can be raised wherever the interpreter looks for pending events: at a call, a backward jump, or when a function begins.
The task's thread does, for each task:

    L1  put its work id on the board: from here on it can be struck
    L2  run it and pickle the outcome
    L3  make that negative
    L4  struck is set: wait for the lock, clear the exception if it is still to come, struck = 0

and the control thread, holding the lock:

    C1  struck = the work id
    C2  that work id is on the board: have TaskInterrupted raised in its thread

A task that waits for tasks of its own (`_nested.nest`) is not struck by an exception: what the worker does meanwhile,
for others too, could not be undone. It says so, sets `pausing`, and the control thread leaves a note instead:

    U1  the task's thread sets pausing
    U2  struck is set: wait for the lock, then let an exception come up that is still to come; it is a note from now on
    C2  pausing is set: add the work id to owed, and wake the thread, by calling what pausing is
    V1  the task's thread unsets pausing
    V2  the work id of the task on the board is in owed: raise TaskInterrupted

C2 sees what U1 has set, and raises nothing; or U2 sees what C1 has set before, and waits for C2. So nothing strikes
between U2 and V1. The note of a task that is buried by another one, which runs on top of it, is left at C2 as well, and
found at V2 when that has ended.

An exception that comes up in a finalizer or a callback of the garbage collector is not raised in the task: the runtime
reports it to `sys.unraisablehook`. There this module asks for another one, with a list in place of a cell (R1, R2).

Either C2 comes before L3, then L4 sees struck; or it comes after L3 and does nothing. At L4 the lock keeps the task's
thread from going on while the other is between C2 and its end. An exception that is raised between L3 and the end of L4
is caught there, with an outcome at hand. One raised at L2 leads to L3 by an `except` whose first step is L3: there is
no place between where another one could be raised, or where the control thread could run. So L3 happens once, at most
one exception comes after it, and the outcome is put when nothing can strike any more. Tests force each of these orders.
"""

import _thread
import sys
from time import monotonic_ns

from interp_api import QueueError, QueueNotFoundError, SimpleQueue, ring, wait_at
from interp_pool._wire.interrupted import TaskInterrupted
from interp_pool._wire.messages import (
    BURIED,
    BURIED_COUNT,
    GIVE_BACK,
    INTERRUPT,
    LOGS,
    MOST_INTERRUPTS,
    OFFER,
    QUESTIONS,
    STRUCK,
    TASK,
)
from interp_pool._worker.batch import HASTE, Batch
from interp_pool._worker.load_lock import load_functions
from interp_pool._worker.struck_import import forget_halves, release_import_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from interp_pool._wire.messages import Inner

    class Nest(Protocol):
        """What a worker has for tasks that submit tasks, see `_nested.nest`."""

        def offer(self) -> None:
            """Send tasks of tasks to the pool, which wants some. Called by the control thread."""

        def end_task(self, work_id: int, outcome: "Any") -> bool:
            """A task has ended, and nothing strikes any more; return whether the worker is lost."""
            ...

        def close(self) -> None:
            """The worker ends."""


_STACK = 1 << 20  # bytes, not 8 MiB: where memory is short, a start that fails ends the process later (CPython 3.13.0)

_count_threads = _thread._count  # pyright: ignore[reportPrivateUsage]  # no other way to count them all


class Control:
    """What the thread of the tasks and the control thread of one worker share."""

    __slots__ = (
        "_address",
        "_begun",
        "_board",
        "_hook",
        "_is_ending",
        "_load_lock",
        "_lock",
        "_reader",
        "_swallowed",
        "_thread",
        "_thread_id",
        "batch",
        "has_struck",
        "nest",
        "owed",
        "pausing",
        "struck",
        "traced",
    )

    def __init__(self, bell: tuple[int, int], load_lock: SimpleQueue, board: "Any") -> None:
        """Start the control thread of the worker whose tasks run in this thread.

        Args:
            bell: the reader and the address of the one that it sleeps on.
            load_lock: has one item, for whoever loads `_process.thread_state`.
            board: where this thread puts the work id of its task, and the pool what it wants.
        """
        self._reader, self._address = bell
        self._board = board
        self.struck = 0
        """The work id of a task that was perhaps struck, until that is cleared up."""
        self.has_struck = False
        """Whether any was."""
        self.batch: Batch | None = None
        """The one that runs."""
        self.nest: Nest | None = None
        self.traced: list[Inner] | None = None  # of a task that is traced: what it has run in place
        """Once a task has asked for its pool."""
        self.pausing: Callable[[], object] | None = None
        """Wakes the thread of the tasks, while that cannot be struck."""
        self.owed: set[int] = set()
        """The work ids of tasks that are to be interrupted once they go on."""
        self._lock = _thread.RLock()  # so that `clear_up` can tell whether it still has it
        self._load_lock = load_lock
        self._swallowed: list[int] = []  # work ids of tasks that were struck where nothing can be raised
        self._is_ending = False
        self._hook: Any = None  # the one before this object's, once that is in its place
        self._thread_id = _thread.get_ident()
        self._begun = _thread.allocate_lock()  # held until the control thread runs, which counts it
        self._begun.acquire()
        self._thread = _start_thread(self._serve)

    def end(self) -> None:
        """End the control thread. Blocks until that has happened."""
        self._is_ending = True
        ring(self._address)
        self._thread.join()
        if self._hook is not None and sys.unraisablehook == self._note_unraisable:
            sys.unraisablehook = self._hook

    @property
    def leftover_threads(self) -> int:
        """How many threads tasks have left. Blocks until the control thread runs: until then, is it counted?"""
        if self._begun.locked():
            self._begun.acquire()
            self._begun.release()
        return _count_threads() - 1

    def clear_up(self) -> None:
        """Make sure that nothing strikes any more: L4, with its own interruptions. After L3 only."""
        try:
            from interp_pool._process.thread_state import raise_in_thread

            with self._lock:
                raise_in_thread(self._thread_id, None)
        except TaskInterrupted:
            try:
                self._lock.release()
            except RuntimeError:
                pass  # it was released
        release_import_lock()
        forget_halves()
        if (carried := sys.modules.get("interp_pool._worker.carried")) is not None:
            carried.put_back()
        self.struck = 0

    @property
    def thread_id(self) -> int:
        """The thread of the tasks."""
        return self._thread_id

    def pause(self, wake: "Callable[[], object]") -> None:
        """Let nothing strike from now on, until `pausing` is unset (U1, U2).

        Raises:
            TaskInterrupted: the task was struck just now. Then it may be set or not.
        """
        self.pausing = wake  # U1
        if not self.struck:  # U2
            return
        try:
            with self._lock:
                pass  # C2 has ended
            _come_up()
        except TaskInterrupted:
            try:
                self._lock.release()
            except RuntimeError:
                pass  # it was released
            self.owed.add(self._board[TASK])

    def deliver(self) -> None:
        """Interrupt the task here, if that is owed (V2)."""
        work_id = self._board[TASK]
        if work_id in self.owed:
            self.owed.discard(work_id)
            self.has_struck = True
            raise TaskInterrupted

    def _serve(self) -> None:
        self._begun.release()
        last = [0] * len(_ACTIONS)
        while True:
            is_ending = self._is_ending  # before the look: what was wanted before the end is carried out
            if not self._carry_out(last):  # S1, S2
                if is_ending:
                    return
                wait_at(self._reader)  # S3

    def _carry_out(self, last: list[int]) -> bool:
        """Do all that is wanted; return whether there was anything.

        Args:
            last: what was in the cells of the requests, which this changes.
        """
        has_found = False
        now: list[int] = [*self._board[INTERRUPT:], *map(self._board.__getitem__, _CELLS)]
        for place, wanted in enumerate(now):
            if wanted != last[place]:
                last[place] = wanted
                has_found = self._do(_ACTIONS[place], self, wanted)
        while self._swallowed:
            has_found = self._do(self.interrupt, self._swallowed.pop())
        question = self._next_question()
        if question is not None:  # one at a time: nobody waits behind all of them to be stopped
            has_found = self._do(self._tell_where, *question)
        return has_found

    def _next_question(self) -> "Any":
        id = self._board[QUESTIONS]
        if not id:
            return None
        try:
            return SimpleQueue(id).get_nowait()
        except QueueError:
            return None  # it is empty, or nobody waits for an answer any more

    def _do(self, action: "Callable[..., None]", *args: object) -> bool:
        interval = sys.getswitchinterval()
        is_hasty = interval > HASTE  # otherwise it is set by a batch, which may end before this
        if is_hasty:
            sys.setswitchinterval(HASTE)  # of this interpreter alone
        try:
            action(*args)
        except Exception as exc:  # the next one may be possible
            sys.excepthook(type(exc), exc, exc.__traceback__)
        finally:
            if is_hasty:
                sys.setswitchinterval(interval)
        return True

    def interrupt(self, work_id: int) -> None:
        """Strike the task, if it still runs (C1, C2). Called by the control thread."""
        if self._board[TASK] != work_id:
            buried = self._board[BURIED_COUNT]
            if work_id in [*self._board[BURIED : BURIED + buried]]:
                self.owed.add(work_id)
                self._board[STRUCK] = monotonic_ns()
            return
        load_functions(self._load_lock)
        from interp_pool._process.thread_state import raise_in_thread

        if self._hook is None:
            self._hook, sys.unraisablehook = sys.unraisablehook, self._note_unraisable
        with self._lock:
            self.struck = work_id  # C1
            if self._board[TASK] == work_id:  # C2
                self.has_struck = True
                wake = self.pausing
                if wake is None:
                    raise_in_thread(self._thread_id, TaskInterrupted)
                else:
                    self.owed.add(work_id)
                    wake()
                self._board[STRUCK] = monotonic_ns()

    def _give_back(self, work_id: int) -> None:
        """Have a batch, if it still runs, give back what it has not begun. Called by the control thread."""
        batch = self.batch
        if batch is not None:
            batch.give_back(work_id)

    def _offer(self, _wanted: int) -> None:
        """Have tasks of the task that runs sent to the pool. Called by the control thread."""
        if self.nest is not None:
            self.nest.offer()

    def _follow_levels(self, queue_id: int) -> None:
        """Have the loggers follow the program's. Called by the control thread."""
        from interp_pool._worker.logs import follow

        follow(queue_id)

    def _note_unraisable(self, unraisable: "Any") -> None:
        """The worker's `sys.unraisablehook`: an interrupt that was raised where nothing can be must be raised again."""
        if unraisable.exc_type is not TaskInterrupted:
            self._hook(unraisable)
            return
        while self._board[TASK] > 0:
            try:
                with self._lock:  # which C1 waits for: until this has returned, most of the time
                    self._swallowed.append(self._board[TASK])
                    ring(self._address)
                return
            except TaskInterrupted:
                pass  # it was raised here, and nobody else would hear of it

    def _tell_where(self, work_id: int, reply_id: int) -> None:
        load_functions(self._load_lock)
        from interp_pool._process.thread_state import frame_of, oldest_thread
        from interp_pool._wire.answer import put_answer

        frame = frame_of(oldest_thread())
        places: list[tuple[str, int, str]] = []
        while frame is not None:
            places.append((frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name))
            frame = frame.f_back
        is_there = self._board[TASK] == work_id
        try:
            put_answer(SimpleQueue(reply_id), tuple(reversed(places)) if is_there else None)
        except QueueNotFoundError:
            pass  # who asked has not waited


_CELLS = GIVE_BACK, OFFER, LOGS
_ACTIONS: "list[Callable[[Control, int], None]]" = [
    *[Control.interrupt] * MOST_INTERRUPTS,
    Control._give_back,  # pyright: ignore[reportPrivateUsage]  # this module's
    Control._offer,  # pyright: ignore[reportPrivateUsage]  # likewise
    Control._follow_levels,  # pyright: ignore[reportPrivateUsage]  # likewise
]
"""What is done for a number that stands in a cell, a work id most of the time, once for each."""


def _come_up() -> None:
    """Begin a function: there an exception comes up that was raised from outside."""


def _start_thread(function: "Any") -> "Any":
    """Start a thread that a Python-level `threading` does not list; importing that would cost a quarter of a MiB."""
    start: Any = _thread.start_joinable_thread
    usual = _thread.stack_size(_STACK)  # this interpreter's own setting, and no other thread of it runs yet
    try:
        return start(function, daemon=False)
    finally:
        _thread.stack_size(usual)
