"""What is sent in place of a task's function, as the options of the task say; the function itself, mostly.

The pool keeps the user's function for names and routes.
"""

import os

from interp_pool._core.task import plain_name
from interp_pool._errors import TaskPicklingError
from interp_pool._pool.outcomes import without_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._options.task_options import TaskOptions


def sent_for(function: "Callable[..., Any]", options: "TaskOptions", *, is_item: bool = False) -> "Callable[..., Any]":
    """Return what to send in place of a function: its calls may be measured or shown, or run in the caller's context.

    Args:
        function: the user's.
        options: of its task.
        is_item: whether it is called for items of a map, whose messages have the flag PROFILED.

    Raises:
        TaskPicklingError: the value of a context variable that is to go along cannot be pickled.
    """
    if options.show_name:
        from interp_pool._worker.shown import shown

        function = shown(function, plain_name(function, options))
    if options.profile is not None:
        from interp_pool._worker.profiling import measured

        function = measured(function, os.fspath(options.profile), is_item=is_item)
    return _in_context(function, options) if options.context else function


def _in_context(function: "Callable[..., Any]", options: "TaskOptions") -> "Callable[..., Any]":
    from interp_pool._seeing.carrying import Carried  # only where there is a context

    declared: Any = options.context  # as it was checked
    try:
        return Carried(declared).around(function)
    except TaskPicklingError as exc:
        error = exc
    if error.__cause__ is not None:
        without_frames(error.__cause__)
    raise error.with_traceback(None)  # its frames would keep the task
