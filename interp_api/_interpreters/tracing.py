"""Keeps tracemalloc and interpreters apart on CPython 3.13 and 3.14, where they crash each other (gh-134604).

tracemalloc puts its functions into the allocators of all interpreters field by field, while their threads may be in
the middle of reading them, and keeps the file names of frames in one table for all, counted without a common lock. So
nothing may run in another interpreter from the start of a trace to its end: making an interpreter and entering one
are refused while it traces, and `tracemalloc.start()` is refused while there are interpreters. The runtime has no
event for its start, no audit event either; hence the one function of the standard library that this package replaces.
"""

import sys

from interp_api._interpreters.alive import list_interpreters
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
    TRACEMALLOC_CRASHES,
    InterpreterError,
)
from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_tracer: "Any" = None
_start: "Any" = None
if TRACEMALLOC_CRASHES and IS_MAIN_INTERPRETER:  # a subinterpreter cannot load it, and cannot know
    import _tracemalloc

    _tracer = _tracemalloc
    _start = _tracer.start

_releases: "list[Callable[[], None]]" = []


def check_tracing(what: str) -> None:
    """Refuse what would crash because tracemalloc traces.

    Raises:
        InterpreterError: on CPython 3.13 and 3.14, while tracing.
    """
    if _tracer is not None and _tracer.is_tracing():
        raise InterpreterError(
            f"cannot {what} while tracemalloc is tracing: CPython {_version()} would crash (gh-134604); "
            "call tracemalloc.stop() first"
        )


def before_tracing(release: "Callable[[], None]") -> None:
    """Have something called before a trace starts that closes the interpreters nobody needs."""
    _releases.append(release)


def guard_start(while_none_is_made: "Callable[[Callable[[], None]], None]") -> None:
    """Have `tracemalloc.start()` refuse while there are interpreters.

    Args:
        while_none_is_made: takes a step while nobody makes an interpreter.
    """
    if _tracer is None or _tracer.start is not _start:
        return

    def start(nframe: int = 1, /) -> None:
        """Start tracing Python memory allocations; refused while there are interpreters (see `interp_api`)."""
        for release in _releases:
            release()
        while_none_is_made(partial(_start_alone, nframe))

    _tracer.start = start
    if (tracemalloc := sys.modules.get("tracemalloc")) is not None:
        tracemalloc.start = start  # type: ignore[attr-defined]  # it took the name over when it was imported


def _start_alone(nframe: int) -> None:
    count = len(list_interpreters()) - 1
    if count and not _tracer.is_tracing():
        raise InterpreterError(
            f"cannot trace allocations while there are interpreters ({count} now): CPython {_version()} would "
            "crash (gh-134604); close() them, and shut their executors down, first"
        )
    _start(nframe)


def _version() -> str:
    return ".".join(map(str, sys.version_info[:2]))
