"""What the parts of a round trip cost: `python bench/parts.py`. Each in microseconds, the median of several runs."""

from __future__ import annotations

import statistics
import sys
import time
import timeit
from typing import TYPE_CHECKING

import interp_api
from interp_api import PoolQueue
from interp_pool import InterpreterPoolExecutor
from interp_pool._core.task import Task
from interp_pool._futures.claims import finish_quietly, start_new
from interp_pool._futures.task_future import TaskFuture
from interp_pool._worker.running import _encode_result, run_task

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, CALLS = 9, 20_000


def microseconds(call: Callable[[], object]) -> float:
    return statistics.median(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def parts() -> dict[str, Callable[[], object]]:
    queue = PoolQueue()
    payload = interp_api.encode_call(abs, (-1,), {})

    def through(item: object) -> Callable[[], object]:
        def put_and_get() -> None:
            queue.put(item)
            queue.get_nowait()

        return put_and_get

    def begin() -> None:
        future = TaskFuture[int]()
        Task(future, abs, payload)
        start_new(future)

    def finish() -> None:
        future = TaskFuture[int]()
        start_new(future)
        finish_quietly(future, 1)
        future.result()

    return {
        "encode the call": lambda: interp_api.encode_call(abs, (-1,), {}),
        "make the future and the work item": begin,
        "call item through its queue": through((1, payload)),
        "decode, run, encode the result (worker)": lambda: run_task(1, payload),
        "of that, encode the result": lambda: _encode_result(1, 1),
        "result item through its queue": through((2, 1, 1, 1e-7)),
        "make, finish and ask a future": finish,
    }


def round_trips() -> dict[str, float]:
    """Whole ones: what the main thread and all threads spend on one, and how long it takes."""
    with InterpreterPoolExecutor(2) as executor:
        for _ in range(500):
            executor.submit(abs, -1).result()
        took: list[float] = []
        main, every = time.thread_time(), time.process_time()
        for _ in range(CALLS):
            start = time.perf_counter()
            executor.submit(abs, -1).result()
            took.append(time.perf_counter() - start)
        main, every = time.thread_time() - main, time.process_time() - every
        burst = min(timeit.repeat(lambda: [each.result() for each in [executor.submit(abs, -1) for _ in range(5_000)]],
                                  number=1, repeat=ROUNDS)) / 5_000  # fmt: skip
    return {
        "round trip, median": statistics.median(took) * 1e6,
        "processor time of the main thread": main / CALLS * 1e6,
        "processor time of all threads, looking included": every / CALLS * 1e6,
        "task of a burst of 5,000, best": burst * 1e6,
    }


def main() -> None:
    print(f"CPython {sys.version.split()[0]}")
    for name, call in parts().items():
        print(f"{name:50}{microseconds(call):8.2f}")
    for name, value in round_trips().items():
        print(f"{name:50}{value:8.2f}")


if __name__ == "__main__":
    main()
