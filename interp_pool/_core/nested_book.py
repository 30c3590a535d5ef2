"""Which tasks were submitted by tasks, and which workers run such.

Owns the books of children and of the workers whose tasks have some. It must not know queues, futures, threads or
clocks. What a worker tells of its stack may be outdated when it is read.
"""

from interp_pool._core.relief import Relief
from interp_pool._core.task import TaskState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, Protocol

    from interp_pool._core.relief import Watched
    from interp_pool._core.task import Task

    class NestingWorker(Watched, Protocol):
        """A worker, seen from outside."""

        is_asked_for_tasks: bool
        """Whether it was, and has not answered."""

        @property
        def keeps_tasks(self) -> bool:
            """Whether it has children that it has not sent."""
            ...

        @property
        def buried(self) -> list[int]:
            """The numbers of the tasks that wait in it while another one runs on top."""
            ...

        @property
        def buried_count(self) -> int:
            """How many these are."""
            ...

        def seconds_buried(self, work_id: int) -> float | None:
            """How long ago a timed one of these began; None if it is none of them any more."""
            ...

        @property
        def in_place(self) -> int:
            """How many children it has run by itself."""
            ...

        @property
        def deepest(self) -> int:
            """Most tasks that have waited on top of each other."""
            ...

        def tell_wanted(self, count: int) -> None:
            """Say how many children the pool is to have."""

        def forget_wanted(self) -> None:
            """Have it send the next child, whatever it was told."""

        def ask_for_tasks(self, *, is_sure: bool = False) -> None:
            """Have it send some that it keeps, if it shows that it does, or that is sure."""


_UNBEGUN = (TaskState.WAITING, TaskState.SENT, TaskState.STOPPING)  # unless a worker has it


class NestedBook[W: "NestingWorker"]:
    """The children of a pool's tasks. Not thread-safe: guarded by the pool's lock."""

    __slots__ = ("_deepest", "_in_place", "children", "relief", "returned", "submitted", "workers")

    def __init__(self) -> None:
        self.children: dict[tuple[int, int], Task] = {}
        """That have not ended, by the worker whose task submitted it, and that worker's number for it."""
        self.workers: dict[int, W] = {}
        """Those that have sent some, by their numbers."""
        self.relief = Relief()
        """Of those whose tasks stall."""
        self.returned: set[int] = set()
        """The numbers of workers to which children were given back: nobody may have looked at the reply."""
        self.submitted = 0
        """How many tasks have been submitted by tasks, so far."""
        self._in_place, self._deepest = 0, 0  # of workers that have ended

    def note_worker(self, worker: W) -> None:
        """Note that a worker has sent children, or has said that it has none to give."""
        self.workers[worker.number] = worker
        self.returned.discard(worker.number)
        worker.is_asked_for_tasks = False

    def note_end(self, worker: W) -> None:
        """Forget a worker that has ended. Doing so again does no harm."""
        self.returned.discard(worker.number)
        if self.workers.pop(worker.number, None) is not None:
            self._in_place += worker.in_place
            self._deepest = max(self._deepest, worker.deepest)

    def add(self, worker: int, number: int, child: "Task") -> None:
        """Take a child."""
        self.children[worker, number] = child
        self.submitted += 1

    def count_in_place(self) -> int:
        """Return how many children workers have run by themselves, so far."""
        return self._in_place + sum(worker.in_place for worker in self.workers.values())

    def find_deepest(self) -> int:
        """Return how many tasks have waited on top of each other, at most."""
        return max(self._deepest, *(worker.deepest for worker in self.workers.values()), 0)

    def count_buried(self) -> int:
        """Return how many tasks wait below others: they are in flight, and keep no worker from taking others."""
        return sum(worker.buried_count for worker in self.workers.values())

    def find_buried(self, work_id: int) -> W | None:
        """Return the worker in whose stack a task waits below another one."""
        for worker in self.workers.values():
            if work_id in worker.buried:
                return worker
        return None

    def find_unbegun(
        self, resting: "Collection[int]", running: "Collection[int]"
    ) -> "tuple[set[int], dict[int, list[Task]]]":
        """Return which tasks have children, and the children that no worker has begun, by their parents.

        Args:
            resting: the numbers of the tasks that are meant.
            running: those of the tasks that workers run, of all workers.

        Returns:
            Parents, and of those with children that were not begun these, as far as their workers have sent them.
        """
        begun = {*running}
        for worker in self.workers.values():
            begun.update(worker.buried)
        unbegun: dict[int, list[Task]] = {
            worker.task: []
            for worker in self.workers.values()
            if (worker.keeps_tasks or worker.number in self.returned) and worker.task in resting
        }
        parents = {*unbegun}
        for child in self.children_of(resting):
            future: Any = child.future
            parents.add(future.parent)
            if child.state in _UNBEGUN and child.work_id not in begun:
                waiting = unbegun.setdefault(future.parent, [])
                if not future.is_handed:  # otherwise the parent's worker has it, and is to give it back
                    waiting.append(child)
        return parents, unbegun

    def children_of(self, parents: "Collection[int | None]") -> "list[Task]":
        """Return the children of some tasks."""
        found: list[Any] = [*self.children.values()]
        return [child for child in found if child.future.parent in parents]

    def find_own_above(self, work_id: int, worker: W) -> "list[Task]":
        """Return which descendants of a task that is buried in a worker are above it in that worker's stack."""
        stack = [*worker.buried, worker.task]
        if work_id not in stack:
            return []  # it is on top again
        above = stack[stack.index(work_id) + 1 :]
        found: list[Task] = []
        parents: set[int | None] = {work_id}
        while parents:
            children = self.children_of(parents)
            found += [child for child in children if child.work_id in above]
            parents = {child.work_id for child in children} - {None}
        return found

    def ask_for_tasks(self, free: int) -> None:
        """If there are workers without work, have those that keep children send some.

        Args:
            free: how many more workers there may be than tasks in flight.
        """
        if free + self.count_buried() > 0:
            for worker in self.workers.values():
                worker.ask_for_tasks()

    def tell_wanted(self, number: int, free: int) -> None:
        """Tell a worker how many children the pool is to have: those that it has, and as many as can be begun.

        Args:
            number: of the worker.
            free: as above, with the tasks that wait.
        """
        worker = self.workers.get(number)
        if worker is not None:
            own = sum(key[0] == number for key in [*self.children])
            worker.tell_wanted(own + max(0, free + self.count_buried()))
