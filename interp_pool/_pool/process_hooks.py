"""The pools of this process: at its exit, and when it forks.

Owns which pools there are, and what the exit says of their tasks and stops. It must not know what a pool is beyond the
methods it calls. The reserve is loaded first: it is asked after the pools, whose workers give their interpreters to it.

Tasks that nobody has told to stop are waited for, as in the standard library: one that takes long and one that never
ends look the same. The exit tells which they are, and stops them when the pool's `exit_timeout` is up.
"""

import itertools
from functools import partial
from time import monotonic
from weakref import WeakValueDictionary

from interp_pool._futures.stopping import GRACE, Reason
from interp_pool._process.hooks import Part
from interp_pool._process.hooks import register as register_part
from interp_pool._process.notebook import watch_cells
from interp_pool._process.open_tasks import renew_open_tasks
from interp_pool._process.stuck import warn_of
from interp_pool._process.timer import timer
from interp_pool._workers import reserve  # noqa: F401  # pyright: ignore[reportUnusedImport]  # registered before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from interp_pool._core.task import Task

    class Pool(Protocol):
        """A pool, as its process sees it."""

        @property
        def is_closed(self) -> bool:
            """Whether its last worker has ended."""
            ...

        @property
        def is_held_here(self) -> bool:
            """Whether this thread is in the middle of something of the pool's."""
            ...

        @property
        def exit_timeout(self) -> float | None:
            """Seconds that the exit waits for tasks, None for no limit."""
            ...

        def shutdown(self, wait: bool = True) -> None:
            """Refuse further tasks. Blocks, if it waits, until those that were taken are done."""

        def name_what_runs(self) -> list[str]:
            """Return the names of what it would wait for."""
            ...

        def stop_all(self, grace: float, reason: Reason) -> "list[Task]":
            """Begin to stop all tasks, with so many seconds to end; return them. Never blocks."""
            ...

        def stop_at_once(self) -> None:
            """Do what Ctrl-C asks for. Never blocks."""

        def can_pause(self) -> bool:
            """Return whether it is worth waiting, before a fork, for the workers to end. Never blocks."""
            ...

        def begin_pause(self) -> None:
            """Have the workers end. Never blocks."""

        def wait_until_paused(self) -> bool:
            """Wait for that; return whether it has happened."""
            ...

        def end_pause(self) -> None:
            """Go on. Doing so again does no harm."""

        def after_fork_in_child(self) -> None:
            """Be a new pool with the old options."""


NOTICE = 10.0  # seconds after which the exit says what it waits for

_pools: "WeakValueDictionary[int, Pool]" = WeakValueDictionary()
_next_pool = itertools.count().__next__
_stopped: "list[Task]" = []  # what the exit began to stop


def register(pool: "Pool") -> None:
    """Have a pool shut down at exit and prepared for forks, for as long as it lives."""
    _pools[_next_pool()] = pool
    watch_cells(_stop_at_once)


def all_pools() -> "list[Pool]":
    """Return the pools of this process."""
    # One C call makes the list: other threads may make pools meanwhile.
    return [pool for reference in _pools.valuerefs() if (pool := reference()) is not None]


def _stop_at_once() -> None:
    for pool in all_pools():
        pool.stop_at_once()


class _Pools(Part):
    """All pools, which end, pause and go on together."""

    @property
    def is_held_here(self) -> bool:
        return any(pool.is_held_here for pool in all_pools())

    def pause(self, patience: float) -> bool:  # noqa: ARG002  # each has its own
        pools = all_pools()
        if not all(pool.can_pause() for pool in pools):
            return False  # the child is lost, as `interp_api` will say: the parent at least keeps its workers
        for pool in pools:
            pool.begin_pause()
        return all(pool.wait_until_paused() for pool in pools)

    def resume(self) -> None:
        for pool in all_pools():
            pool.end_pause()

    def after_fork_in_child(self) -> None:
        _stopped.clear()
        renew_open_tasks()
        for pool in all_pools():
            pool.after_fork_in_child()

    def finish(self, *, is_interrupted: bool) -> None:
        for pool in all_pools():
            pool.shutdown(wait=False)
            _limit_exit(pool)
        if is_interrupted:
            _stop_at_once()
        for pool in all_pools():
            pool.shutdown()

    def end(self) -> None:
        stopped = [item.name for item in _stopped if _was_stopped_by_exit(item)]
        warn_of(stopped, "the exit has stopped %s: the exit timeout is up")


def _limit_exit(pool: "Pool") -> None:
    """Before the exit waits for a pool: see to it that it tells for whom, and stops them in time. Never blocks."""
    if pool.is_closed:
        return
    if pool.exit_timeout is not None:
        timer.call_at(monotonic() + pool.exit_timeout, partial(_stop_tasks, pool))
    timer.call_at(monotonic() + NOTICE, partial(_name_tasks, pool))


def _stop_tasks(pool: "Pool") -> None:
    _stopped.extend(pool.stop_all(GRACE, Reason.EXIT))


def _was_stopped_by_exit(item: "Task") -> bool:
    """Return whether a task has ended so: it may have been stopped before, have ended just then, or not have ended."""
    if item.control is None or item.control.reason is not Reason.EXIT:
        return False
    if item.future.cancelled():
        return True
    error = item.future.exception(0)
    return error is not None and getattr(error, "has_stopped", True)


def _name_tasks(pool: "Pool") -> None:
    warn_of(pool.name_what_runs(), "the process waits, at its exit, for %s; Ctrl-C stops that")


register_part(_Pools())
