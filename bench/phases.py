"""Where the processor time of a burst goes, by phase and thread: `python bench/phases.py`. Microseconds for each task.

The phases are the pool's own code, run in one thread over batches of a window's size, nobody at the other end. Below
them is what the threads of real bursts used, and waited for a processor; the difference is waking, looking, taking the
GIL, and what caches forget. Where the threads share one processor, a task takes the sum of them all.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
from time import perf_counter, thread_time_ns
from typing import TYPE_CHECKING

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._core.task import Task
from interp_pool._core.task_book import MOST_IN_FLIGHT
from interp_pool._futures.task_future import TaskFuture
from interp_pool._wire.messages import VALUE
from interp_pool._worker.loop import _SPIN, _encode_result
from interp_pool._worker.surroundings import flush_streams

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = MOST_IN_FLIGHT - 50
ROUNDS = 60
BURSTS = {5_000: 8, 1_000: 40, 100: 400}
"""How many tasks a burst has, and how many bursts."""


class Clock:
    """Collects the time of each phase, batch by batch."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], list[float]] = {}

    def each(self, who: str, phase: str, step: Callable[[], object], calls: int = BATCH) -> None:
        start = thread_time_ns()
        for _ in range(calls):
            step()
        self.add(who, phase, thread_time_ns() - start)

    def add(self, who: str, phase: str, elapsed: int) -> None:
        self.times.setdefault((who, phase), []).append(elapsed / 1e3 / BATCH)


def one_round(clock: Clock, pool: InterpreterPool) -> None:
    payload = interp_api.encode_call(abs, (-1,), {})
    futures: list[TaskFuture[int]] = []
    items: list[Task] = []
    clock.each("-", "the loop that measures", lambda: None)
    clock.each("main", "encode the call", lambda: interp_api.encode_call(abs, (-1,), {}))
    clock.each("main", "make the future", lambda: futures.append(TaskFuture(pool)))
    waiting = iter(futures)
    clock.each("main", "make the work item", lambda: items.append(Task(next(waiting), abs, payload)))
    queue = iter(items)
    clock.each("main", "submit: lock, checks, call item, put", lambda: pool.submit(next(queue)))

    got: list[object] = []
    board = memoryview(bytearray(40)).cast("q")

    def write_board() -> None:
        board[0] = 1
        board[0] = -1

    clock.each("worker", "get the call item", lambda: got.append(pool._kernel.calls.queue.get(spin=_SPIN)))
    clock.each("worker", "decode the call", lambda: interp_api.decode(payload))
    clock.each("worker", "run, and two looks at the clock", lambda: (perf_counter(), abs(-1), perf_counter()))
    clock.each("worker", "encode the result", lambda: _encode_result(1, 1))
    clock.each("worker", "flush the output", flush_streams)
    clock.each("worker", "note it on the board, twice", write_board)
    results = iter([(VALUE, item.work_id, 1, 1e-7) for item in items])
    clock.each("worker", "put the result item", lambda: pool._kernel.results.put(next(results)))

    start = thread_time_ns()
    pool._kernel.reader.fill(MOST_IN_FLIGHT)
    clock.add("main", "fill the inbox", thread_time_ns() - start)
    start = thread_time_ns()
    pool._pump.advance()
    clock.add("main", "settle and strike off", thread_time_ns() - start)
    done = iter(futures)
    clock.each("main", "result()", lambda: next(done).result())


def pool_without_workers() -> InterpreterPool:
    """A pool that sends whatever it is given and starts nobody."""

    class Alone(InterpreterPool):
        __slots__ = ()

        def _set_window(self) -> None:
            self._window = BATCH + 1

    pool = Alone(1)
    pool._kernel.staff.active, pool._kernel.tasks.window = 1, BATCH + 1
    return pool


def threads() -> dict[int, tuple[float, float]]:
    """The microseconds that each thread has used, and waited for a processor."""
    found: dict[int, tuple[float, float]] = {}
    for entry in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{entry}/schedstat", encoding="ascii") as file:
            used, waited, _ = file.read().split()
            found[int(entry)] = int(used) / 1e3, int(waited) / 1e3
    return found


def bursts(size: int, count: int) -> tuple[float, dict[str, tuple[float, float]]]:
    """The microseconds of a task, and of its threads by their kind."""

    def burst() -> None:
        for future in [executor.submit(abs, -1) for _ in range(size)]:
            future.result()

    with InterpreterPoolExecutor(2) as executor:
        for _ in range(1 + count // 8):
            burst()
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        before, start = threads(), perf_counter()
        for _ in range(count):
            burst()
        seconds, after = perf_counter() - start, threads()
    sums: dict[str, tuple[float, float]] = {}
    for each, (used, waited) in after.items():
        name = names.get(each, "?")
        kind = "main" if name == "MainThread" else "manager" if name.endswith("manager") else "workers"
        had, had_waited = before.get(each, (0.0, 0.0))
        sum_used, sum_waited = sums.get(kind, (0.0, 0.0))
        sums[kind] = sum_used + used - had, sum_waited + waited - had_waited
    tasks = size * count
    return seconds * 1e6 / tasks, {kind: (used / tasks, waited / tasks) for kind, (used, waited) in sums.items()}


def main() -> None:
    print(f"CPython {sys.version.split()[0]}: processor time, us a task")
    clock, pool = Clock(), pool_without_workers()
    for _ in range(ROUNDS):
        one_round(clock, pool)
    medians = {key: statistics.median(times) for key, times in clock.times.items()}
    loop = medians.pop(("-", "the loop that measures"))
    sums: dict[str, float] = {}
    for (who, phase), value in medians.items():
        own = value if phase in ("fill the inbox", "settle and strike off") else max(0.0, value - loop)
        sums[who] = sums.get(who, 0.0) + own
        print(f"  {who:8}{phase:42}{own:8.2f}")
    print(f"  sum: main {sums['main']:.2f}, worker {sums['worker']:.2f}")
    if not os.path.exists("/proc/self/schedstat"):
        return
    for size, count in BURSTS.items():
        wall, kinds = bursts(size, count)
        told = ", ".join(f"{kind} {used:.2f} (waited {waited:.2f})" for kind, (used, waited) in kinds.items())
        print(f"  burst of {size}: {wall:.2f} us a task; {told}")


if __name__ == "__main__":
    main()
