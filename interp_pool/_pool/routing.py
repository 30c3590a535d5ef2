"""Giving tasks to the fallback: those that no worker interpreter can load.

Owns when a task goes there. Which tasks that are is decided by `_core.routes`; where it is, and how it gets there, by
the pool behind it, which is one like any other, with workers of another kind.

    submit                       manager: a task came back, no worker can load it
       |                            |
       | Routes say so              | G1  learn and make its successor, with the lock held
       |                            | G2  without: make its future pending again, and log
       v                            v
    the fallback's `submit`      G3  the fallback's `submit`
                                 G4  with the lock held: strike it off

Nobody holds the locks of both pools: a signal handler that submits in the middle of a step of the one takes that of the
other. A task enters the fallback before it leaves the pool it came from (G3, G4). Who finds it there after G1, to stop
it, has the manager stop its `successor`, which it does after G3.
"""

from interp_pool._core.task import Task
from interp_pool._futures.claims import make_pending_again
from interp_pool._pool.outcomes import fail
from interp_pool._pool.process_hooks import register
from interp_pool._wire.refused import describe_route, find_unsupported, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread
    from typing import Any, Protocol

    from interp_pool._core.routes import Routes
    from interp_pool._futures.stopping import Reason
    from interp_pool._wire.messages import Failure, Refusal

    class Fallback(Protocol):
        """The pool behind another one."""

        def stop(self, items: list[Task], reason: Reason, stop_by: float, patience: float) -> None:
            """Begin to stop tasks."""

        @property
        def manager(self) -> Thread | None:
            """The thread that settles its futures, if there is one."""
            ...

        def list_tasks(self) -> list[Task]:
            """Return those that have not ended. Needs no lock."""
            ...

        def shutdown(self, wait: bool = True) -> None:
            """Refuse further tasks. Blocks, if it waits, until those that were taken are done."""


class Routing:
    """The way from a pool to its fallback. Thread safety: all methods, but for what says otherwise."""

    __slots__ = ("_where", "fallback", "has_processes", "reasons", "routes")

    def __init__(self, routes: "Routes", fallback: "Fallback", where: str, *, has_processes: bool) -> None:
        """Make the way.

        Args:
            routes: which tasks go there.
            fallback: where.
            where: for the log: "in a process", say.
            has_processes: whether what runs there has a process of its own, and so may set signal handlers.
        """
        self.routes, self.fallback, self._where, self.has_processes = routes, fallback, where, has_processes
        self.reasons: dict[str, str] = {}
        """What was logged, by what cannot be loaded."""

    def refusal_of(self, failure: "Failure") -> "Refusal | None":
        """Return why something that has failed in a worker can run in the fallback, None if it failed otherwise."""
        return find_unsupported(failure, has_signals=self.has_processes)

    def prepare(self, item: Task) -> None:
        """Note that a task is to be given away. Called with the lock of its pool held."""
        item.successor = Task(
            item.future, item.function, item.payload, item.open_tasks, item.flags, item.count, item.control
        )

    def give(self, item: Task, refusal: "Refusal") -> None:
        """Give a task that was prepared to the fallback. Called by the manager, without any lock."""
        future, successor = item.future, item.successor
        assert successor is not None
        make_pending_again(future)
        fallback: Any = self.fallback
        future.move_to(fallback)
        try:
            fallback.submit(successor, is_taken=True)
        except Exception as exc:
            fail(successor, exc)
        else:
            self.tell(refusal, item.name)

    def tell(self, refusal: "Refusal", needed_by: str) -> None:
        """Log, the first time, that something goes to the fallback."""
        subject = refusal[0]
        if subject not in self.reasons:
            self.reasons[subject] = text = describe_route(refusal, needed_by, self._where)
            warn(text)

    def end(self) -> None:
        """The pool has ended, and nobody else will end the fallback. Called without the lock."""
        fallback: Any = self.fallback
        register(fallback)  # the exit has to find it
        fallback.shutdown(wait=False)


class RoutedIntake:
    """Takes tasks for a pool and its fallback. Thread safety: all methods."""

    __slots__ = ("_check_open", "_routing", "_submit")

    def __init__(self, submit: "Callable[..., bool]", check_open: "Callable[[], None]", routing: Routing) -> None:
        """Stand before the intake of a pool.

        Args:
            submit: takes a task that stays there.
            check_open: raises what that would raise.
            routing: to the fallback.
        """
        self._submit, self._check_open, self._routing = submit, check_open, routing

    def submit(self, item: Task, *, is_taken: bool = False, waiter: "Any" = None) -> bool:
        """Take a task; see `Intake.submit`."""
        routing = self._routing
        if not routing.routes.leads_elsewhere(item.function, item.payload):
            return self._submit(item, is_taken=is_taken, waiter=waiter)
        is_taken = is_taken or item.count is not None  # a batch of an open map comes also after a shutdown
        if not is_taken:
            self._check_open()
        fallback: Any = routing.fallback
        item.future.move_to(fallback)
        return fallback.submit(item, is_taken=is_taken, waiter=waiter)  # type: ignore[no-any-return]  # a bool
