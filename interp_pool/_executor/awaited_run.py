"""`run`: a task whose result is awaited.

Owns the way of such a task from the coroutine to the pool and back. How a coroutine is woken, and what becomes of the
task of one that is cancelled, is `_awaiting.bell`'s.
"""

from interp_pool._awaiting.bell import Bell, stop
from interp_pool._awaiting.library import make_bell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor, Future
    from typing import Any, Protocol

    from interp_pool._core.task import Task
    from interp_pool._executor.making import TaskMaker
    from interp_pool._options.task_options import TaskOptions

    class HasSubmit(Protocol):
        """What schedules calls."""

        @property
        def submit(self) -> "Callable[..., Future[Any]]": ...

    class Awaited(HasSubmit, Protocol):
        """An executor whose tasks are awaited; its methods tell what they do."""

        @property
        def submits_itself(self) -> bool: ...
        @property
        def tasks(self) -> TaskMaker: ...


def run(
    executor: "Awaited",
    options: "TaskOptions",
    fn: "Callable[..., Any]",
    args: "tuple[Any, ...]",
    kwargs: "dict[str, Any]",
    through: "Executor | None" = None,
) -> "Coroutine[Any, Any, Any]":
    """Run a call in a worker, for a coroutine to await; see `InterpreterPoolExecutor.run`.

    Args:
        executor: whose workers.
        options: of the task.
        fn: the function.
        args: its arguments.
        kwargs: likewise.
        through: whose `submit` is to be called; None means the executor's, if it is not the class's own, and otherwise
            no `submit`.
    """
    if through is None and executor.submits_itself:
        return _run(executor.tasks, options, fn, args, kwargs)
    return _run_by_submit(through or executor, options, fn, args, kwargs)


async def _run(
    maker: "TaskMaker",
    options: "TaskOptions",
    fn: "Callable[..., Any]",
    args: "tuple[Any, ...]",
    kwargs: "dict[str, Any]",
) -> "Any":
    bell = make_bell()
    future, item = maker.make(options, fn, args, kwargs)
    if item is not None:
        future.watch(bell)
        await _give(maker, item, bell)
        del item
    try:
        return await _outcome(future, bell, is_interrupting=options.interrupt_on_cancel is not False)
    finally:
        del future  # the exception's traceback holds this frame


async def _run_by_submit(
    executor: "HasSubmit",
    options: "TaskOptions",
    fn: "Callable[..., Any]",
    args: "tuple[Any, ...]",
    kwargs: "dict[str, Any]",
) -> "Any":
    """Do the same where `submit` is not the executor's own: by that, which may block."""
    bell = make_bell()
    future: Future[Any] = executor.submit(fn, *args, **kwargs)
    future.add_done_callback(bell.add_result)
    try:
        return await _outcome(future, bell, is_interrupting=options.interrupt_on_cancel is not False)
    finally:
        del future  # as above


async def _give(maker: "TaskMaker", item: "Task", bell: Bell) -> None:
    """Give a task to the pool; while too many wait, the coroutine does."""
    open_tasks = maker.open_tasks
    try:
        if open_tasks is not None:
            open_tasks.begin(item)
        await _wait_for_room(maker, item, bell)
    except BaseException:
        if open_tasks is not None:
            open_tasks.end(item)
        raise


async def _wait_for_room(maker: "TaskMaker", item: "Task", bell: Bell) -> None:
    bell.is_rung = False
    while not maker.pool.submit(item, waiter=bell):
        await bell.wait(lambda: bell.is_rung)
        bell.is_rung = False


async def _outcome(future: "Future[Any]", bell: Bell, *, is_interrupting: bool) -> "Any":
    try:
        pool = getattr(future, "pool", None)
        if pool is not None:
            bell.lodge_with(pool)
        del pool
        await bell.wait(future.done)
    except BaseException as exc:
        await stop(bell, [future], exc, is_interrupting=is_interrupting)
        raise
    try:
        return future.result(0)
    finally:
        del future  # the exception's traceback holds this frame
