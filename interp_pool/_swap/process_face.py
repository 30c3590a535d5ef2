"""What a program has in the place of a ProcessPoolExecutor: one by its class, whose tasks run in interpreters.

Owns that class's own parameters and private names. It is no InterpreterPoolExecutor, which is a ThreadPoolExecutor: a
program that asks `isinstance` which of the two it was given is to hear "processes". The executor that does the work is
its own, and closes with it.
"""

import os
from concurrent.futures.process import ProcessPoolExecutor

from interp_pool._executor.executor import InterpreterPoolExecutor
from interp_pool._options.task_options import NO_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import BaseContext
    from typing import Any

    from interp_pool._futures.task_future import TaskFuture


_base: "Any" = ProcessPoolExecutor  # whose private names have other types


def _passed_on(name: str) -> property:
    """Return a property that is that of the executor in place."""
    return property(lambda face: getattr(face.executor_in_place, name))


class ProcessFace(_base):  # type: ignore[misc]  # see there
    """A ProcessPoolExecutor whose workers are interpreters of this process.

    Thread safety: all methods.

    Source: `concurrent.futures.ProcessPoolExecutor`, CPython 3.13 to 3.15.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: "BaseContext | None" = None,
        initializer: "Callable[..., object] | None" = None,
        initargs: "tuple[Any, ...]" = (),
        *,
        max_tasks_per_child: int | None = None,
        options: "dict[str, Any] | None" = None,
    ) -> None:
        """Make an executor; workers start when there is work for them.

        Args:
            max_workers: most workers at a time; None means `os.process_cpu_count()`.
            mp_context: for the processes of a fallback; see InterpreterPoolExecutor.
            initializer: called in each worker before its first task.
            initargs: its arguments.
            max_tasks_per_child: a worker gets a new interpreter after so many tasks; None means never.
            options: further ones of InterpreterPoolExecutor.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
        """
        if max_workers is None:
            max_workers = os.process_cpu_count() or 1
        elif max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        self.__context = mp_context
        self.__executor = InterpreterPoolExecutor(
            max_workers,
            initializer=initializer,
            initargs=initargs,
            max_tasks_per_child=max_tasks_per_child,
            mp_context=mp_context,
            **(options or {}),
        )

    @property
    def executor_in_place(self) -> InterpreterPoolExecutor:
        """What does the work."""
        return self.__executor

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "TaskFuture[T]":
        """Schedule `fn(*args, **kwargs)` in a worker. See `InterpreterPoolExecutor.submit`."""
        return self.__executor.submit(fn, *args, **kwargs)

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        See `InterpreterPoolExecutor.map`. A chunksize of 1 is the default and means what none means there.

        Raises:
            ValueError: the chunksize is less than 1.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        is_own = type(self).submit is _OWN_SUBMIT and "submit" not in self.__dict__
        size = None if chunksize == 1 else chunksize
        through = None if is_own else self
        return self.__executor.map_with(NO_OPTIONS, fn, iterables, timeout, size, buffersize, through)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks; those that were submitted are still done. See `InterpreterPoolExecutor.shutdown`."""
        self.__executor.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt):
            self.__executor.__exit__(exc_type, *exc_info)
        self.shutdown(wait=True)

    def terminate_workers(self) -> None:
        """Stop everything at once, and take no more tasks. See `InterpreterPoolExecutor.terminate_workers`."""
        self.__executor.terminate_workers()

    def kill_workers(self) -> None:
        """Stop everything, and wait for nothing. See `InterpreterPoolExecutor.kill_workers`."""
        self.__executor.kill_workers()

    _max_workers = _passed_on("_max_workers")
    _processes = _passed_on("_processes")
    _broken = _passed_on("_broken")
    _shutdown_thread = _passed_on("_shutdown")

    @property
    def _mp_context(self) -> "BaseContext":
        import multiprocessing

        return self.__context or multiprocessing.get_context()

    @property
    def _pending_work_items(self) -> dict[int, None]:
        """As many entries as there are tasks that have not ended."""
        counts = self.__executor.statistics()
        return dict.fromkeys(range(counts.tasks_waiting + counts.tasks_sent + counts.tasks_running))


_OWN_SUBMIT = ProcessFace.submit
ProcessFace.__name__ = ProcessFace.__qualname__ = ProcessPoolExecutor.__name__
ProcessFace.__module__ = ProcessPoolExecutor.__module__
