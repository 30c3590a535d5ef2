"""What is measured of one peer, and how.

This file owns the measurements. It must not know how they are scheduled, compared or shown. Invariant: each runs alone
in a process, takes a peer that is loaded and not yet started, and returns one number in the measure's unit, of which
less is better.
"""

import gc
import os
import statistics
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from interp_pool.bench import floor, tasks
from interp_pool.bench.busy import BUSY
from interp_pool.bench.crowds import BESIDE, STARTING, WORKERS
from interp_pool.bench.measuring import (
    Make,
    Measure,
    Settings,
    Started,
    Unmeasurable,
    by_name,
    calibrate,
    repeated,
    timed,
)
from interp_pool.bench.memory import family_memory
from interp_pool.bench.mixes import MIXED
from interp_pool.bench.peers import OURS, Adapter, Peer
from interp_pool.bench.workloads import WORKLOADS

__all__ = [
    "FLOORS",
    "MEASURES",
    "PAYLOAD",
    "SCALING",
    "scale",
]

PAYLOAD = 64 * 2**20
SMALL_PAYLOAD = 64
BURST = 5_000
SMALL_BURST, SMALL_BURSTS = 100, 50
TINY_START, TINY_LIMIT = 500, 1_000_000
CHUNKSIZES = (100, 1_000, 5_000)
GROWTH_PAYLOAD = 10_000
SOAK_TASKS = 1_000_000
_WINDOW = 100  # tasks in flight while memory is watched: the backlog itself must not count as growth
_NOISE = 1.0  # MiB: the size of one arena of the allocator, of which each worker may happen to need one more


def _roundtrip(make: Make, settings: Settings) -> float:
    with Started(make, settings.workers) as adapter:
        return 1e6 * repeated(lambda: adapter.result(adapter.submit(abs, -1)), settings.budget, least=20, most=5_000)


