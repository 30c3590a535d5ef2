"""What `current_executor()` returns: an executor face of the pool that the calling task runs in.

Owns the arguments and what the futures mean to the caller. How a task waits for its own tasks is `_nested.nest`'s.
"""

import sys
from concurrent.futures import Executor
from functools import partial

import interp_api
from interp_pool._core.task import Task, name_task
from interp_pool._errors import TaskPicklingError
from interp_pool._executor.map_by_submit import map_by_submit
from interp_pool._executor.refusals import fail_unsent, pickling_error
from interp_pool._executor.wrapping import sent_for
from interp_pool._futures.stopping import Reason, TaskControl
from interp_pool._nested.futures import NestedFuture
from interp_pool._nested.nest import Nest
from interp_pool._options.checks import check_map
from interp_pool._options.declared import keywords
from interp_pool._options.task_options import NO_OPTIONS, TaskOptions
from interp_pool._pool.outcomes import without_frames
from interp_pool._wire.messages import INITIALIZING, TASK
from interp_pool._worker.loop import serving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from interp_pool._futures.progress import Progress
    from interp_pool._nested.children import Children
    from interp_pool._wire.messages import Payload


def current_executor() -> "CurrentExecutor":
    """Return an executor that submits to the pool which runs the calling task.

    Waiting for its futures in the thread of the task runs other tasks of the pool meanwhile, so tasks may submit tasks
    and wait for them, however few workers there are.

    Returns:
        An executor of the calling task's: of no use once that has ended.

    Raises:
        RuntimeError: the caller is no task that runs in a worker interpreter.

    Thread safety: it may be called in threads that the task has started, too.
    """
    served = serving()
    if served is None:
        raise RuntimeError(
            "current_executor() is for tasks that run in a worker interpreter; this is none: it is the program itself, "
            "an initializer, a task in a process or on a thread of the fallback, or an interpreter that was lent"
        )
    control, _, _, board, _, _ = served
    work_id = board[TASK]
    if not 0 < work_id < INITIALIZING:
        raise RuntimeError("current_executor() is for tasks, and this worker runs none now")
    if control.nest is None:
        control.nest = Nest(served)
    nest: Any = control.nest
    return CurrentExecutor(nest, nest.children_of(work_id), _inherited())


def _inherited() -> TaskOptions:
    """Return the options of tasks of a task that are given none: what goes along with that goes along with these."""
    carried: Any = sys.modules.get("interp_pool._worker.carried")
    declared = None if carried is None else carried.declared()
    return NO_OPTIONS if declared is None else NO_OPTIONS.replace({"context": declared})


class CurrentExecutor(Executor):
    """An executor whose tasks are those of another task, its parent, and run in the same pool.

    Thread safety: all methods, in the interpreter of the parent. In its other threads waiting does not run tasks.
    """

    def __init__(self, nest: Nest, children: "Children", options: TaskOptions) -> None:
        self._nest, self._children, self._options = nest, children, options
        self._told = options if options is NO_OPTIONS else _without_what_goes_with_the_function(options)
        self._is_shut_down = False

    def __repr__(self) -> str:
        state = "over" if self._children.is_over else f"with {self._children.count} tasks"
        return f"<{type(self).__name__} of a task, {state}>"

    @keywords(TaskOptions)
    def options(self, **options: "Any") -> "CurrentExecutor":
        """Return an executor of the same task whose tasks have these options.

        {options}

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
            OSError: the file of a profile cannot be written.
        """
        return CurrentExecutor(self._nest, self._children, self._options.replace(options))

    def submit[**P, T](self, fn: "Callable[P, T]", /, *args: "P.args", **kwargs: "P.kwargs") -> "NestedFuture[T]":
        """Schedule `fn(*args, **kwargs)` in the pool: in another worker, or in this one while the parent waits.

        It is pickled now, and arrives as a copy wherever it runs: memoryviews, too, which are not shared. Never blocks,
        and `max_backlog` does not count it.

        Returns:
            The task's future. If the task cannot be pickled, it has a TaskPicklingError.

        Raises:
            RuntimeError: the parent has ended, or this executor was shut down.
        """
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: NestedFuture[T] = NestedFuture(self._nest)
        try:
            sent = sent_for(fn, self._options)
        except TaskPicklingError as exc:
            return fail_unsent(future, name_task(fn, self._options, is_map=False), exc)
        try:
            payload = _encode(sent, args, kwargs)
        except Exception as exc:
            if not interp_api.comes_again(exc, partial(_encode, fn, args, kwargs)):
                raise
            return fail_unsent(
                future, name_task(fn, None, is_map=False), pickling_error(fn, args, kwargs, without_frames(exc))
            )
        options = self._told
        control = None if options is NO_OPTIONS else TaskControl(options)
        child = Task(future, fn, payload, control=control)
        future.is_interrupted_by_cancel = bool(options.interrupt_on_cancel)
        if options.is_too_late():
            return fail_unsent(
                future, child.name, TaskControl(options, Reason.DEADLINE).error(child.name, "was not started")
            )
        self._nest.add(self._children, child)
        return future

    def map[T](
        self,
        fn: "Callable[..., T]",
        *iterables: "Iterable[Any]",
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
        on_progress: "Callable[[Progress], object] | None" = None,
    ) -> "Iterator[T]":
        """Return an iterator over the results of `map(fn, *iterables)`, in order. Taking one runs tasks meanwhile.

        Args:
            fn: takes as many arguments as there are iterables.
            iterables: consumed before this returns, or with `buffersize` as results are taken.
            timeout: seconds from now that all results must be there; None means no limit.
            chunksize: items per task; None means one.
            buffersize: most tasks whose results have not been taken; None means no limit.
            on_progress: called with a Progress when `fn` reports how far an item is, see `interp_pool.report`: while
                results are waited for, in this task, or in that of the item if it runs on top of this one. If it
                raises, that is logged, and it is not called again.

        Raises:
            TimeoutError: from the iterator, when the time is up.
            Exception: from the iterator, whatever `fn` raised for the item.
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
        """
        end = check_map(timeout, chunksize, buffersize)
        through: Executor = self
        if on_progress is not None:
            from interp_pool._executor.followed import Followed
            from interp_pool._seeing.reports import Listener

            through = Followed(self, Listener(on_progress), is_chunked=(chunksize or 1) > 1)
        return map_by_submit(through, fn, iterables, end, chunksize or 1, buffersize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further tasks of this executor; the pool goes on.

        Args:
            wait: return only when the tasks of the parent are done.
            cancel_futures: cancel those that no worker has begun.

        Blocks: with `wait`, until they have ended, running tasks meanwhile.
        """
        self._is_shut_down = True
        self._nest.end_children(self._children, is_cancelled=cancel_futures, waits=wait)


def _without_what_goes_with_the_function(options: TaskOptions) -> TaskOptions:
    """Return options without those that are the function's: the pool has no use for them."""
    given = {name: value for name, value in options.given().items() if name not in {"context", "profile"}}
    return TaskOptions(**given) if given else NO_OPTIONS


def _encode(fn: "Callable[..., Any]", args: tuple[object, ...], kwargs: dict[str, object]) -> "Payload":
    """Encode a call whose payload may outlive this interpreter."""
    payload = interp_api.encode_call(fn, args, kwargs)
    if type(payload) is bytes:
        return payload
    return interp_api.encode((interp_api.portable(fn), args, kwargs), share=False)
