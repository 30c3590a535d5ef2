"""InterpreterPoolExecutor: the `concurrent.futures` interface on top of a pool.

Owns the arguments, their checks and what the futures mean to the caller; everything else is the pool's.
"""

import weakref
from concurrent.futures import ThreadPoolExecutor

from interp_api import IS_MAIN_INTERPRETER
from interp_pool._errors import BrokenInterpreterPool
from interp_pool._executor.arguments import ExecutorArguments
from interp_pool._executor.ends import Ends, stop_after_ctrl_c
from interp_pool._executor.listed import ListedWorker
from interp_pool._executor.view import ExecutorView
from interp_pool._executor.with_options import WithOptions
from interp_pool._futures.stopping import GRACE, Reason
from interp_pool._options.declared import keywords, takes
from interp_pool._options.task_options import NO_OPTIONS, TaskOptions
from interp_pool._process.ctrl_c import is_closing_after_ctrl_c
from interp_pool._wire.texts import IN_OWNER, stays_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager
    from os import PathLike
    from typing import Any, NoReturn, Unpack, overload

    from interp_pool._core.statistics import Statistics
    from interp_pool._executor.arguments import MapArguments
    from interp_pool._executor.awaited_map import AsyncResults
    from interp_pool._futures.progress import Progress
    from interp_pool._futures.task_future import TaskFuture


