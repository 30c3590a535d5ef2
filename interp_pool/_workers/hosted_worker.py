"""A worker whose tasks run elsewhere than in an interpreter of its own: on its thread, or in a process.

It is to its pool what any worker is: it takes call items, shows on its board what it does, and puts result items. What
runs the tasks is its host.
"""

import sys
from time import monotonic_ns

from interp_api import PoolQueue
from interp_pool._wire.messages import (
    BEGAN,
    INITIALIZER_FAILED,
    PREPARED,
    RENEW,
    RETIRE,
    TASK,
    TRACED,
    WORKER_LEAVING,
    WORKER_READY,
)
from interp_pool._workers.handle import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from interp_pool._options.pool_options import HostKind, PoolOptions
    from interp_pool._wire.messages import Failure, Payload, Place, ResultItem

    class Host(Protocol):
        """What runs the tasks of one worker. All but `interrupt` and `where` is called by the worker's thread."""

        @property
        def has_ended(self) -> bool:
            """Whether it can run no other task."""
            ...

        def start(self) -> Failure | None:
            """Run the initializer; return what it raised."""
            ...

        def run(self, work_id: int, payload: Payload, flags: int) -> list[ResultItem]:
            """Run a task or a batch; return its result items, in order."""
            ...

        def interrupt(self, work_id: int) -> None:
            """Stop a task, if it still runs, and if that can be. Never blocks."""

        def where(self) -> tuple[str, list[Place]]:
            """Return a phrase on where the task is, and the lines of Python it is in."""
            ...

        def close(self) -> None:
            """Let go of everything. Blocks until it has ended."""

    type MakeHost = Callable[[PoolOptions, int, Any, Callable[[object], None]], Host]


class HostedWorker(Worker):
    """One worker of a fallback."""

    def __init__(
        self, number: int, options: "PoolOptions", calls: PoolQueue, results: PoolQueue, make_host: "MakeHost"
    ) -> None:
        super().__init__(number, options, calls, results)
        self._host = make_host(options, number, self._cells, results.put)

    def interrupt(self, work_id: int) -> None:
        """Have a task stopped, if it still runs and its host can. Never blocks."""
        self._host.interrupt(work_id)

    def give_back(self, work_id: int) -> None:
        """Ask for nothing: a batch gives back what it has not begun by itself, or not at all."""
        self.asked_for_rest_of = work_id

    def where_now(self) -> "tuple[str, list[Place]] | None":
        """Return a phrase on where its task is, and the lines of Python it is in."""
        return self._host.where()

    def _main(self) -> None:
        try:
            self._serve_calls()
        except BaseException as exc:
            self._tell_loss(self.last_task or None, exc)
        self._tell(self._left)
        self._may_close.wait()
        try:
            self._host.close()
        except BaseException as exc:
            self._tell_loss(None, exc)
        finally:
            self._tell(self._ended)

    def _serve_calls(self) -> None:
        put, cells, number = self._results.put, self._cells, self.number
        failure = self._host.start()
        if failure is not None:
            put((INITIALIZER_FAILED, number, failure, 0.0))
            return
        put((WORKER_READY, number, None, 0.0))
        calls = PoolQueue(self._calls.id)  # its own: several threads of one interpreter wait

        def retirement() -> tuple[()] | None:
            if cells[RENEW]:
                cells[RENEW] = 2
                return ()
            return () if cells[RETIRE] == 1 - cells[TASK] else None  # W1 of `_pool.sizing`

        left = self._options.max_tasks_per_child
        cells[PREPARED] = 1
        while left != 0 and not self._host.has_ended and not cells[RENEW]:
            item: Any = calls.get(instead=retirement)
            if not item:
                put((WORKER_LEAVING, number, True if item is None else False if cells[RENEW] else None, 0.0))
                return
            work_id, payload, *rest = item
            self._run(abs(work_id), payload, *rest)
            item = payload = rest = None  # what the task was given must not stay while the worker waits
            if left is not None:
                left -= 1
        put((WORKER_LEAVING, number, False, 0.0))

    def _run(self, work_id: int, payload: "Payload", flags: int = 0) -> None:
        taken = monotonic_ns()
        messages = self._host.run(work_id, payload, flags & ~TRACED)
        if flags & TRACED:  # measured out here: what runs there may be killed
            from interp_pool._worker.traced import wrapped

            times = self.number, taken, self._cells[BEGAN] or taken
            messages[-1] = wrapped(messages[-1], times, len(sys.modules))
        for message in messages:
            self._results.put(message)


def make_worker(number: int, options: "PoolOptions", calls: PoolQueue, results: PoolQueue) -> Worker:
    """Return a worker of the kind that the options say."""
    if options.host is None:
        return Worker(number, options, calls, results)
    return HostedWorker(number, options, calls, results, host_maker(options.host))


def host_maker(kind: "HostKind") -> "MakeHost":
    """Return what makes hosts of a kind."""
    if kind == "thread":
        from interp_pool._workers.thread_host import ThreadHost

        return ThreadHost
    from interp_pool._workers.process_host import ProcessHost

    return ProcessHost
