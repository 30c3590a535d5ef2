"""What was swapped, and where its tasks ran: kept while a program runs, told at its end.

Owns the counts. An executor that the program has forgotten still does its tasks and then ends, as if nobody counted.
`tasks_of` alone knows where an executor says what ran where.
"""

import threading
import weakref
from dataclasses import dataclass

# When it is imported at exit, where somebody asks first, CPython 3.13 forgets that Ctrl-C was pressed: a dataclass is
# made by `exec`, and that clears the runtime's note.
from interp_pool._core.statistics import Statistics  # noqa: TC001

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._executor.executor import InterpreterPoolExecutor

EXECUTOR, POOL = "executor", "pool"


@dataclass(frozen=True, slots=True)
class Tasks:
    """How many tasks ran where, and why not all in interpreters."""

    interpreters: int = 0
    processes: int = 0
    threads: int = 0
    reasons: tuple[str, ...] = ()

    def __add__(self, other: "Tasks") -> "Tasks":
        new = tuple(reason for reason in other.reasons if reason not in self.reasons)
        return Tasks(
            self.interpreters + other.interpreters,
            self.processes + other.processes,
            self.threads + other.threads,
            self.reasons + new,
        )


@dataclass(frozen=True, slots=True)
class Swapped:
    """What was swapped so far."""

    executors: int
    """ProcessPoolExecutors in whose place there was one of ours."""
    pools: int
    """Pools of multiprocessing likewise."""
    first: str | None
    """Where the first of them was made: file and line."""
    left: tuple[str, ...]
    """Which ones were left as they are, and why."""
    tasks: Tasks
    """Theirs. A batch of a map counts as one."""


def tasks_of(executor: "InterpreterPoolExecutor") -> Tasks:
    """Return how many tasks of an executor have ended, by where they ran."""
    counts: Statistics = executor.statistics()
    processes, threads = counts.tasks_in_processes, counts.tasks_in_threads
    return Tasks(counts.tasks_ended - processes - threads, processes, threads, counts.fallback_reasons)


def _has_ended(executor: "Any") -> bool:
    if not executor._shutdown:
        return False
    counts = executor.statistics()
    tasks: int = counts.tasks_waiting + counts.tasks_sent + counts.tasks_running
    return not tasks


class Ledger:
    """Counts of all that was swapped. Thread safety: all methods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of what follows
        self._made = {EXECUTOR: 0, POOL: 0}
        self._first: str | None = None
        self._left: dict[str, None] = {}
        self._open: list[InterpreterPoolExecutor] = []
        self._past = Tasks()

    def note(self, kind: str, place: str, face: object, executor: "InterpreterPoolExecutor") -> None:
        """Count an executor that was put in the place of another.

        Args:
            kind: EXECUTOR or POOL.
            place: the file and line that made it.
            face: what the program has; when that is gone, the executor does what it has, and ends.
            executor: does its tasks.
        """
        weakref.finalize(face, _end, executor).atexit = False
        with self._lock:
            self._made[kind] += 1
            self._first = self._first or place
            self._put_away()
            self._open.append(executor)

    def _put_away(self) -> None:
        """Keep of executors that have ended what they have done."""
        still_open: list[InterpreterPoolExecutor] = []
        for executor in self._open:
            if _has_ended(executor):
                self._past += tasks_of(executor)
            else:
                still_open.append(executor)
        self._open = still_open

    def note_left(self, reason: str) -> None:
        """Note that something was not swapped."""
        with self._lock:
            self._left[reason] = None

    def swapped(self) -> Swapped:
        """Return what was swapped so far."""
        with self._lock:
            tasks = sum(map(tasks_of, self._open), self._past)
            return Swapped(self._made[EXECUTOR], self._made[POOL], self._first, tuple(self._left), tasks)


def _end(executor: "InterpreterPoolExecutor") -> None:
    end: Callable[..., None] = executor.shutdown
    end(wait=False)
