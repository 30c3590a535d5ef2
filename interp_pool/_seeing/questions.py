"""What a monitor is asked, and what it answers; see `shapes`.

Owns the answers. It must not know sockets or threads. Whatever is asked, it answers, and raises nothing.
"""

import json
import os
import platform
import sys
from itertools import count
from time import monotonic
from weakref import WeakKeyDictionary

from interp_pool._seeing.stacks import describe_stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from interp_pool._seeing.shapes import PoolShape, Snapshot

    class Pool(Protocol):
        """A pool, as a monitor sees it."""

        def look(self, number: int, timeout: float) -> PoolShape:
            """Return what it does. Blocks until its workers have told where they are, at most so many seconds."""
            ...

        def interrupt_task(self, work_id: int) -> str | None:
            """Begin to stop a task that runs, return its name; None if there is none. Never blocks."""
            ...


LOOK = 0.25  # seconds that all workers together have to tell where their tasks are


class Questions:
    """Answers questions about some pools. Called by one thread at a time."""

    def __init__(self, pools: "Callable[[], Sequence[Pool]]") -> None:
        """Answer for pools.

        Args:
            pools: returns those that there are now.
        """
        self._pools = pools
        self._numbers: WeakKeyDictionary[Pool, int] = WeakKeyDictionary()
        self._next_number = count(1).__next__
        self._began = monotonic()

    def answer(self, line: bytes) -> bytes:
        """Return the answer to a line."""
        try:
            told = self._answer(line)
        except Exception as exc:  # of a pool that breaks just now, say: the next answer may be a better one
            told = {"error": f"{type(exc).__name__}: {exc}"}
        return json.dumps(told).encode()

    def _answer(self, line: bytes) -> "dict[str, Any]":
        try:
            asked: Any = json.loads(line)
        except ValueError:
            return {"error": "a question must be a line of JSON"}
        nothing: dict[str, Any] = {}
        get: Any = getattr(asked, "get", nothing.get)
        what = get("ask")
        if what == "snapshot":
            return {"snapshot": self._snapshot()}
        if what == "stacks":
            return {"stacks": describe_stacks(self._look())}
        if what == "interrupt":
            return self._interrupt(get("pool"), get("task"))
        return {"error": "a question must ask for a snapshot, an interrupt or stacks"}

    def _numbered(self) -> "list[tuple[int, Pool]]":
        pools = self._pools()
        for pool in pools:
            if pool not in self._numbers:
                self._numbers[pool] = self._next_number()
        return sorted(((self._numbers[pool], pool) for pool in pools), key=lambda pair: pair[0])

    def _look(self) -> "list[PoolShape]":
        end = monotonic() + LOOK
        return [pool.look(number, max(0.0, end - monotonic())) for number, pool in self._numbered()]

    def _snapshot(self) -> "Snapshot":
        now = monotonic()
        return {
            "pid": os.getpid(),
            "program": " ".join(sys.argv) or "python",
            "python": platform.python_version(),
            "seconds": now,
            "age": now - self._began,
            "memory": _memory(),
            "pools": self._look(),
        }

    def _interrupt(self, number: object, work_id: object) -> "dict[str, Any]":
        if type(number) is not int or type(work_id) is not int:
            return {"error": "an interrupt must have the numbers of a pool and a task"}
        pool = next((pool for own, pool in self._numbered() if own == number), None)
        name = None if pool is None else pool.interrupt_task(work_id)
        return {"error": "this task does not run any more"} if name is None else {"interrupted": name}


def _memory() -> int | None:
    """Return how much of the process is in memory, in bytes; None where nobody tells."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/statm", encoding="ascii") as stream:
                return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return None  # there is no /proc here
    else:
        return None
