"""A chunk of `map` as one task. Imported by workers: nothing else may be here."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def run_chunk(fn: "Callable[..., Any]", calls: "tuple[tuple[Any, ...], ...]") -> "list[Any]":
    """Return the results of calls with the arguments given. Runs in the worker."""
    return [fn(*args) for args in calls]
