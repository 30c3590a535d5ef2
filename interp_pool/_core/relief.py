"""Which tasks wait so that their worker runs nothing meanwhile, and how many workers more there are in their place.

Owns what is told apart from one look at the workers to the next. It must not know queues, futures, threads or clocks.

A task *rests* if its thread has had next to nothing of a processor since the last look, or has done little but ask
whether its children are done, and runs no other task, as one does that waits for a future of its children in its own
thread. It *stalls* if it rests and a child of it waits to be begun. Whether it waits for its children, the network or
a time is not to be seen from outside, and need not be: its place in the pool is not used either way. So another worker
is *relief* for it, as long as it rests: `max_workers` limits how many tasks run, and there are never more workers than
that beside those that are relieved. A task that computes is never relieved.

Once one stalls, all parents that rest are relieved: the child that one of them waits for may be the one that stalls.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Protocol

    class Watched(Protocol):
        """A worker, seen from outside."""

        @property
        def number(self) -> int:
            """Which one it is."""
            ...

        @property
        def task(self) -> int:
            """The number of the task that runs, 0 if there is none."""
            ...

        @property
        def awaited(self) -> int:
            """The child that its task waits for while it runs others, 0 if it does not."""
            ...

        @property
        def asked(self) -> int:
            """How many times its tasks were told that a child is not done, so far."""
            ...

        @property
        def cpu_seconds(self) -> float:
            """How much of a processor's time its thread has had; infinite where nobody can tell."""
            ...


MOST = 64  # workers more than `max_workers`; each is an interpreter, of some MB
RESTING = 0.1  # of a processor: who sleeps some ms between two looks at something has less
MANY = 10  # times that a task has asked whether a child is done: it cannot go on, it seems, and asks until it is


class _Seen:
    """What was seen of a worker at the last look."""

    __slots__ = ("asked", "asked_at_first", "had", "task", "when")

    def __init__(self, worker: "Watched", had: float, when: float, before: "_Seen | None") -> None:
        self.task, self.had, self.when, self.asked = worker.task, had, when, worker.asked
        self.asked_at_first: int = self.asked
        if before is not None and before.task == self.task:
            self.asked_at_first = before.asked_at_first

    def rests_since(self, before: "_Seen | None") -> bool:
        """Return whether the task has rested since the last look."""
        if before is None or before.task != self.task or not self.when > before.when:
            return False
        is_asking = self.asked != before.asked and self.asked - self.asked_at_first >= MANY
        return is_asking or self.had - before.had < RESTING * (self.when - before.when)


class Relief:
    """What was seen of the workers of one pool. Not thread-safe: guarded by the pool's lock."""

    __slots__ = ("_seen", "tasks")

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}  # by worker
        self.tasks: tuple[int, ...] = ()
        """The numbers of those that are relieved."""

    def find_resting[W: "Watched"](self, workers: "Iterable[W]", now: float, of_process: float) -> "dict[int, W]":
        """Return the workers, by their tasks, whose tasks run no other and have rested since the last look.

        Args:
            workers: those whose tasks may have children.
            now: on a clock, in seconds.
            of_process: the processor's time that the whole process has had, for where that of a thread is not known.
        """
        seen: dict[int, _Seen] = {}
        resting: dict[int, W] = {}
        for worker in workers:
            if not worker.task or worker.awaited:
                continue
            had, before = worker.cpu_seconds, self._seen.get(worker.number)
            if had == float("inf"):
                had = of_process
            seen[worker.number] = found = _Seen(worker, had, now, before)
            if found.task and found.rests_since(before):
                resting[found.task] = worker
        self._seen = seen
        return resting

    def choose(self, resting: "Collection[int]", parents: "Collection[int]", *, is_needed: bool) -> int:
        """Decide which tasks are relieved until the next look; return how many workers more that is.

        Who was relieved stays so as long as it rests: its next children may come soon.

        Args:
            resting: the tasks that were found.
            parents: those of them that have children.
            is_needed: whether one of these stalls, and no worker is free to begin its children.
        """
        kept = [task for task in self.tasks if task in resting]
        if is_needed:
            kept += [task for task in parents if task not in kept]
        self.tasks = tuple(kept[:MOST])
        return len(self.tasks)

    def is_out_of_help(self, stalled: "Collection[int]", *, goes_on: bool, is_short: bool) -> bool:
        """Return whether tasks that no free worker helps stall until something outside of the pool ends their wait.

        Args:
            stalled: those that do.
            goes_on: whether a worker runs a task that neither rests nor waits for others.
            is_short: whether workers cannot be started.
        """
        return bool(stalled) and not goes_on and (is_short or not set(stalled) <= set(self.tasks))

    def forget(self) -> None:
        """Begin anew: there are no tasks any more."""
        self._seen.clear()
        self.tasks = ()
