"""joblib on worker interpreters: `register()`, then `joblib.parallel_config("interpreters")`.

Owns the backend that `joblib.Parallel` runs its batches on: which arguments become the executor's, how a batch becomes
a task, and what an abort stops. Batching, ordering, generators and timeouts are joblib's own.

An executor belongs to one call of Parallel at a time, or to one `with Parallel(...)` block, so an abort may stop all
its tasks. Between calls one executor is kept: workers have the program's modules loaded, and the next call with the
same parameters sends its first batch at once. As with loky, what was edited meanwhile is not seen; `reuse=True` keeps
none.

joblib cannot be imported in a worker as it is, for loky wants `faulthandler` and multiprocessing. With a variable that
joblib documents it does without both, so workers see that variable in their own `os.environ`.

Source: "Implementing a new backend" of joblib's documentation; names of `joblib.parallel`, tested with joblib 1.5.0 and
1.6.0.
"""

from functools import partial

from interp_api import encode_call, portable
from interp_pool._core.task import name_task
from interp_pool._errors import TaskPicklingError
from interp_pool._executor.executor import InterpreterPoolExecutor
from interp_pool._executor.refusals import failed_future, pickling_error
from interp_pool._futures.stopping import GRACE
from interp_pool._options.task_options import NO_OPTIONS
from interp_pool._worker.joblib_calls import run_calls
from interp_pool._workers.environment import add_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, ClassVar, Protocol

    from interp_pool._futures.task_future import TaskFuture

    class Batch(Protocol):
        """What joblib gives to a backend: a BatchedCalls."""

        @property
        def items(self) -> "list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]":
            """The calls of the batch."""
            ...

    # What is used of joblib, which has no types.

    class SequentialBackend:
        """Runs everything in the calling thread."""

        def __init__(self, nesting_level: int | None = None) -> None: ...

    class FallbackToBackend(Exception):
        """Raised by `configure`: Parallel uses another backend."""

        def __init__(self, backend: SequentialBackend) -> None: ...

    class AutoBatchingMixin:
        """Finds out how many calls make a batch."""

        MIN_IDEAL_BATCH_DURATION: ClassVar[float]
        MAX_IDEAL_BATCH_DURATION: ClassVar[float]

        def reset_batch_stats(self) -> None:
            """Forget what was found out."""

    class ParallelBackendBase:
        """What all backends have."""

        default_n_jobs: ClassVar[int]
        supports_retrieve_callback: ClassVar[bool]
        nesting_level: int | None
        backend_kwargs: dict[str, Any]

    EXTERNAL_BACKENDS: dict[str, Callable[[], None]]

    def cpu_count() -> int:
        """Return how many processors this process may use."""
        ...

    def register_parallel_backend(name: str, factory: type[ParallelBackendBase]) -> None:
        """Have a name stand for a backend."""
else:
    try:
        from joblib.parallel import (
            EXTERNAL_BACKENDS,
            AutoBatchingMixin,
            FallbackToBackend,
            ParallelBackendBase,
            SequentialBackend,
            cpu_count,
            register_parallel_backend,
        )
    except ImportError as exc:
        raise ImportError(f"interp_pool.joblib needs joblib ({exc}): pip install 'interp-pool[joblib]'") from exc
    if not hasattr(ParallelBackendBase, "submit"):
        raise ImportError("interp_pool.joblib needs joblib 1.5 or newer: pip install 'interp-pool[joblib]'")

NAME = "interpreters"
_NOT_OURS = (  # what joblib gives to each backend
    *("max_nbytes", "temp_folder", "mmap_mode", "context"),  # of processes
    *("prefer", "require", "verbose"),  # it has dealt with these itself
)
_PLAIN = (bool, int, float, str, type(None))
_REMEDY = f'with joblib: parallel_config("{NAME}", fallback="process")'
_kept: "list[tuple[dict[str, Any], InterpreterPoolExecutor]]" = []  # with its options; mostly one


def _take_kept(options: "dict[str, Any]") -> InterpreterPoolExecutor | None:
    """Return the executor that was kept, if it was made with the same options; otherwise it ends."""
    while _kept:
        try:
            others, executor = _kept.pop()
        except IndexError:  # another thread has taken it
            break
        if others.keys() == options.keys() and all(_is_same(others[name], value) for name, value in options.items()):
            return executor
        executor.shutdown(wait=False)
    return None


def _is_same(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _PLAIN and one == other)


def _keep(options: "dict[str, Any]", executor: InterpreterPoolExecutor) -> None:
    _kept.append((options, executor))
    while len(_kept) > 1:
        _, oldest = _kept.pop(0)
        oldest.shutdown(wait=False)


def close_idle() -> None:
    """Shut down the executor that is kept for the next call of `joblib.Parallel`; its interpreters stay warm.

    Blocks: until its threads have ended.

    Thread safety: yes.
    """
    while _kept:
        _, executor = _kept.pop()
        executor.shutdown()


