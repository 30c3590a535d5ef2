"""What a worker process is told of a task that has ended: the dict that the function of its own threads returns."""

import os
import threading
from time import time

from interp_api import ExecutionFailed
from interp_pool._dask import host
from interp_pool._wire.failures import set_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    type Answer = dict[str, Any]

_HERE = os.path.join(os.path.dirname(__file__), "")


def finished(result: object, began: float, ended: float, thread: int) -> "Answer":
    """Return the answer of a task that returned.

    Args:
        result: of it.
        began: when, as `time.time()` tells it.
        ended: when.
        thread: that ran it.
    """
    return {
        "op": "task-finished",
        "status": "OK",
        "result": result,
        "nbytes": host.sizeof(result),
        "type": None if result is None else type(result),
        "start": began,
        "stop": ended,
        "thread": thread,
    }


def erred(error: BaseException, began: float) -> "Answer":
    """Return the answer of a task that failed.

    Args:
        error: of it.
        began: when, as `time.time()` tells it.
    """
    try:
        raise error  # the message is made of what is being handled
    except BaseException as exc:
        set_traceback(exc, _without_own_frames(exc.__traceback__))
        answer: Answer = host.error_message(exc)
    if isinstance(error.__cause__, ExecutionFailed):
        answer["traceback_text"] = str(error.__cause__)  # where it was raised: in the interpreter
    return answer | {
        "op": "task-erred",
        "actual_exception": error,
        "start": began,
        "stop": time(),
        "thread": threading.get_ident(),
    }


def _without_own_frames(traceback: "TracebackType | None") -> "TracebackType | None":
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_HERE):
        traceback = traceback.tb_next
    return traceback


def put_back(began: float) -> "Answer":
    """Return the answer of a task that was stopped because nobody wanted it: who wants it again has it run again."""
    return erred(host.Reschedule(), began)
