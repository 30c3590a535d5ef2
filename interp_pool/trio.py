"""Functions in worker interpreters for Trio, under the names that trio-parallel has for worker processes.

    from interp_pool.trio import run_sync

    await run_sync(function, *args)

Owns the executor behind it, which is made at the first call and ends with the process. Everything else is that of
`InterpreterPoolExecutor.run`; a program that has an executor calls `await executor.run(...)` under Trio as well.

Source: `trio_parallel.run_sync` and `current_default_worker_limiter`, trio-parallel 1.3.
"""

import os
import threading
from importlib import import_module

from interp_pool._executor.executor import InterpreterPoolExecutor
from interp_pool._options.checks import check_flag
from interp_pool._process.hooks import Part, register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["current_default_worker_limiter", "run_sync"]

try:
    _trio: "Any" = import_module("trio")
except ImportError as exc:
    raise ImportError("interp_pool.trio needs Trio: pip install 'interp-pool[trio]'", name="trio") from exc

_limiter: "Any" = _trio.lowlevel.RunVar("interp_pool_limiter")


class _Default(Part):
    """The executor behind `run_sync`. Thread safety: all methods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: InterpreterPoolExecutor | None = None
        self._running = 0  # calls, in all threads; guarded by self._lock

    def begin(self) -> InterpreterPoolExecutor:
        """Return it for a call, with a worker for each that runs: how many there may be is the limiters' to say."""
        with self._lock:
            self._running += 1
            executor, running = self._executor, self._running
            if executor is None:
                executor = self._executor = InterpreterPoolExecutor(thread_name_prefix="interp_pool.trio")
        if executor.tasks.pool.max_workers < running:
            executor.resize(running)
        return executor

    def end(self) -> None:
        """A call has ended."""
        with self._lock:
            self._running -= 1

    def after_fork_in_child(self) -> None:
        """Have another lock: a thread of the parent's may hold this one. The executor goes on in the child."""
        self._lock = threading.Lock()
        self._running = 0


_default = _Default()
register(_default)


async def run_sync[T](
    sync_fn: "Callable[..., T]",
    *args: "Any",
    kill_on_cancel: bool = True,
    cancellable: bool = False,
    limiter: "Any" = None,
) -> T:
    """Run `sync_fn(*args)` in a worker interpreter, and return or raise what it does.

    Args:
        sync_fn: the function.
        args: its arguments.
        kill_on_cancel: whether the task is interrupted when the call is cancelled. Its worker stays, warm; in
            trio-parallel a process is killed, and the default is False. With False the cancelling waits for its end.
        cancellable: the older name; true if either is.
        limiter: a `trio.CapacityLimiter`, of which one token is taken meanwhile, or any other asynchronous context
            manager; None means `current_default_worker_limiter()`.

    Raises:
        Exception: whatever the function has raised; see also `InterpreterPoolExecutor.run`.
    """
    check_flag("kill_on_cancel", kill_on_cancel)
    check_flag("cancellable", cancellable)
    async with current_default_worker_limiter() if limiter is None else limiter:
        executor = _default.begin()
        try:
            view = executor.options(interrupt_on_cancel=kill_on_cancel or cancellable)
            result: T = await view.run(sync_fn, *args)
            return result
        finally:
            _default.end()


def current_default_worker_limiter() -> "Any":
    """Return the `trio.CapacityLimiter` of this run of Trio that `run_sync` takes a token of: one for each processor.

    Raises:
        RuntimeError: Trio does not run in this thread.
    """
    try:
        return _limiter.get()
    except LookupError:
        limiter = _trio.CapacityLimiter(os.process_cpu_count() or 1)
        _limiter.set(limiter)
        return limiter