class InterpreterBackend(AutoBatchingMixin, ParallelBackendBase):
    """Runs batches in worker interpreters.

    Its parameters, in `parallel_config` or in `Parallel`, are those of `InterpreterPoolExecutor`, but for the number of
    workers, which is `n_jobs`, and `pool`. Unless they are given, `reuse` is "modules", and `unread` "ignore": Parallel
    raises one error itself, and the others are of no interest then.

    Thread safety: as that of the Parallel that uses it, which calls from its own thread and from callbacks.
    """

    supports_retrieve_callback = True  # and with it timeouts and generators
    default_n_jobs = -1
    # Seconds. A message costs some 20 us, not the milliseconds of a process with its pickles of joblib.
    MIN_IDEAL_BATCH_DURATION = 0.02
    MAX_IDEAL_BATCH_DURATION = 0.2

    _executor: InterpreterPoolExecutor | None = None
    _options: "dict[str, Any]"  # it was made with
    _was_aborted = False

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many workers there are for a number as users give it: None is 1, -1 all processors.

        Raises:
            ValueError: it is 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return max(cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: object = None, **given: "Any") -> int:
        """Make the executor; return the number of its workers.

        Raises:
            FallbackToBackend: there is to be one worker, which is the calling thread.
            TypeError: there is no such argument, or it has the wrong type.
            ValueError: a number is out of range.
        """
        count = self.effective_n_jobs(n_jobs)
        if count == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        options: dict[str, Any] = {"reuse": "modules", "unread": "ignore", **self.backend_kwargs, **given}
        for name in _NOT_OURS:
            options.pop(name, None)
        for name in ("max_workers", "pool"):
            if name in options:
                raise TypeError(
                    f"{name} cannot be given to the {NAME!r} backend: n_jobs says how many workers there are"
                )
        self.parallel, self._options, self._was_aborted = parallel, options, False
        self._executor = _take_kept(options)
        if self._executor is None:
            self._executor = InterpreterPoolExecutor(count, **options)
        elif self._executor._max_workers != count:  # pyright: ignore[reportPrivateUsage]  # theirs, as all executors have it
            self._executor.resize(count)
        return count

    def get_nested_backend(self) -> "tuple[SequentialBackend, None]":
        """Return what calls of Parallel inside a task use; `run_calls` sees to it there."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None

    def submit(
        self, func: "Batch", callback: "Callable[[Future[list[Any]]], object] | None" = None
    ) -> "TaskFuture[list[Any]]":
        """Send a batch. Blocks as `InterpreterPoolExecutor.submit` does.

        Raises nothing: a callback that sends the next batch could not tell the call of Parallel. The future does.
        """
        executor = self._executor
        if executor is None:
            raise RuntimeError("this call of Parallel has ended")
        functions = {id(call[0]): call[0] for call in func.items}
        first, *others = functions.values()
        meant = partial(first, *others) if others else first  # a route may name any of them
        try:
            calls = [(portable(function), args, kwargs) for function, args, kwargs in func.items]
            future = executor.submit_with(NO_OPTIONS, run_calls, (calls,), {}, meant=meant)
        except Exception as exc:  # it is shut down, because the process ends, or broken
            future = _failed(executor, meant, exc)
        if future.done() and not future.cancelled() and type(future.exception()) is TaskPicklingError:
            future = _refused(executor, func) or future
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: "TaskFuture[list[Any]]") -> "list[Any]":
        """Return the results of a batch that is done, or raise what it raised."""
        try:
            return out.result()
        except ImportError as exc:
            is_refusal = 'fallback="process"' in str(exc)  # of a module that no worker can load
            if is_refusal and not self._options.get("fallback"):
                exc.add_note(_REMEDY)
            raise

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002  # it is ready either way
        """Cancel what waits, and stop what runs; the workers stay, and take what is sent next. Never blocks."""
        if self._executor is not None:
            self._was_aborted = True
            self._executor._pool.stop_all(GRACE)  # pyright: ignore[reportPrivateUsage]  # it has no other tasks

    def terminate(self) -> None:
        """Have the executor kept for the next call, or end.

        Blocks: only if it ends, until it has; not after an abort: a task that does not stop is left behind.
        """
        executor, self._executor = self._executor, None
        if executor is not None:
            if self._options["reuse"] == "modules" and not executor._broken:  # pyright: ignore[reportPrivateUsage]  # as above
                _keep(self._options, executor)
            else:
                executor.shutdown(wait=not self._was_aborted)
        self.reset_batch_stats()


def _refused(executor: InterpreterPoolExecutor, batch: "Batch") -> "TaskFuture[Any] | None":
    """Return a future whose error names the call that cannot be pickled, None if all can."""
    for call in batch.items:
        try:
            encode_call(*call)
        except Exception as exc:
            return _failed(executor, call[0], pickling_error(*call, exc))
    return None


def _failed(executor: InterpreterPoolExecutor, function: object, error: Exception) -> "TaskFuture[Any]":
    pool = executor._pool  # pyright: ignore[reportPrivateUsage]  # as above
    return failed_future(pool, name_task(function, None, is_map=False), error)


def register() -> None:
    """Have `joblib.parallel_config("interpreters")` and `joblib.Parallel(backend="interpreters")` use interpreters.

    From now on worker interpreters, those of all executors, see `JOBLIB_MULTIPROCESSING=0` in their `os.environ`, and
    can import joblib. Doing so again does no harm.

    Thread safety: yes.
    """
    add_variable("JOBLIB_MULTIPROCESSING", "0")
    EXTERNAL_BACKENDS[NAME] = register
    register_parallel_backend(NAME, InterpreterBackend)
