"""Taking tasks and maps, until the pool takes no more.

Owns what `submit` does under the lock, and which maps the pool has still to wait for. A run of `map` is *open* until it
has submitted its last batch: it submits also after a shutdown, and the pool ends when it is closed.

The thread that submits can be struck by an exception of a signal handler between any two bytecodes. So it starts no
worker, and when it is struck, nobody has the future: a task that was not sent yet is taken out of the books, another
one runs for nothing (`Kernel.audit`).
"""

from functools import partial

from interp_api import check_tracing
from interp_pool._core.backlog import take_out
from interp_pool._core.states import PoolState
from interp_pool._futures.claims import start_new
from interp_pool._pool.outcomes import fail
from interp_pool._pool.renewal import Renewal
from interp_pool._process.exit_status import is_exiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._core.ports import OpenMap
    from interp_pool._core.task import Task
    from interp_pool._pool.kernel import Kernel
    from interp_pool._pool.pump import Pump
    from interp_pool._pool.sizing import Sizing
    from interp_pool._process.open_tasks import OpenTasks

FEW_RESULTS = 32  # not worth a look while submitting


class Intake:
    """What one pool takes. Thread safety: all methods."""

    __slots__ = ("_has_limit", "_kernel", "_pump", "_renewal", "_sizing")

    def __init__(self, kernel: "Kernel", pump: "Pump", sizing: "Sizing") -> None:
        self._kernel, self._pump, self._sizing = kernel, pump, sizing
        self._has_limit = kernel.options.max_backlog is not None
        self._renewal = Renewal(kernel)

    def submit(self, item: "Task", *, is_taken: bool = False, waiter: "Any" = None) -> bool:
        """Take a task; its future will be settled whatever happens.

        Args:
            item: the task.
            is_taken: whether it was promised a result already, elsewhere: then it is taken also at the exit, and if too
                many wait.
            waiter: instead of blocking return False, and have its `release` called when it is time for another try.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool is shut down, the interpreter is exiting, or no thread can be started.
            QueueFull: too many tasks wait, and the pool refuses then.

        Blocks: while too many tasks wait, if the pool has a limit for that and no waiter is given.
        """
        kernel = self._kernel
        if self._has_limit:
            kernel.reader.call_off()
        if kernel.is_held():  # a signal handler's, or a finalizer's
            self._submit_later(item, is_taken=is_taken)
            return True
        step = partial(self._submit, item)
        if is_taken or waiter is not None:
            step = partial(self._submit, item, is_taken=is_taken, waiter=waiter)
        while (obstacle := kernel.step(step)) is not None:
            if isinstance(obstacle, BaseException):
                raise obstacle
            if obstacle is waiter:
                return False
            obstacle.acquire()  # until there may be room
        if kernel.tasks.backlog and kernel.results.qsize() >= FEW_RESULTS:
            kernel.reader.with_turn(self._pump.advance)
        if kernel.wishes:
            kernel.catch_up()
        return True

    def open_map(self, run: "OpenMap", open_tasks: "OpenTasks | None") -> None:
        """Count a run among the tasks that were taken, until `close_map`.

        Raises:
            BrokenInterpreterPool: the pool is broken.
            RuntimeError: the pool or the executor is shut down, or the interpreter is exiting.
        """
        error = self._kernel.step(partial(self._open_map, run, open_tasks))
        if error is not None:
            raise error

    def close_map(self, run: "OpenMap", open_tasks: "OpenTasks | None") -> None:
        """Strike a run off that has submitted its last batch. Doing so again does no harm."""
        self._kernel.step(partial(self._close_map, run, is_nested=self._kernel.is_held()))
        if open_tasks is not None:
            open_tasks.end(run)

    def feed_soon(self, run: "OpenMap") -> None:
        """Have the manager feed a run. For the timer."""
        with self._kernel.lock:
            if run in self._kernel.core.open_maps:
                self._kernel.todo.append(run.feed)
                self._kernel.wake_manager()

    def _submit_later(self, item: "Task", *, is_taken: bool) -> None:
        """Take a task in the middle of a step."""
        if item.count is None and not is_taken:
            self._kernel.check_open()
            if item.open_tasks is not None:
                item.open_tasks.begin(item)
        self._kernel.later(partial(self._submit_after_all, item, is_taken=is_taken))

    def _submit_after_all(self, item: "Task", *, is_taken: bool) -> None:
        try:
            self.submit(item, is_taken=is_taken)
        except Exception as exc:
            if item.count is not None:
                batch: Any = item.future
                batch.run.note_done(batch, 0, 0.0)
            fail(item, exc)

    # Everything below is called with the lock held.

    def _submit(self, item: "Task", *, is_taken: bool = False, waiter: "Any" = None) -> "Any":
        """Take a task; return None, the error, or what to wait for before another try."""
        kernel = self._kernel
        core, tasks, staff = kernel.core, kernel.tasks, kernel.staff
        is_single = item.count is None and not is_taken
        if core.state is not PoolState.RUNNING or core.refuses or core.broken is not None or is_exiting():
            is_open = core.broken is None and (
                core.state is PoolState.DRAINING or (core.state is PoolState.RUNNING and (is_taken or not is_exiting()))
            )
            if is_single or not is_open:  # a batch of an open map comes also after a shutdown
                error = kernel.refusal()
                if error is not None:
                    return error
        if self._has_limit and is_single and (obstacle := self._sizing.room(item.open_tasks, waiter)) is not None:
            return obstacle
        open_tasks = item.open_tasks
        if open_tasks is not None:
            if is_single and open_tasks.is_closed:
                return RuntimeError("cannot schedule new futures after shutdown")
            open_tasks.add(item)
        if staff.active < staff.max_workers:
            try:
                check_tracing("start a worker")
            except RuntimeError as exc:
                return exc
        if kernel.tracer is not None:
            kernel.tracer.note_taken(item, tasks, staff)
        if not tasks.in_flight and kernel.results.is_behind:
            self._renewal.look()
        if tasks.backlog or len(tasks.in_flight) >= tasks.window:
            tasks.add_waiting(item)
        else:
            start_new(item.future)
            kernel.calls.send(item)
        if item.control is not None:
            kernel.watch(item)
        error = kernel.want_workers() if staff.active < staff.max_workers else None
        if error is not None:  # nobody is there to run it
            take_out(tasks.backlog, lambda other: other is item, [])
            tasks.in_flight.pop(item.work_id or 0, None)
            item.is_ended = True
        return error

    def _open_map(self, run: "OpenMap", open_tasks: "OpenTasks | None") -> Exception | None:
        error = self._kernel.refusal()
        if error is None and open_tasks is not None:
            try:
                open_tasks.begin(run)
            except RuntimeError as exc:
                error = exc
        if error is None:
            self._kernel.core.open_maps.add(run)
            run.is_open = True
        return error

    def _close_map(self, run: "OpenMap", *, is_nested: bool) -> None:
        kernel = self._kernel
        if run in kernel.core.open_maps:
            kernel.core.open_maps.discard(run)
            run.is_open = False
            if is_nested:
                kernel.call_manager()
            elif kernel.manager is None:
                kernel.end_if_done()
            elif kernel.core.state is not PoolState.RUNNING:
                kernel.wake_manager()
