"""InterpreterPoolExecutor: the `concurrent.futures` interface on top of a pool.

Owns the arguments, their checks and what the futures mean to the caller; everything else is the pool's.
"""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import overload

import interp_api
from interp_pool._errors import BrokenInterpreterPool, TaskPicklingError
from interp_pool._future import TaskFuture
from interp_pool._lazy_future import start_new
from interp_pool._ledger import Ledger
from interp_pool._map import MapRun
from interp_pool._messages import TIMED
from interp_pool._options import DEFAULT_IDLE_TIMEOUT, check_seconds
from interp_pool._pool import InterpreterPool
from interp_pool._stopping import GRACE, Reason, TaskControl
from interp_pool._task_options import NO_OPTIONS, TaskOptions
from interp_pool._view import ExecutorView
from interp_pool._work import WorkItem, without_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypedDict, Unpack

    from interp_pool._messages import Payload
    from interp_pool._options import WhenFull
    from interp_pool._statistics import Statistics

    class Options(TypedDict, total=False):
        """What `options` takes."""

        timeout: float | None
        deadline: float | None
        priority: int
        name: str | None
        interrupt_on_cancel: bool


class InterpreterPoolExecutor(ThreadPoolExecutor):
    """An executor whose workers are interpreters of this process, each with its own GIL.

    Works where a `ProcessPoolExecutor` does: tasks and results are copied by pickle, functions are found by reference.

    Thread safety: all methods may be called from several threads at once.

    Source: `concurrent.futures.InterpreterPoolExecutor`, CPython 3.14; `ProcessPoolExecutor` for `max_tasks_per_child`
    and `chunksize`.
    """

    BROKEN = BrokenInterpreterPool

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: "Callable[..., object] | None" = None,
        initargs: tuple[object, ...] = (),
        *,
        mp_context: object = None,  # noqa: ARG002  # see below
        max_tasks_per_child: int | None = None,
        max_leftover_threads: int | None = None,
        reuse: bool = True,
        idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
        min_workers: int = 0,
        max_backlog: int | None = None,
        when_full: "WhenFull" = "block",
        exit_timeout: float | None = None,
        pool: InterpreterPool | None = None,
    ) -> None:
        """Make an executor; workers start when there is work for them.

        Args:
            max_workers: most interpreters at a time; None means `os.process_cpu_count()`.
            thread_name_prefix: the workers' threads are named so, with a number.
            initializer: called in each worker before its first task.
            initargs: its arguments.
            mp_context: accepted, and without effect, so that a call of ProcessPoolExecutor needs no change.
            max_tasks_per_child: a worker gets a new interpreter after so many tasks; None means never.
            max_leftover_threads: a worker gets a new interpreter once its tasks have left more threads than so many
                running in it; the old one is closed when these have ended. None means never.
            reuse: whether interpreters that other executors left warm are used, and left warm at the end.
            idle_timeout: seconds without a new task after which workers that have nothing to do end, and seconds their
                interpreters, and those of the executor at its end, are kept for other executors then; None means for
                ever.
            min_workers: workers that start at once and stay.
            max_backlog: most tasks that wait without having been sent to a worker, a few milliseconds of work ahead;
                None means no limit. Batches of `map` do not count: there are few of them.
            when_full: whether `submit` then blocks until there is room, or raises QueueFull.
            exit_timeout: seconds that the exit of the process waits for the executor's tasks; then it stops those that
                run, and cancels the others. None means no limit, as in the standard library.
            pool: run the tasks in this pool instead of one of the executor's own; then none of the arguments above that
                describe workers may be given, and shutting the executor down leaves the pool open.

        Raises:
            TypeError: an argument has the wrong type, or was given together with `pool`.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.
        """
        if pool is None:
            self._pool = InterpreterPool(
                max_workers,
                thread_name_prefix=thread_name_prefix,
                initializer=initializer,
                initargs=initargs,
                max_tasks_per_child=max_tasks_per_child,
                max_leftover_threads=max_leftover_threads,
                reuse=reuse,
                idle_timeout=idle_timeout,
                min_workers=min_workers,
                max_backlog=max_backlog,
                when_full=when_full,
                exit_timeout=exit_timeout,
            )
        else:
            _check_pool(pool)
            given = (max_workers, initializer, max_tasks_per_child, max_leftover_threads, max_backlog, exit_timeout)
            differing = thread_name_prefix or initargs or not reuse or idle_timeout != DEFAULT_IDLE_TIMEOUT
            if any(value is not None for value in given) or differing or min_workers or when_full != "block":
                raise TypeError("pool cannot be combined with arguments that describe workers: give them to the pool")
            self._pool = pool
        self._ledger = None if pool is None else Ledger()
        if pool is None:
            # A forgotten executor still finishes its tasks; its workers then end.
            weakref.finalize(self, self._pool.forget).atexit = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._pool!r}>"

    @property
    def _max_workers(self) -> int:  # type: ignore[override]  # read-only, as all of these: they are the pool's
        return self._pool.max_workers

    @property
    def _threads(self) -> set[threading.Thread]:  # type: ignore[override]  # see above
        return self._pool.worker_threads

    @property
    def _thread_name_prefix(self) -> str:  # type: ignore[override]  # see above
        return self._pool.thread_name_prefix

    @property
    def _broken(self) -> "BaseException | str | bool":  # type: ignore[override]  # see above
        return self._pool.broken or False

    @property
    def _shutdown(self) -> bool:  # type: ignore[override]  # see above
        return self._pool.is_shut_down if self._ledger is None else self._ledger.is_closed

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
        try:
            payload = interp_api.encode_call(fn, args, kwargs)
        except Exception as exc:
            return self._refuse(fn, args, kwargs, exc)
        future: TaskFuture[T] = TaskFuture(self._pool)
        item = WorkItem(future, fn, payload, self._ledger)
        if self._ledger is None:
            self._pool.submit(item)
        else:
            self._submit_noted(item, self._ledger)
        return future

    def submit_with[T](
        self, options: TaskOptions, fn: "Callable[..., T]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]"
    ) -> "TaskFuture[T]":
        """Do what `submit` does for a task with options; for the view that has them."""
        try:
            payload = interp_api.encode_call(fn, args, kwargs)
        except Exception as exc:
            return self._refuse(fn, args, kwargs, exc)
        future: TaskFuture[T] = TaskFuture(self._pool)
        future.is_interrupted_by_cancel = options.interrupt_on_cancel
        flags = 0 if options.timeout is None else TIMED
        item = WorkItem(future, fn, payload, self._ledger, flags, control=TaskControl(options))
        if options.is_too_late():
            self._check_open()
            return _failed(TaskControl(options, Reason.DEADLINE).error(item.name, "was not started"))
        if self._ledger is None:
            self._pool.submit(item)
        else:
            self._submit_noted(item, self._ledger)
        return future

    def _submit_noted(self, item: WorkItem, ledger: Ledger) -> None:
        """Submit to a pool that others share."""
        try:
            if self._pool.broken is not None:
                self._pool.check_open()  # in a forked child the ledger's lock may be held for ever
            ledger.begin(item)
            self._pool.submit(item)
        except BaseException:
            ledger.end(item)
            raise

    def _refuse(
        self, fn: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", exc: Exception
    ) -> "TaskFuture[Any]":
        """Return the future of a task that cannot be pickled."""
        self._check_open()
        return _failed(_pickling_error(fn, args, kwargs, without_frames(exc)))

    def options(self, **options: "Unpack[Options]") -> ExecutorView:
        """Return an executor that runs tasks here, each with these options.

        It is an Executor itself: `executor.options(timeout=1).submit(...)`, or `loop.run_in_executor(view, ...)`.
        (`loop.set_default_executor` wants the executor, which is a ThreadPoolExecutor for it.)

        Args:
            options: any of these.

                timeout: seconds a task may run, counted from when a worker has loaded it. Then it is interrupted, and
                    its future gets a TimeoutError; 0.25 s later at the latest, also if the task does not stop: see
                    `interrupt` of the future.
                deadline: a time on the clock of `time.monotonic()`. A task that is not done then gets a TimeoutError:
                    if it runs it is interrupted, otherwise it is not started.
                priority: an int; among tasks that wait, those with a higher one go first. Others get one turn in
                    eight. Tasks that were already sent to the workers, a few milliseconds ahead, are not overtaken.
                name: what messages call the task, instead of its function's name.
                interrupt_on_cancel: whether `cancel()` of the future, also through the asyncio future that wraps it,
                    interrupts the task if it runs.

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
        """
        return ExecutorView(self, NO_OPTIONS.replace(dict(options)))

    def _check_open(self) -> None:
        self._pool.check_open()
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")

    @overload  # type: ignore[override]  # narrower: a wrong argument is an error
    def map[T, A1](
        self,
        fn: "Callable[[A1], T]",
        iterable1: "Iterable[A1]",
        /,
        *,
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> "Iterator[T]": ...

    @overload
    def map[T, A1, A2](
        self,
        fn: "Callable[[A1, A2], T]",
        iterable1: "Iterable[A1]",
        iterable2: "Iterable[A2]",
        /,
        *,
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> "Iterator[T]": ...

    @overload
    def map[T, A1, A2, A3](
        self,
        fn: "Callable[[A1, A2, A3], T]",
        iterable1: "Iterable[A1]",
        iterable2: "Iterable[A2]",
        iterable3: "Iterable[A3]",
        /,
        *,
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
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
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> "Iterator[T]": ...

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order.

        Args:
            fn: takes as many arguments as there are iterables.
            iterables: consumed at once, or with `buffersize` as results are taken.
            timeout: seconds from now that all results must be there; None means no limit.
            chunksize: items per message to a worker; None means as many as take some 1.5 ms, fewer towards the end, and
                one if an item takes longer. An item is pickled when its message is sent, which may be later.
            buffersize: most items whose results have not been taken; None means no limit.

        Raises:
            TimeoutError: from the iterator, when the time is up.
            Exception: from the iterator, whatever `fn` raised for the item.
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
        """
        return self.map_with(NO_OPTIONS, fn, iterables, timeout, chunksize, buffersize)

    def map_with[T](
        self,
        options: TaskOptions,
        fn: "Callable[..., T]",
        iterables: "tuple[Iterable[Any], ...]",
        timeout: float | None,
        chunksize: int | None,
        buffersize: int | None,
    ) -> "Iterator[T]":
        """Do what `map` does with options; for the view that has them."""
        _check_size("chunksize", chunksize)
        _check_size("buffersize", buffersize)
        if timeout is not None:
            check_seconds("timeout", timeout)
        end = None if timeout is None or timeout > threading.TIMEOUT_MAX / 2 else monotonic() + timeout
        self._check_open()
        run = MapRun(self._pool, self._ledger, _encode_batch, fn, iterables, chunksize, buffersize, options)
        return run.results(end, keeps=None if buffersize is None else self)

    def statistics(self) -> "Statistics":
        """Return a snapshot of the counts of the executor's pool: workers and tasks by state, messages, bytes."""
        return self._pool.statistics()

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay. See `InterpreterPool.resize`."""
        self._pool.resize(max_workers, min_workers=min_workers)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks; those that were submitted are still done.

        Args:
            wait: return only when they are done and, unless the pool is shared, all its threads have ended.
            cancel_futures: cancel the tasks that no worker has been given.

        Blocks: with `wait`, until the last of them has ended. Called from a callback of one of its own futures it does
            not wait.
        """
        if self._ledger is None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)
        elif not self._pool.is_forked:
            self._ledger.close()
            self._pool.tell_submitters()
            if cancel_futures:
                self._pool.cancel_backlog(self._ledger)
            self._pool.call_off_stand_in()
            if wait and not self._pool.is_managed_here:
                try:
                    self._ledger.wait_done()
                except KeyboardInterrupt:
                    self._pool.stop_at_once(self._ledger)
                    raise

    def __exit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt):
            self.shutdown(wait=False)
            self._pool.stop_at_once(self._ledger)
        self.shutdown()

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
        self._pool.stop_all(grace, Reason.TERMINATED, self._ledger)


def _encode_batch(fn: "Callable[..., Any]", items: list[object], *, is_single: bool) -> "Payload":
    """Encode a batch of map.

    Raises:
        TaskPicklingError: the function or an item cannot be pickled.
    """
    try:
        return interp_api.encode_call(fn, (items,), {})
    except Exception as exc:
        args: Any = items if is_single else items[0]
        error = _pickling_error(fn, args, {}, without_frames(exc))
    raise error


def _check_pool(pool: object) -> None:
    if not isinstance(pool, InterpreterPool):
        raise TypeError(f"pool must be an InterpreterPool, got {pool!r}")


def _check_size(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer or None, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be None or > 0, got {value}")


def _failed(error: BaseException) -> "TaskFuture[Any]":
    future: TaskFuture[Any] = TaskFuture()
    start_new(future)
    future.set_exception(error)
    return future


def _pickling_error(
    fn: object, args: tuple[object, ...], kwargs: dict[str, object], exc: BaseException
) -> TaskPicklingError:
    """Name what cannot be pickled: the function or one of the arguments."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    for what, obj in _parts(fn, args, kwargs):
        try:
            interp_api.encode(obj, share=True)
        except Exception as own:
            culprit = f"{what} of {name}()" if what else name
            exc = without_frames(own)
            break
    else:
        culprit = f"{name}() and its arguments"
    error = TaskPicklingError(f"cannot send {culprit}: {exc}")
    error.__cause__ = exc
    return error


def _parts(fn: object, args: tuple[object, ...], kwargs: dict[str, object]) -> "Iterator[tuple[str, object]]":
    yield "", fn
    for position, arg in enumerate(args, 1):
        yield f"argument {position}", arg
    for key, arg in kwargs.items():
        yield f"argument {key!r}", arg
