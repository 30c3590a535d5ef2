"""`trace`: have what pools do written to a file that Perfetto opens.

Owns which pools a trace is of. A pool that is made while there is a trace of all asks for it here. What is noted is
`_pool.pool_trace`'s, and how it is written `_seeing`'s, which is not loaded before there is a trace.

INTERP_POOL_TRACE names a file for the whole of a program. It is read when the first pool is made, in the main
interpreter: a worker, whose environment is the process's, makes none. A child process would empty the file, so without
"%p" in it, which stands for the process's id, the variable is taken out of the environment.
"""

import os
from functools import partial

from interp_api import IS_MAIN_INTERPRETER
from interp_pool._pool.process_hooks import all_pools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Any

    from interp_pool._pool.kernel import Kernel
    from interp_pool._seeing.trace import Trace

VARIABLE = "INTERP_POOL_TRACE"

_asked_in: list[int] = []  # the process that has read the variable


class trace:  # noqa: N801  # a function to its users
    """Write what pools do while a `with` block runs to a file, which Perfetto (https://ui.perfetto.dev) opens.

    The file has a track for each worker, with its tasks, for what waits and for the results, arrows from a submit to
    its task and its result, counters, and marks for interrupts, timeouts and workers that come and go. `python -m
    interp_pool report FILE` makes a page of it. It is written as the program runs, at least once a second, and can be
    read after a crash, too.

    Tasks that run when the block is entered are left out; those that still run at its end are in it, as unfinished.

    Thread safety: yes. There is one trace at a time in a process, and it can be entered once. A forked child has none.
    """

    def __init__(self, path: "str | os.PathLike[str]") -> None:
        """Prepare a trace of all pools, also those that are made later.

        Args:
            path: of the file, which is made or emptied when the block is entered. "%p" stands for the process's id.
        """
        self._path = _full_path(path)
        self._pools: Sequence[Any] | None = None
        self._trace: Trace | None = None

    @classmethod
    def of_pools(cls, path: "str | os.PathLike[str]", pools: "Sequence[Any]") -> "trace":
        """Prepare a trace of some pools alone."""
        made = cls(path)
        made._pools = pools
        return made

    def __enter__(self) -> None:
        """Begin.

        Raises:
            OSError: the file cannot be written.
            RuntimeError: this process writes another trace, or this is a worker.
        """
        from interp_pool._seeing.trace import Trace

        pools = self._pools
        self._trace = Trace(self._path, is_of_all=pools is None, detach=_leave_all)
        _join_all(self._trace, all_pools() if pools is None else pools)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        """End it. Blocks until the file is written."""
        if self._trace is not None:
            self._trace.end()


def join_trace(pool: "Any") -> None:
    """Have a pool that was just made traced, if there is a trace of all, or the environment asks for one."""
    from sys import modules

    if os.getpid() not in _asked_in and IS_MAIN_INTERPRETER:
        _follow_environment()
    if "interp_pool._seeing.trace" in modules:
        from interp_pool._seeing.trace import current_trace

        current = current_trace()
        if current is not None and current.is_of_all:
            _join_all(current, [pool])


def _follow_environment() -> None:
    _asked_in[:] = [os.getpid()]
    path = os.environ.get(VARIABLE)
    if not path:
        return
    if "%p" not in path:
        del os.environ[VARIABLE]
    try:
        trace(path).__enter__()  # which ends at the exit
    except (OSError, RuntimeError) as exc:
        from warnings import warn

        warn(f"{VARIABLE}={path}: nothing is traced: {exc}", RuntimeWarning, stacklevel=5)


def _join_all(trace: "Trace", pools: "Iterable[Any]") -> None:
    for pool in pools:
        for kernel in getattr(pool, "kernels", ()):  # a fallback that has outlived its pool has none
            kernel.step(partial(_join, trace, kernel))


def _leave_all(trace: "Trace") -> None:
    for kernel in list(trace.joined):
        kernel.step(partial(_leave, kernel))


def _join(trace: "Trace", kernel: "Kernel") -> None:
    from interp_pool._pool.pool_trace import PoolTrace

    if kernel.tracer is None and not trace.file.is_over:
        name, most = kernel.options.thread_name_prefix, kernel.staff.max_workers
        tracer = PoolTrace(trace.file, trace.next_pool(), name, most)
        tracer.begin(kernel.tasks, kernel.staff.workers.values())
        trace.joined.add(kernel)
        kernel.tracer = tracer


def _leave(kernel: "Kernel") -> None:
    tracer, kernel.tracer = kernel.tracer, None
    if tracer is not None:
        tracer.end(kernel.tasks, kernel.staff)


def _full_path(path: object) -> str:
    """Return the path that is meant; what is no path raises a TypeError."""
    text: object = getattr(path, "__fspath__", lambda: path)()
    if not isinstance(text, str):
        raise TypeError(f"path must be a str or an os.PathLike of one, got {path!r}")
    return os.path.abspath(text.replace("%p", str(os.getpid())))
