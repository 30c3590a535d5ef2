"""A chunk of `map` as one task. Imported by workers: nothing else may be here."""

from itertools import starmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def run_chunk(fn: "Callable[..., Any]", calls: "Iterable[Iterable[Any]]") -> "list[Any]":
    """Return the results of calls with the arguments given. Runs in the worker."""
    return [*starmap(fn, calls)]


def run_single_chunk(fn: "Callable[[Any], Any]", items: "Iterable[Any]") -> "list[Any]":
    """Return the results of calls with one argument each. Runs in the worker."""
    return [*map(fn, items)]
