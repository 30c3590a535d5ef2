"""Lending interpreters, each in the place of a worker."""

import sys
from contextlib import contextmanager
from functools import partial

import interp_api
from interp_pool._core.lease import Lease
from interp_pool._workers.interpreters import obtain, prepare, take_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from interp_api import Interpreter
    from interp_pool._pool.kernel import Kernel


class Leases:
    """The leases of one pool. Thread safety: all methods."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel

    @contextmanager
    def lease(self) -> "Generator[Interpreter]":
        """Lend an interpreter to the caller alone; see `InterpreterPool.lease`."""
        lease = Lease()
        try:
            self._wait_for_place(lease)
            interpreter = obtain(self._kernel.options)
            try:
                try:
                    prepare(interpreter, self._kernel.options)
                finally:
                    interp_api.unclaim(interpreter)  # its user may enter it from several threads, and may close it
                yield interpreter
            finally:
                if not sys.is_finalizing():  # one that nobody ended: the exit has closed the interpreter
                    take_back(interpreter, self._kernel.options)
        finally:
            lease.is_over = self._kernel.is_dirty = True  # whatever strikes from here on, the manager does it
            self._kernel.step(partial(self._end, lease))

    def _wait_for_place(self, lease: Lease) -> None:
        while (obstacle := self._kernel.step(partial(self._take_place, lease))) is not None:
            if isinstance(obstacle, BaseException):
                raise obstacle
            obstacle.acquire()

    # Everything below is called with the lock held.

    def _take_place(self, lease: Lease) -> "Any":
        """Give a lease the place of a worker; return None, the error, or what to wait for before another try."""
        kernel = self._kernel
        error = kernel.refusal()
        if error is not None:
            return error
        is_new = lease not in kernel.staff.leases
        is_placed = kernel.staff.place(lease)
        if is_new and kernel.staff.surplus:
            kernel.calls.send_ends(1)
        return None if is_placed else kernel.changed.enter()

    def _end(self, lease: Lease) -> None:
        self._kernel.staff.leases.pop(lease, None)
        self._kernel.changed.wake_all()
        if self._kernel.core.is_alive:
            self._kernel.want_workers()
