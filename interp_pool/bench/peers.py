"""The executors to compare, behind one small interface.

This file owns which peers there are, what each can do and how each is made. It must not know what is measured.
Invariant: a peer's modules are imported by `load`, before any clock runs; what it does to get going comes after.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from interp_pool.bench import floor

__all__ = ["FLOOR", "OURS", "PEERS", "REFERENCES", "SERIAL", "STDLIB", "Adapter", "Peer"]

OURS, STDLIB = "interp_pool", "stdlib"
SERIAL, FLOOR = "serial", "floor"  # no executors: what these are compared with


class Adapter(Protocol):
    """What a measurement needs of an executor.

    `submit` and `result` are attributes, so that an executor's own methods go there and nothing is measured but them.

    Attributes:
        submit: Starts a task.
        result: Waits for what `submit` returned and returns the task's result.
    """

    submit: Callable[..., Any]
    result: Callable[[Any], Any]

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any], chunksize: int | None = None) -> Iterable[Any]:
        """Call `fn` with each item; None leaves the executor its own chunksize."""
        ...

    def close(self) -> None:
        """End the workers and wait until they are gone."""
        ...


class _Futures:
    """An executor of `concurrent.futures`, or one with its interface."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.submit: Callable[..., Any] = executor.submit
        self.result: Callable[[Any], Any] = _wait

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any], chunksize: int | None = None) -> Iterable[Any]:
        if chunksize is None:
            return self._executor.map(fn, items)
        return self._executor.map(fn, items, chunksize=chunksize)

    def close(self) -> None:
        self._executor.shutdown()


class _MultiprocessingPool:
    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.submit: Callable[..., Any] = partial(_apply_async, pool)
        self.result: Callable[[Any], Any] = lambda task: task.get()

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any], chunksize: int | None = None) -> Iterable[Any]:
        results: list[Any] = self._pool.map(fn, items, chunksize)
        return results

    def close(self) -> None:
        self._pool.close()
        self._pool.join()


class _Serial:
    """No executor: what the others are compared with."""

    def __init__(self) -> None:
        self.submit: Callable[..., Any] = _call
        self.result: Callable[[Any], Any] = lambda value: value

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any], chunksize: int | None = None) -> Iterable[Any]:  # noqa: ARG002
        return map(fn, items)

    def close(self) -> None:
        pass


def _apply_async(pool: Any, fn: Callable[..., Any], *args: Any) -> Any:
    return pool.apply_async(fn, args)


def _call(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


def _wait(future: Any) -> Any:
    return future.result()


@dataclass(frozen=True, slots=True)
class Peer:
    """One kind of executor.

    Attributes:
        name: What arguments and tables call it.
        title: What it is.
        load: Imports what it needs and returns what makes an adapter with so many workers.
        obstacle: Returns why it cannot be used here, one line; None when it can.
        honours_chunksize: Whether `map(chunksize=)` does anything.
        shares_memory: Whether a task can write into a memoryview of the caller.
    """

    name: str
    title: str
    load: Callable[[], Callable[[int], Adapter]]
    obstacle: Callable[[], str | None] = lambda: None
    honours_chunksize: bool = False
    shares_memory: bool = False


def _load_ours() -> Callable[[int], Adapter]:
    from interp_pool import InterpreterPoolExecutor

    return lambda workers: _Futures(InterpreterPoolExecutor(workers))


def _load_threads() -> Callable[[int], Adapter]:
    from concurrent.futures import ThreadPoolExecutor

    return lambda workers: _Futures(ThreadPoolExecutor(workers))


def _load_stdlib() -> Callable[[int], Adapter]:
    executor: Any = importlib.import_module("concurrent.futures").InterpreterPoolExecutor
    return lambda workers: _Futures(executor(workers))


def _processes(method: str) -> Callable[[], Callable[[int], Adapter]]:
    def load() -> Callable[[int], Adapter]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context(method)
        return lambda workers: _Futures(ProcessPoolExecutor(workers, mp_context=context))

    return load


def _load_multiprocessing() -> Callable[[int], Adapter]:
    import multiprocessing

    importlib.import_module("multiprocessing.pool")  # which Pool() imports only when it is called
    return lambda workers: _MultiprocessingPool(multiprocessing.Pool(workers))


def _load_loky() -> Callable[[int], Adapter]:
    executor: Any = importlib.import_module("loky").ProcessPoolExecutor
    return lambda workers: _Futures(executor(workers))


def _load_nothing() -> Callable[[int], Adapter]:
    return lambda _: _Serial()


def _needs_314() -> str | None:
    return None if sys.version_info >= (3, 14) else "the standard library has it since CPython 3.14"


def _needs_method(method: str) -> Callable[[], str | None]:
    def obstacle() -> str | None:
        import multiprocessing

        return None if method in multiprocessing.get_all_start_methods() else f"this system has no {method}"

    return obstacle


def _needs_loky() -> str | None:
    return None if importlib.util.find_spec("loky") else "loky is not installed"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            OURS,
            "interp_pool.InterpreterPoolExecutor",
            _load_ours,
            honours_chunksize=True,
            shares_memory=True,
        ),
        Peer("threads", "concurrent.futures.ThreadPoolExecutor", _load_threads, shares_memory=True),
        Peer(STDLIB, "concurrent.futures.InterpreterPoolExecutor", _load_stdlib, _needs_314),
        *(
            Peer(
                method,
                f"concurrent.futures.ProcessPoolExecutor with {method}",
                _processes(method),
                _needs_method(method),
                honours_chunksize=True,
            )
            for method in ("fork", "forkserver", "spawn")
        ),
        Peer(
            "mp.Pool",
            "multiprocessing.Pool with the default start method",
            _load_multiprocessing,
            honours_chunksize=True,
        ),
        Peer("loky", "loky.ProcessPoolExecutor", _load_loky, _needs_loky, honours_chunksize=True),
    )
}
REFERENCES = {
    SERIAL: Peer(SERIAL, "the same work without an executor", _load_nothing),
    FLOOR: Peer(FLOOR, "two interpreters without an executor", _load_nothing, floor.obstacle),
}
