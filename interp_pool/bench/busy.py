"""How an executor does while the program around it computes.

This file owns the measure `busy_main`. The thread that wants results, or another one of its interpreter, computes in
pure Python, and so has the GIL nearly always: whoever else has to run there waits for a switch interval, 5 ms.
"""

import statistics
import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter

from interp_pool.bench import tasks
from interp_pool.bench.crowds import field
from interp_pool.bench.measuring import Make, Measure, Reading, Settings, Started, timed
from interp_pool.bench.peers import Adapter

__all__ = ["BUSY"]

_WORK, _CONSUMED = 40_000, 20_000  # steps of `burn`: some 1 ms in the worker, 0.5 ms of the consumer for each result


@contextmanager
def _burning() -> Generator[None]:
    """Have a second thread of this interpreter that computes all the while."""
    is_over = threading.Event()

    def burn() -> None:
        while not is_over.is_set():
            tasks.burn(1_000)

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _busy_main(make: Make, settings: Settings) -> Reading:
    trips, count = (60, 60) if settings.is_quick else (200, 200)
    with Started(make, settings.workers) as adapter:
        own_us = 1e6 * statistics.median(timed(lambda: tasks.burn(_WORK)) for _ in range(9))
        with _burning():
            times = sorted(_round_trip(adapter) for _ in range(trips))
            burner = timed(lambda: _all_results(adapter, count))
        consumer = timed(lambda: _consume(adapter, count))
    per_task = 1e6 / count
    details = {
        "roundtrip_p50_us": 1e6 * statistics.median(times),
        "roundtrip_p95_us": 1e6 * times[int(0.95 * trips)],
        "task_us_alone": own_us,
        "task_us_beside_burner": per_task * burner,
        "task_us_of_consumer": per_task * consumer,
    }
    return Reading(details["roundtrip_p50_us"], details)


def _round_trip(adapter: Adapter) -> float:
    start = perf_counter()
    adapter.result(adapter.submit(abs, -1))
    return perf_counter() - start


def _all_results(adapter: Adapter, count: int) -> None:
    for task in [adapter.submit(tasks.burn, _WORK) for _ in range(count)]:
        adapter.result(task)


def _consume(adapter: Adapter, count: int) -> None:
    """Compute with each result as it comes."""
    for task in [adapter.submit(tasks.burn, _WORK) for _ in range(count)]:
        adapter.result(task)
        tasks.burn(_CONSUMED)


BUSY = Measure("busy_main", "submit to result while another thread computes, median", "us", _busy_main, field)
