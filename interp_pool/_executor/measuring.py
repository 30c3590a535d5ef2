"""Functions whose calls are to be measured: where the options of a task have a profile, and nothing else where not."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._options.task_options import TaskOptions


def measured_call(function: "Callable[..., Any]", options: "TaskOptions") -> "Callable[..., Any]":
    """Return what to call in place of a task's function."""
    return function if options.profile is None else _measured(function, options, is_item=False)


def measured_item(function: "Callable[..., Any]", options: "TaskOptions") -> "Callable[..., Any]":
    """Return what to call in place of the function of a map; its messages have the flag PROFILED."""
    return function if options.profile is None else _measured(function, options, is_item=True)


def _measured(function: "Callable[..., Any]", options: "TaskOptions", *, is_item: bool) -> "Callable[..., Any]":
    from interp_pool._worker.profiling import measured

    assert options.profile is not None
    return measured(function, os.fspath(options.profile), is_item=is_item)
