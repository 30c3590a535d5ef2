"""The end of a `with` or an `async with` block over an executor.

Owns what becomes of tasks that are left then: they are waited for, or stopped after Ctrl-C. The end of an `async with`
does not block the event loop; a thread waits in its place. If the block or its end is cancelled, the tasks are stopped,
as that of `run` is, and the cancellation goes on.
"""

import threading
from concurrent.futures import Future

from interp_pool._process.ctrl_c import struck_by_ctrl_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, Self

    class Endable(Protocol):
        """An executor; its methods tell what they do."""

        tasks: Any

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...
        def terminate_workers(self) -> None: ...


class Ends:
    """What these blocks call of an executor."""

    def __exit__(self: "Endable", exc_type: type[BaseException] | None, *exc_info: object) -> None:
        if exc_type is not None and struck_by_ctrl_c(exc_type, *exc_info[:1]):
            stop_after_ctrl_c(self)
        self.shutdown()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self: "Endable", exc_type: type[BaseException] | None, *exc_info: object) -> None:
        self.shutdown(wait=False)
        if exc_type is not None:
            _stop_after(self, exc_type, *exc_info[:1])
        if exc_type is not GeneratorExit:  # then nothing may be awaited
            await _wait_for_end(self)


async def _wait_for_end(executor: "Endable") -> None:
    from interp_pool._awaiting.bell import LONGEST_STOP
    from interp_pool._awaiting.library import make_bell

    bell, end = make_bell(), Future[None]()
    end.add_done_callback(bell.add_result)
    thread = threading.Thread(target=_end, args=(executor, end), name="interp_pool end")
    thread.start()
    try:
        await bell.wait(end.done)
    except BaseException as exc:
        _stop_after(executor, type(exc), exc)
        if not isinstance(exc, GeneratorExit):
            await bell.wait_shielded(end.done, LONGEST_STOP)
        raise
    thread.join()
    end.result()


def _end(executor: "Endable", end: "Future[None]") -> None:
    """Wait for the tasks, in a thread."""
    try:
        executor.shutdown()
    except BaseException as exc:
        end.set_exception(exc)
    else:
        end.set_result(None)


def _stop_after(executor: "Endable", kind: type[BaseException], error: object = None) -> None:
    """Stop the tasks after an exception that is no error, but somebody's cancelling. Never blocks."""
    if struck_by_ctrl_c(kind, error):
        stop_after_ctrl_c(executor)
    elif not issubclass(kind, Exception):
        executor.terminate_workers()


def stop_after_ctrl_c(executor: "Endable") -> None:
    """Take no more tasks, and stop those that are left. Never blocks."""
    executor.shutdown(wait=False)
    executor.tasks.pool.stop_at_once(executor.tasks.open_tasks)
