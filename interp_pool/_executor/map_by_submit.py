"""map as the standard library does it: a `submit` for each item, or chunk of items.

Owns what `map` does where `submit` is not the executor's own: a subclass overrides it, or somebody has put another one
in its place, to count tasks, say, or to show progress. Whoever does that expects `map` to go through it. It must not
know pools: what `submit` returns need only have `result` and `cancel`.

Source: `concurrent.futures.Executor.map` and `ProcessPoolExecutor.map`, CPython 3.14.
"""

from collections import deque
from itertools import batched, islice
from time import monotonic

from interp_pool._executor.chunks import run_chunk
from interp_pool._executor.results import chained, one_by_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Executor
    from typing import Any

    from interp_pool._executor.results import Parts


def map_by_submit(
    executor: "Executor",
    fn: "Callable[..., Any]",
    iterables: "tuple[Iterable[Any], ...]",
    end: float | None,
    chunksize: int,
    buffersize: int | None,
) -> "Iterator[Any]":
    """Submit all calls, or as many as the buffer size says, and return an iterator over the results.

    Args:
        executor: whose `submit` is called.
        fn: called for each item.
        iterables: as many as `fn` takes arguments.
        end: when to raise TimeoutError, on the monotonic clock; None means never.
        chunksize: items per call of `submit`.
        buffersize: most futures whose results have not been taken; None means no limit.

    Raises:
        Exception: what `submit` or an iterable raised. The futures that were made before go on.
    """
    calls: Iterator[Any] = zip(*iterables, strict=False)
    if chunksize == 1:
        return _take(executor, fn, calls, end, buffersize)
    chunks = ((fn, chunk) for chunk in batched(calls, chunksize))  # noqa: B911  # the last one is shorter
    return chained(_parts(_take(executor, run_chunk, chunks, end, buffersize)))


def _take(
    executor: "Executor", fn: "Callable[..., Any]", calls: "Iterator[Any]", end: float | None, buffersize: int | None
) -> "Generator[Any]":
    futures: deque[Any] = deque(executor.submit(fn, *args) for args in islice(calls, buffersize))
    # Not in the generator itself: everything is submitted before the first result is asked for.
    return _results(futures, None if buffersize is None else executor, fn, calls, end)


def _results(
    futures: "deque[Any]",
    executor: "Executor | None",
    fn: "Callable[..., Any]",
    calls: "Iterator[Any]",
    end: float | None,
) -> "Generator[Any]":
    try:
        while True:  # no condition here, see tests/test_bytecode.py
            if not futures:
                return
            if executor is not None:
                futures.extend(executor.submit(fn, *args) for args in islice(calls, 1))
            yield _result_or_cancel(futures.popleft(), end)  # no reference to either stays here
    finally:
        while futures:
            futures.popleft().cancel()


def _result_or_cancel(future: "Any", end: float | None) -> "Any":
    try:
        try:
            return future.result(None if end is None else end - monotonic())
        finally:
            future.cancel()
    finally:
        del future  # the exception's traceback holds this frame


def _parts(lists: "Generator[list[Any]]") -> "Parts":
    try:
        yield from map(one_by_one, lists)
    finally:
        lists.close()