class InterpreterPoolExecutor(Ends, ThreadPoolExecutor):
    """An executor whose workers are interpreters of this process, each with its own GIL.

    Works where a `ProcessPoolExecutor` does: tasks and results are copied by pickle, functions are found by reference.

    At the end of a `with` block its tasks are waited for. `async with` does so without blocking the event loop, and
    stops them if the block or its end is cancelled.

    Thread safety: all methods may be called from several threads at once.

    Source: `concurrent.futures.InterpreterPoolExecutor`, CPython 3.14; `ProcessPoolExecutor` for `max_tasks_per_child`
    and `chunksize`.
    """

    BROKEN = BrokenInterpreterPool

    @takes(ExecutorArguments)
    def __init__(self, arguments: ExecutorArguments) -> None:
        """Make an executor; workers start when there is work for them.

        {options}

        Raises:
            TypeError: an argument has the wrong type, or was given together with `pool`.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        from interp_pool._executor.making import TaskMaker  # see the end of this file

        self.tasks = TaskMaker(arguments)  # for views too
        self._pool = self.tasks.pool
        if arguments.pool is None:
            # A forgotten executor still finishes its tasks; its workers then end.
            weakref.finalize(self, self._pool.forget).atexit = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._pool!r}>"

    def __getstate__(self) -> "NoReturn":
        raise stays_here(self, IN_OWNER)

    @property
    def _max_workers(self) -> int:  # type: ignore[override]  # read-only, as all of these: they are the pool's
        return self._pool.max_workers

    @property
    def _threads(self) -> "set[threading.Thread]":  # type: ignore[override]  # see above
        return self._pool.worker_threads

    @property
    def _processes(self) -> dict[str, ListedWorker]:
        numbers = range(1, len(self._pool.worker_threads) + 1)
        workers = [ListedWorker(number, self.terminate_workers) for number in numbers]
        return {each.name: each for each in workers}  # not by a process id: somebody might end that process

    @property
    def _thread_name_prefix(self) -> str:  # type: ignore[override]  # see above
        return self._pool.thread_name_prefix

    @property
    def _broken(self) -> "BaseException | str | bool":  # type: ignore[override]  # see above
        return self._pool.broken or False

    @property
    def _shutdown(self) -> bool:  # type: ignore[override]  # see above
        return self.tasks.is_shut_down

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "TaskFuture[T]":
        """Schedule `fn(*args, **kwargs)` in a worker.

        The task is pickled now, in this thread: what happens to the arguments later does not matter, save for
        memoryviews and PickleBuffers, which are shared with the worker.

        Returns:
            The task's future. If the task cannot be pickled, it has a TaskPicklingError.

        Raises:
            BrokenInterpreterPool: the initializer failed.
            RuntimeError: the executor is shut down, or the interpreter is exiting.
            QueueFull: `max_backlog` tasks wait, and `when_full` says to raise.

        Blocks: while `max_backlog` tasks wait, unless `when_full` says to raise.
        """
        return self.tasks.submit(fn, args, kwargs)

    def submit_with[T](
        self,
        options: TaskOptions,
        fn: "Callable[..., T]",
        args: "tuple[Any, ...]",
        kwargs: "dict[str, Any]",
        meant: "Callable[..., Any] | None" = None,
    ) -> "TaskFuture[T]":
        """Do what `submit` does with options; for the view that has them, and for `Pool`. See `TaskMaker.make`."""
        return self.tasks.submit_with(options, fn, args, kwargs, meant)

    def run[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "Coroutine[Any, Any, T]":
        """Run `fn(*args, **kwargs)` in a worker, for a coroutine to await: of asyncio, Trio or AnyIO.

        When the coroutine is cancelled, a task that no worker has begun with is cancelled, and one that runs is
        interrupted, unless `options(interrupt_on_cancel=False)`. The cancellation goes on once the task has ended: an
        interrupt takes some 5 ms, 0.25 s at most, after which the worker is left to a task that does not stop.

        Returns:
            What `fn` has returned, once this is awaited. Nothing is sent before.

        Raises:
            TaskPicklingError: when awaited, as all of these: the task cannot be pickled.
            CancelledError: that of `concurrent.futures`: the executor has cancelled the task.
            QueueFull: `max_backlog` tasks wait, and `when_full` says to raise.
            RuntimeError: the executor is shut down, or no loop runs in this thread.
            Exception: whatever `fn` has raised.

        Blocks: never; while `max_backlog` tasks wait, the coroutine does.
        """
        from interp_pool._executor.awaited_run import run

        return run(self, NO_OPTIONS, fn, args, kwargs)

    @keywords(TaskOptions)
    def options(self, **options: "Any") -> ExecutorView:
        """Return an executor that runs tasks here, each with these options.

        It is an Executor itself: `executor.options(timeout=1).submit(...)`, or `loop.run_in_executor(view, ...)`.

        {options}

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
            OSError: the file of a profile cannot be written.
        """
        return ExecutorView(self, self.tasks.defaults.replace(options))

    @property
    def submits_itself(self) -> bool:
        """Whether nobody has put another `submit` in the place of this class's."""
        return type(self).submit is _OWN_SUBMIT and "submit" not in self.__dict__

    @property
    def maps_itself(self) -> bool:
        """Whether nobody has put another `map` in the place of this class's."""
        return type(self).map is _OWN_MAP and "map" not in self.__dict__

    if TYPE_CHECKING:  # for typing itself costs a worker, which loads the program's main module, 2.5 ms

        @overload  # type: ignore[override]  # narrower: a wrong argument is an error
        def map[T, A1](
            self,
            fn: "Callable[[A1], T]",
            iterable1: "Iterable[A1]",
            /,
            **options: "Unpack[MapArguments]",
        ) -> "Iterator[T]": ...

        @overload
        def map[T, A1, A2](
            self,
            fn: "Callable[[A1, A2], T]",
            iterable1: "Iterable[A1]",
            iterable2: "Iterable[A2]",
            /,
            **options: "Unpack[MapArguments]",
        ) -> "Iterator[T]": ...

        @overload
        def map[T, A1, A2, A3](
            self,
            fn: "Callable[[A1, A2, A3], T]",
            iterable1: "Iterable[A1]",
            iterable2: "Iterable[A2]",
            iterable3: "Iterable[A3]",
            /,
            **options: "Unpack[MapArguments]",
        ) -> "Iterator[T]": ...

        @overload
        def map[T](
            self,
            fn: "Callable[..., T]",
            iterable1: "Iterable[Any]",
            iterable2: "Iterable[Any]",
            iterable3: "Iterable[Any]",
            iterable4: "Iterable[Any]",
            /,
            *iterables: "Iterable[Any]",
            **options: "Unpack[MapArguments]",
        ) -> "Iterator[T]": ...

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        Args:
            fn: takes as many arguments as there are iterables.
            iterables: consumed before this returns, or with `buffersize` as results are taken. The first items are sent
                while the others are taken; if an iterable raises, those that it gave before still run.
            timeout: seconds from now that all results must be there; None means no limit.
            chunksize: items per message to a worker; None means as many as take some 1.5 ms, fewer towards the end, and
                one if an item takes longer. An item is pickled when its message is sent, which may be later. A message
                that takes longer than expected is split: what has not begun goes to a worker without work, and is
                pickled again. With a chunksize messages are never split.
                Where `submit` was overridden or replaced, it is called for each item, or chunk if this is given.
            buffersize: most items whose results have not been taken; None means no limit.
            on_progress: called with a Progress when `fn` reports how far an item is, see `interp_pool.report`: before
                that item's result is there, in order, in a thread of the pool's, which it must not block. If it raises,
                that is logged, and it is not called again.

        Raises:
            TimeoutError: from the iterator, when the time is up.
            Exception: from the iterator, whatever `fn` raised for the item.
            TypeError: an argument has the wrong type; or, with `on_progress`, a `submit` in the place of the executor's
                own has returned something else than that would.
            ValueError: a number is out of range.
        """
        if isinstance(fn, WithOptions) and self.submits_itself:  # of a view, through a `map` that overrides this one
            return self.map_with(
                fn.options, fn.__wrapped__, iterables, timeout, chunksize, buffersize, on_progress=on_progress
            )
        return self.map_with(NO_OPTIONS, fn, iterables, timeout, chunksize, buffersize, on_progress=on_progress)

    def map_with[T](
        self,
        options: TaskOptions,
        fn: "Callable[..., T]",
        iterables: "tuple[Iterable[Any], ...]",
        timeout: float | None,
        chunksize: int | None,
        buffersize: int | None,
        through: "Executor | None" = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "Iterator[T]":
        """Do what `map` does with options; for the view that has them.

        Args:
            options: of each message.
            fn: see `map`, as what follows.
            iterables: as there.
            timeout: as there.
            chunksize: as there.
            buffersize: as there.
            through: whose `submit` is to be called for each item or chunk; None means this executor's, if it is not the
                class's own, and otherwise no `submit`.
            on_progress: see `map`.
        """
        if through is None and not self.submits_itself:
            through = self
        return self.tasks.map(options, fn, iterables, timeout, chunksize, buffersize, through, self, on_progress)

    def amap[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        ordered: bool = True,
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "AsyncResults[T]":
        """Return an asynchronous iterator over the results of `map(fn, *iterables)`: for asyncio, Trio and AnyIO.

        It sends nothing more, cancels what waits and interrupts what runs when it is closed (`aclose`), when the loop
        over it is left, or when the coroutine that waits for it is cancelled; see `run`.

        Args:
            fn: see `map`, as what is not told here.
            iterables: plain ones, consumed as `map` does.
            ordered: whether the results come in the order of the items, or as soon as they are there.
            timeout: as there.
            chunksize: as there.
            buffersize: as there.
            on_progress: as there, but called in the coroutine that takes the results, while that waits for one.
        """
        from interp_pool._executor.awaited_map import amap

        return amap(
            self, NO_OPTIONS, fn, iterables, timeout, chunksize, buffersize, None, on_progress, is_ordered=ordered
        )

    def statistics(self) -> "Statistics":
        """Return a snapshot of the counts of the executor's pool: workers and tasks by state, messages, bytes."""
        return self._pool.statistics()

    def trace(self, path: "str | PathLike[str]") -> "AbstractContextManager[None]":
        """Return what traces the executor's pool, and no other, while a `with` block runs; see `interp_pool.trace`."""
        from interp_pool._pool.tracing import trace

        return trace.of_pools(path, [self._pool])

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay. See `InterpreterPool.resize`."""
        self._pool.resize(max_workers, min_workers=min_workers)

    def renew_workers(self) -> None:
        """Give each worker a new interpreter after its task, for modules that were edited, or reloaded here.

        See `InterpreterPool.renew_workers`. On a shared pool this is so for the tasks of all its executors.
        """
        self._pool.renew_workers()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks; those that were submitted are still done.

        Args:
            wait: return only when they are done and, unless the pool is shared, all its threads have ended.
            cancel_futures: cancel the tasks that no worker has been given.

        Blocks: with `wait`, until the last of them has ended. Called from a callback of one of its own futures it does
            not wait, nor from a signal handler or a finalizer that has interrupted the executor's own code.
        """
        if wait and is_closing_after_ctrl_c():
            stop_after_ctrl_c(self)
        open_tasks = self.tasks.open_tasks
        if open_tasks is None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)
        else:
            open_tasks.close()
            self._pool.tell_submitters()
            if cancel_futures:
                self._pool.cancel_waiting(open_tasks)
            self._pool.call_off_stand_in()
            if wait and not self._pool.must_not_wait:
                try:
                    self._pool.wait_done(open_tasks)
                except KeyboardInterrupt:
                    self._pool.stop_at_once(open_tasks)
                    raise

    def terminate_workers(self) -> None:
        """Stop everything at once, and take no more tasks.

        What waits is cancelled. Running tasks are interrupted, and their futures get TaskInterrupted. A worker whose
        task is in C code cannot be ended: it goes on until that returns, without anybody waiting for it.

        Never blocks; `shutdown()` afterwards does, a quarter of a second for such tasks. On a shared pool only this
        executor's tasks are stopped.
        """
        self._stop_for_good(GRACE)

    def kill_workers(self) -> None:
        """Do what `terminate_workers` does, but give running tasks no time: their futures end now.

        They are interrupted all the same, and their `finally` blocks run.
        """
        self._stop_for_good(0.0)

    def _stop_for_good(self, grace: float) -> None:
        self.shutdown(wait=False, cancel_futures=True)
        self._pool.stop_all(grace, Reason.TERMINATED, self.tasks.open_tasks)


_OWN_SUBMIT, _OWN_MAP = InterpreterPoolExecutor.submit, InterpreterPoolExecutor.map

if IS_MAIN_INTERPRETER:  # the program is about to make one, a worker hardly ever
    import interp_pool._executor.making  # noqa: F401  # pyright: ignore[reportUnusedImport]  # from now on it is there
