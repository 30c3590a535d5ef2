"""What a pool is made with: the checks of its arguments, and their defaults."""

import itertools
import os
import sys
import threading

import interp_api
from interp_pool._errors import TaskPicklingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from interp_pool._messages import Payload

    type WhenFull = Literal["block", "raise"]

DEFAULT_IDLE_TIMEOUT = 60.0  # seconds a warm interpreter of 2.5 MB and more is kept for the next executor

_pool_counter = itertools.count().__next__


class PoolOptions:
    """The arguments of a pool, checked. `initializer` is the payload of (function, args, kwargs)."""

    __slots__ = (
        "exit_timeout",
        "idle_timeout",
        "initializer",
        "is_named",
        "max_backlog",
        "max_leftover_threads",
        "max_tasks_per_child",
        "max_workers",
        "min_workers",
        "reuse",
        "thread_name_prefix",
        "when_full",
    )

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: "Callable[..., object] | None" = None,
        initargs: tuple[object, ...] = (),
        max_tasks_per_child: int | None = None,
        max_leftover_threads: int | None = None,
        reuse: bool = True,
        idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
        min_workers: int = 0,
        max_backlog: int | None = None,
        when_full: "WhenFull" = "block",
        exit_timeout: float | None = None,
    ) -> None:
        """Check everything.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
        """
        if max_workers is None:
            max_workers = os.process_cpu_count() or 1
        check_sizes(max_workers, min_workers)
        if max_backlog is not None:
            check_count("max_backlog", max_backlog)
        if when_full not in ("block", "raise"):
            raise ValueError(f"when_full must be 'block' or 'raise', got {when_full!r}")
        if max_tasks_per_child is not None:
            check_count("max_tasks_per_child", max_tasks_per_child)
        if max_leftover_threads is not None:
            check_count("max_leftover_threads", max_leftover_threads, least=0)
        check_str("thread_name_prefix", thread_name_prefix)
        check_flag("reuse", reuse)
        self.max_workers, self.min_workers = max_workers, min_workers
        self.max_backlog, self.when_full = max_backlog, when_full
        self.max_tasks_per_child = None if max_tasks_per_child is None else min(max_tasks_per_child, sys.maxsize)
        self.max_leftover_threads = max_leftover_threads
        self.reuse = reuse
        self.idle_timeout = _check_limit("idle_timeout", idle_timeout)
        self.exit_timeout = _check_limit("exit_timeout", exit_timeout)
        self.is_named = bool(thread_name_prefix)  # by the user, who wants to see it inside the workers
        self.thread_name_prefix = thread_name_prefix or f"InterpreterPoolExecutor-{_pool_counter()}"
        self.initializer = _encode_initializer(initializer, initargs)

    @property
    def is_reusable(self) -> bool:
        """Whether an interpreter in which the initializer has run is what another equal initializer would make.

        A payload that is more than bytes shares memory or names the main module, of which nothing stays.
        """
        return self.reuse and (self.initializer is None or type(self.initializer) is bytes)


def _encode_initializer(initializer: "Callable[..., object] | None", initargs: tuple[object, ...]) -> "Payload | None":
    try:
        args = tuple(initargs)
    except TypeError:
        raise TypeError(f"initargs must be a tuple, got {initargs!r}") from None
    if initializer is None:
        return None
    if not callable(initializer):
        raise TypeError(f"initializer must be a callable, got {initializer!r}")
    try:
        return interp_api.encode_call(initializer, args, {})
    except Exception as exc:
        raise TaskPicklingError(f"cannot send initializer {initializer!r} or its arguments: {exc}") from exc


def check_str(name: str, value: object) -> None:
    """Check a text.

    Raises:
        TypeError: it is not a str.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")


def check_flag(name: str, value: object) -> None:
    """Check a flag.

    Raises:
        TypeError: it is not a bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, got {value!r}")


def check_sizes(max_workers: object, min_workers: object) -> None:
    """Check how many workers there may be, and how many stay.

    Raises:
        TypeError: a number is not an int.
        ValueError: it is out of range.
    """
    check_count("max_workers", max_workers)
    if not isinstance(min_workers, int) or isinstance(min_workers, bool):
        raise TypeError(f"min_workers must be an int, got {min_workers!r}")
    most: int = max_workers  # type: ignore[assignment]  # it is one now
    if not 0 <= min_workers <= most:
        raise ValueError(f"min_workers must be from 0 to max_workers, which is {most}, got {min_workers}")


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Check a number of things.

    Raises:
        TypeError: it is not an int.
        ValueError: it is less than the least there may be.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < least:
        # The words of the first are the standard library's.
        bound = "greater than 0" if least == 1 else f"at least {least}"
        raise ValueError(f"{name} must be {bound}, got {value}")


def check_seconds(name: str, value: object, *, or_none: str = " or None") -> float:
    """Check a duration or a time, and return it as a float.

    Args:
        name: of the argument.
        value: what was given.
        or_none: for the words of the error.

    Raises:
        TypeError: it is not a number.
        ValueError: it is nan.
    """
    if not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds{or_none}, got {value!r}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = float("inf") if value > 0 else float("-inf")
    if seconds != seconds:
        raise ValueError(f"{name} must be a number of seconds{or_none}, got {value!r}")
    return seconds


def _check_limit(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    seconds = check_seconds(name, value)
    if seconds < 0:
        raise ValueError(f"{name} must be a non-negative number of seconds or None, got {value!r}")
    return seconds


def check_timeout(value: object) -> float:
    """Check a number of seconds to wait, and return it.

    Raises:
        TypeError: it is not a number.
        ValueError: it is negative or nan.
    """
    seconds = check_seconds("timeout", value, or_none="")
    if seconds < 0:
        raise ValueError(f"timeout must be a non-negative number of seconds, got {value!r}")
    return min(seconds, threading.TIMEOUT_MAX / 2)
