"""Pool: multiprocessing's Pool, whose workers are interpreters of this process.

Owns how such a pool begins and ends. Its methods are multiprocessing's own: they put tasks into a queue, which is
`sending.Sending` here.
"""

import os
import threading
from multiprocessing import get_context
from multiprocessing import pool as multiprocessing_pool

from interp_pool._executor.executor import InterpreterPoolExecutor
from interp_pool._executor.listed import ListedWorker
from interp_pool._multiprocessing.results import asked
from interp_pool._multiprocessing.sending import Sending, outcome_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from multiprocessing.context import BaseContext
    from typing import Any

    from interp_pool._options.pool_options import HostKind, WhenUnread


class Pool(multiprocessing_pool.Pool):
    """What `multiprocessing.Pool` is, with interpreters for its workers.

    All methods are there, with multiprocessing's arguments: `apply`, `apply_async`, `map`, `map_async`, `imap`,
    `imap_unordered`, `starmap`, `starmap_async`, `close`, `terminate`, `join`, and the context manager. It can be
    subclassed.

    What differs:

    - Workers start when there is work for them, and the initializer runs then. If it fails, tasks raise
      BrokenInterpreterPool, where multiprocessing starts new workers for ever.
    - What waits after `terminate()` ends with an exception, where `get()` would wait for ever.
    - A callback that raises is reported to `threading.excepthook`, and the pool goes on.
    - All workers have the process id of the program. `context` is only for a fallback's.

    Thread safety: all methods may be called from several threads at once.

    Source: `multiprocessing.pool.Pool`, CPython 3.13 to 3.15.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: "Callable[..., object] | None" = None,
        initargs: "Iterable[Any]" = (),
        maxtasksperchild: int | None = None,
        context: "BaseContext | None" = None,
        *,
        fallback: "HostKind | None" = None,
        route: "Sequence[str]" = (),
        unread: "WhenUnread" = "log",
    ) -> None:
        """Make a pool; nothing starts yet.

        Args:
            processes: most workers at a time; None means `os.process_cpu_count()`.
            initializer: called in each worker before its first task.
            initargs: its arguments.
            maxtasksperchild: a worker gets a new interpreter after so many tasks; None means never.
            context: for the processes of a fallback, as the `mp_context` of `InterpreterPoolExecutor`.
            fallback: as for `InterpreterPoolExecutor`, as what follows.
            route: as there.
            unread: as there.

        Raises:
            TypeError: the initializer cannot be called.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        self._pool: list[ListedWorker] = []
        self._state = multiprocessing_pool.INIT
        self._change_notifier = None
        if processes is None:
            processes = os.process_cpu_count() or 1
        if processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if maxtasksperchild is not None and not _is_positive(maxtasksperchild):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._ctx = context or get_context()
        self._processes = processes
        self._initializer, self._initargs, self._maxtasksperchild = initializer, initargs, maxtasksperchild
        self._executor = InterpreterPoolExecutor(
            processes,
            initializer=initializer,
            initargs=tuple(initargs),
            max_tasks_per_child=maxtasksperchild,
            fallback=fallback,
            route=route,
            unread=unread,
            mp_context=context,
            exit_timeout=0.0,  # at its exit a program does not wait for multiprocessing's workers
        )
        self._cache: dict[int, Any] = {}
        self._taskqueue = Sending(self._executor, self._cache, processes, logs_unread=unread == "log")
        self._pool = [ListedWorker(number, self._taskqueue.stop) for number in range(1, processes + 1)]
        self._state = multiprocessing_pool.RUN

    def apply(
        self, func: "Callable[..., Any]", args: "Iterable[Any]" = (), kwds: "Mapping[str, Any] | None" = None
    ) -> "Any":
        """Return what a call returns. Blocks until it is done.

        Raises:
            ValueError: the pool was closed or terminated.
            Exception: what the call raised.
        """
        if self._state != multiprocessing_pool.RUN:
            raise ValueError("Pool not running")
        has_result, outcome = outcome_of(self._executor.submit(func, *args, **(kwds or {})))
        if has_result:
            return outcome
        raise outcome

    def apply_async(
        self,
        func: "Callable[..., Any]",
        args: "Iterable[Any]" = (),
        kwds: "Mapping[str, Any] | None" = None,
        callback: "Callable[[Any], object] | None" = None,
        error_callback: "Callable[[BaseException], object] | None" = None,
    ) -> "Any":
        """Return an AsyncResult of a call. Never blocks; the callbacks must not."""
        return asked(super().apply_async(func, args, kwds or {}, _reporting(callback), _reporting(error_callback)))

    def _map_async(
        self,
        func: "Callable[..., Any]",
        iterable: "Iterable[Any]",
        mapper: "Callable[..., Any]",
        chunksize: int | None = None,
        callback: "Callable[[Any], object] | None" = None,
        error_callback: "Callable[[BaseException], object] | None" = None,
    ) -> "Any":
        if chunksize is not None and chunksize < 1:
            raise ValueError(f"chunksize must be 1 or more, got {chunksize}")  # where theirs returns Nones
        made = super()._map_async(  # type: ignore[misc]  # what all of map and starmap call since 3.3
            func, iterable, mapper, chunksize, _reporting(callback), _reporting(error_callback)
        )
        return asked(made)

    def close(self) -> None:
        """Take no more tasks. Those that were taken go on. Never blocks."""
        if self._state == multiprocessing_pool.RUN:
            self._state = multiprocessing_pool.CLOSE
            self._taskqueue.close()

    def terminate(self) -> None:
        """Take no more tasks and stop those that run, as `InterpreterPoolExecutor.terminate_workers`. Never blocks."""
        self._state = multiprocessing_pool.TERMINATE
        self._taskqueue.stop()

    def join(self) -> None:
        """Wait for the workers to end.

        Raises:
            ValueError: the pool was not closed, nor terminated.

        Blocks: until all tasks and their callbacks are done.
        """
        if self._state == multiprocessing_pool.RUN:
            raise ValueError("Pool is still running")
        if self._state not in (multiprocessing_pool.CLOSE, multiprocessing_pool.TERMINATE):
            raise ValueError("In unknown state")
        self._taskqueue.join()


def _is_positive(count: object) -> bool:
    return isinstance(count, int) and count > 0


def _reporting[T](callback: "Callable[[T], object] | None") -> "Callable[[T], None] | None":
    """Return a callback whose exceptions harm nobody: multiprocessing would wait for the result for ever."""
    if callback is None:
        return None

    def call(value: T) -> None:
        try:
            callback(value)
        except Exception as exc:
            threading.excepthook(
                threading.ExceptHookArgs((type(exc), exc, exc.__traceback__, threading.current_thread()))
            )

    return call