def _burst(make: Make, settings: Settings) -> float:
    with Started(make, settings.workers) as adapter:

        def burst(count: int = BURST) -> None:
            for task in [adapter.submit(abs, -1) for _ in range(count)]:
                adapter.result(task)

        burst(BURST // 10)
        return 1e6 * repeated(burst, settings.budget, most=5) / BURST


def _burst_alternating(make: Make, settings: Settings) -> float:
    """As a program does that handles one batch after the other: the pool runs dry in between."""
    with Started(make, settings.workers) as adapter:

        def bursts(count: int = SMALL_BURSTS) -> None:
            for _ in range(count):
                for task in [adapter.submit(abs, -1) for _ in range(SMALL_BURST)]:
                    adapter.result(task)

        bursts(SMALL_BURSTS // 10)
        return 1e6 * repeated(bursts, settings.budget, most=5) / (SMALL_BURSTS * SMALL_BURST)


def _map_seconds(adapter: Adapter, count: int, chunksize: int | None = None) -> float:
    items = range(count)
    return timed(lambda: list(adapter.map(abs, items, chunksize)))


def _map_tiny(make: Make, settings: Settings) -> float:
    with Started(make, settings.workers) as adapter:
        run = partial(_map_seconds, adapter)
        count, seconds = calibrate(run, 0.05 if settings.is_quick else 0.2, TINY_START, TINY_LIMIT)
        times = [seconds] if settings.is_quick else [seconds, run(count), run(count)]
        return 1e6 / count * statistics.median(times)


def _map_chunked(make: Make, settings: Settings) -> float:
    count = 20_000 if settings.is_quick else 100_000
    with Started(make, settings.workers) as adapter:
        return 1e6 / count * min(_map_seconds(adapter, count, chunksize) for chunksize in CHUNKSIZES)


def _payload_times(make: Make, settings: Settings, call: Callable[[Adapter], object]) -> float:
    with Started(make, 1) as adapter:
        call(adapter)  # the first one also makes the memory it fills
        return 1e3 * repeated(lambda: call(adapter), settings.budget, most=9)


def _payload() -> bytes:
    return os.urandom(2**20) * (PAYLOAD // 2**20)


def _bytes_arg(make: Make, settings: Settings) -> float:
    data = _payload()
    return _payload_times(make, settings, lambda adapter: adapter.result(adapter.submit(len, data)))


def _bytes_result(make: Make, settings: Settings) -> float:
    return _payload_times(make, settings, lambda adapter: adapter.result(adapter.submit(tasks.kept_bytes, PAYLOAD)))


def _bytearray_echo(make: Make, settings: Settings) -> float:
    data = bytearray(_payload())
    return _payload_times(make, settings, lambda adapter: adapter.result(adapter.submit(tasks.identity, data)))


def _view_write(size: int, make: Make, settings: Settings) -> float:
    data = bytearray(size)
    with Started(make, settings.workers) as adapter, memoryview(data) as view:
        seconds = repeated(lambda: adapter.result(adapter.submit(tasks.write_marks, view)), settings.budget, most=5_000)
    if not data[0]:
        raise RuntimeError("the task wrote into a copy of the memory")
    return 1e6 * seconds


def _first_result(make: Make, settings: Settings) -> tuple[float, Adapter]:
    start = time.perf_counter()
    adapter = make(settings.workers)
    adapter.result(adapter.submit(abs, -1))
    return time.perf_counter() - start, adapter


def _start_first(make: Make, settings: Settings) -> float:
    seconds, adapter = _first_result(make, settings)
    adapter.close()
    return 1e3 * seconds


def _start_later(make: Make, settings: Settings) -> float:
    times: list[float] = []
    for _ in range(4 if settings.is_quick else 10):
        seconds, adapter = _first_result(make, settings)
        adapter.close()
        times.append(seconds)
    return 1e3 * statistics.median(times[1:])


def _memory_now() -> float:
    gc.collect()
    if (memory := family_memory()) is None:
        raise Unmeasurable("this system does not tell the memory of a process and its children")
    return memory


def _memory_worker(make: Make, settings: Settings) -> float:
    """The worker's own: tasks that import something add that to it with every peer."""
    before = _memory_now()
    adapter = make(settings.workers)
    try:
        for _ in range(2):
            for task in [adapter.submit(time.sleep, tasks.PAUSE) for _ in range(settings.workers)]:
                adapter.result(task)
        return (_memory_now() - before) / settings.workers
    finally:
        adapter.close()


def _memory_growth(count: int | None, make: Make, settings: Settings) -> float:
    total = count or (2_000 if settings.is_quick else 20_000)
    data = os.urandom(GROWTH_PAYLOAD)
    with Started(make, settings.workers) as adapter:

        def run(amount: int) -> None:
            for _ in range(amount // _WINDOW):
                for task in [adapter.submit(tasks.identity, data) for _ in range(_WINDOW)]:
                    adapter.result(task)

        run(10 * _WINDOW)
        before = _memory_now()
        run(total)
        return _memory_now() - before


def scale(name: str, make: Make, settings: Settings) -> tuple[float, int]:
    """Run a workload once with warm workers; return the seconds, and a checksum of the results."""
    workload = WORKLOADS[name]
    pieces = workload.pieces(settings.is_quick)
    results: Sequence[Any] = ()

    def run() -> None:
        nonlocal results
        results = list(adapter.map(workload.work, pieces))

    with Started(make, settings.workers) as adapter:
        list(adapter.map(workload.work, pieces[: settings.workers]))
        seconds = timed(run)
    return seconds, zlib.crc32(repr(results).encode())


def _only_with_chunks(peer: Peer) -> str | None:
    return None if peer.honours_chunksize else "it ignores chunksize"


def _only_shared(peer: Peer) -> str | None:
    return None if peer.shares_memory else "it does not share memory with tasks"


def _only_ours(peer: Peer) -> str | None:
    return None if peer.name == OURS else "only interp_pool is run for so long"


def _scaling(name: str, make: Make, settings: Settings) -> float:
    return scale(name, make, settings)[0]


def _floor(run: Callable[[int], float], _: Make, settings: Settings) -> float:
    return run(500 if settings.is_quick else 3_000)


MEASURES = by_name(
    Measure("roundtrip", "submit to result, one at a time, median", "us", _roundtrip),
    Measure("burst", "5,000 submits, then all results, per task", "us", _burst),
    Measure("burst_alternating", "100 submits, then their results, by turns, per task", "us", _burst_alternating),
    Measure("map_tiny", "map over tiny items, default arguments, per item", "us", _map_tiny),
    Measure("map_chunked", "map with the best of a few chunksizes, per item", "us", _map_chunked, _only_with_chunks),
    Measure("bytes_arg", "64 MiB of bytes as argument", "ms", _bytes_arg),
    Measure("bytes_result", "64 MiB of bytes as result", "ms", _bytes_result),
    Measure("bytearray_echo", "64 MiB bytearray there and back", "ms", _bytearray_echo),
    Measure("view_write", "64 MiB memoryview written by the task", "us", partial(_view_write, PAYLOAD), _only_shared),
    Measure(
        "view_write_small",
        "64 byte memoryview written by the task",
        "us",
        partial(_view_write, SMALL_PAYLOAD),
        _only_shared,
    ),
    WORKERS,
    BESIDE,
    MIXED,
    BUSY,
    STARTING,
    Measure("start_first", "first result of the first executor", "ms", _start_first),
    Measure("start_later", "first result of a later executor", "ms", _start_later),
    Measure("memory_worker", "extra memory for each worker", "MiB", _memory_worker, noise=0.1),
    Measure(
        "memory_growth",
        "growth over 20,000 tasks (quick: 2,000) with 10 KB",
        "MiB",
        partial(_memory_growth, None),
        noise=_NOISE,
    ),
    Measure(
        "memory_soak",
        "growth over 1,000,000 tasks with 10 KB",
        "MiB",
        partial(_memory_growth, SOAK_TASKS),
        _only_ours,
        noise=_NOISE,
    ),
)
SCALING = by_name(
    *(Measure(name, workload.title, "s", partial(_scaling, name)) for name, workload in WORKLOADS.items())
)
FLOORS = by_name(
    Measure("floor_event", "eventfd there and back", "us", partial(_floor, floor.event_ping_pong)),
    Measure(
        "floor_parked",
        "pickled task there and back, both sides asleep",
        "us",
        partial(_floor, partial(floor.task_there_and_back, is_spinning=False)),
    ),
    Measure(
        "floor_spinning",
        "pickled task there and back, both look a while",
        "us",
        partial(_floor, partial(floor.task_there_and_back, is_spinning=True)),
    ),
)
