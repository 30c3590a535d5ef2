"""Making warm interpreters ahead of need, in the background.

Owns the threads that do so. What becomes of the interpreters then is `_workers.reserve`'s: they are like those an
executor left.

A fork waits for the interpreters that are just being made, which would kill the child. The parent then makes the rest;
what was made before is lost, so a program that forks early calls `warm_up` afterwards.
"""

import os
import threading
from functools import partial

import interp_api
from interp_api import InterpreterError, holding, is_held_here
from interp_pool._options.checks import check_count
from interp_pool._options.pool_options import DEFAULT_IDLE_TIMEOUT, PoolOptions
from interp_pool._process.background import start_background
from interp_pool._process.exit_status import is_exiting
from interp_pool._process.hooks import Part, register
from interp_pool._process.memory import check_memory
from interp_pool._workers.interpreters import create_claimed, prepare, release
from interp_pool._workers.reserve import MOST_IDLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._process.background import Background


def warm_up(count: int | None = None, *, idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT, wait: bool = False) -> None:
    """Make idle interpreters for the next executors, whose first results then take a millisecond.

    A program calls it where it starts, long before it needs workers: what it does meanwhile hides the time, some 15 ms
    of another processor for each interpreter.

    Args:
        count: how many; None means `os.process_cpu_count()`. At most 64 idle interpreters are kept.
        idle_timeout: seconds they are kept while nobody uses them, None for ever. CPython 3.13 keeps them for ever.
        wait: whether to return only when they are there.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of range.
        RuntimeError: a worker is just loading the main module, which lacks its `__name__ == "__main__"` guard.

    Blocks: with `wait`, until they are there. Without, failures in the background are logged.

    Thread safety: any thread.
    """
    interp_api.check_main_is_not_loading("make interpreters")
    if count is None:
        count = os.process_cpu_count() or 1
    check_count("count", count)
    warming = _Warming(min(count, MOST_IDLE), PoolOptions(idle_timeout=idle_timeout))
    _warmings.begin(warming)
    if wait:
        warming.is_over.wait()


class _Warming:
    """One call of `warm_up`: how many interpreters are still to be made, and the thread that makes them."""

    def __init__(self, count: int, options: PoolOptions) -> None:
        self._count = count
        self._options = options
        self.turn: object = None  # of the thread that makes them; another one ends soon. Guarded by the lock of all
        self.thread: Background | None = None  # guarded by the lock of all
        self.is_over = threading.Event()

    def start(self) -> None:
        """Make them, in a thread of its own."""
        self.turn = object()
        self.thread = start_background(partial(self._run, self.turn), "interp_pool warm-up")

    def _run(self, turn: object) -> None:
        # One by one: the runtime creates one at a time, and whoever needs the first one now must not share a processor.
        is_over = True
        try:
            is_over = self._make_all(turn)
        except (InterpreterError, MemoryError) as exc:
            from logging import getLogger

            getLogger(__name__).warning("cannot make a warm interpreter: %s", exc)
        finally:
            if is_over:
                _warmings.note_end(self)

    def _make_all(self, turn: object) -> bool:
        """Make those that are left; return whether that is done, and nobody else goes on."""
        while self._count and not is_exiting():
            if self.turn is not turn:
                return False
            self._count -= 1
            check_memory(1)
            interpreter = create_claimed()
            prepare(interpreter, self._options)
            release(interpreter, self._options)
        return True


class _Warmings(Part):
    """All calls that are under way."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._under_way: set[_Warming] = set()  # guarded by self._lock, as what follows
        self._is_pausing = False

    def begin(self, warming: _Warming) -> None:
        """Start one; while paused, later."""
        holding(self._lock, partial(self._begin, warming))

    def _begin(self, warming: _Warming) -> None:
        self._under_way.add(warming)
        try:
            if not self._is_pausing:
                warming.start()
        except BaseException:  # no more threads
            self._under_way.discard(warming)
            raise

    def note_end(self, warming: _Warming) -> None:
        """Tell who waits for one that it is over."""
        with self._lock:
            self._under_way.discard(warming)
        warming.is_over.set()

    @property
    def is_held_here(self) -> bool:
        return is_held_here(self._lock)

    def pause(self, patience: float) -> bool:
        for thread in holding(self._lock, self._dismiss):
            thread.join(patience)
        return True

    def _dismiss(self) -> "list[Background]":
        self._is_pausing = True
        threads: list[Background] = []
        for warming in self._under_way:
            if warming.thread is not None:
                threads.append(warming.thread)
                warming.thread = warming.turn = None
        return threads

    def resume(self) -> None:
        holding(self._lock, self._start_again)

    def _start_again(self) -> None:
        self._is_pausing = False
        for warming in self._under_way:
            if warming.thread is None:
                warming.start()

    def after_fork_in_child(self) -> None:
        under_way = list(self._under_way)
        self.__init__()  # type: ignore[misc]  # all of it anew
        for warming in under_way:
            warming.is_over = threading.Event()  # the old one may be locked
            warming.is_over.set()


_warmings = _Warmings()
register(_warmings)
