"""What a task costs when much else is alive: many workers, many queues, another executor.

This file owns these measures. The processor time of all threads and processes counts, because it is what a machine
with many cores pays; the time that passes stands beside it. Ratios compare numbers of one process and one run.
"""

import statistics
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from time import perf_counter

import interp_api
from interp_pool.bench import tasks
from interp_pool.bench.family import family, processor_time
from interp_pool.bench.gathering import gather
from interp_pool.bench.measuring import Make, Measure, Reading, Settings, Unmeasurable
from interp_pool.bench.peers import Adapter, Peer

__all__ = ["BESIDE", "STARTING", "WORKERS", "field"]

_FIELD = {"forkserver", "spawn", "loky"}
_FEW, _MANY = 2, 64
_QUEUES = 100
_KEYS = ("burst_cpu_us", "burst_us", "roundtrip_cpu_us", "roundtrip_us")


def field(peer: Peer) -> str | None:
    """Say why a peer need not be measured: of processes one way to start them is enough."""
    return "it is as fork and mp.Pool are, once it is started" if peer.name in _FIELD else None


@contextmanager
def _gathered(make: Make, workers: int) -> Generator[Adapter]:
    """Have an executor, so many of whose workers have all been started."""
    adapter, _ = gather(lambda: make(workers), workers)
    try:
        yield adapter
    finally:
        adapter.close()


def _cost(run: Callable[[], object], pids: Sequence[int], count: int) -> tuple[float, float]:
    """Return the microseconds of all processors, and those that pass, for each of so many tasks."""
    used, start = processor_time(pids), perf_counter()
    run()
    seconds, now = perf_counter() - start, processor_time(pids)
    if used is None or now is None:
        raise Unmeasurable("this system does not tell the processor time of a process and its children")
    return 1e6 * (now - used) / count, 1e6 * seconds / count


def _costs(adapter: Adapter, settings: Settings) -> list[float]:
    """Return what a task of a burst costs and what a round trip does, in the order of `_KEYS`."""
    tasks_, trips = (1_000, 200) if settings.is_quick else (4_000, 1_000)
    pids = family()

    def burst(count: int = tasks_) -> None:
        for task in [adapter.submit(tasks.identity, number) for number in range(count)]:
            adapter.result(task)

    def round_trips() -> None:
        for number in range(trips):
            adapter.result(adapter.submit(tasks.identity, number))

    burst(tasks_ // 10)
    return [*_cost(burst, pids, tasks_), *_cost(round_trips, pids, trips)]


def _medians(runs: Sequence[Sequence[float]], suffix: str) -> dict[str, float]:
    return {
        f"{key}_{suffix}": statistics.median(column) for key, column in zip(_KEYS, zip(*runs, strict=True), strict=True)
    }


def _with_ratios(details: dict[str, float], base: str, others: Sequence[str]) -> dict[str, float]:
    """Add how many times as much processor time a task needs in each case as in the first one."""
    for kind in ("burst", "roundtrip"):
        for other in others:
            ratio = details[f"{kind}_cpu_us_{other}"] / details[f"{kind}_cpu_us_{base}"]
            details[f"{kind}_cpu_ratio_{other}"] = ratio
    return details


def _workers(make: Make, settings: Settings) -> Reading:
    repeats = 1 if settings.is_quick else 3
    found: dict[int, list[list[float]]] = {}
    for count in (_FEW, 8, 32, _MANY):
        with _gathered(make, count) as adapter:
            found[count] = [_costs(adapter, settings) for _ in range(repeats)]
    details: dict[str, float] = {}
    for count, runs in found.items():
        details |= _medians(runs, str(count))
    details = _with_ratios(details, str(_FEW), [str(count) for count in found if count != _FEW])
    return Reading(details[f"burst_cpu_us_{_MANY}"], details)


def _beside(make: Make, settings: Settings) -> Reading:
    repeats = 1 if settings.is_quick else 3
    runs: dict[str, list[list[float]]] = {"alone": [], "queues": [], "pool": []}
    with _gathered(make, _FEW) as adapter:
        for _ in range(repeats):  # in turns: what is compared is measured close together
            runs["alone"].append(_costs(adapter, settings))
            queues = [interp_api.create_queue() for _ in range(_QUEUES)]
            runs["queues"].append(_costs(adapter, settings))
            del queues
        with _gathered(make, _MANY):
            runs["pool"] += [_costs(adapter, settings) for _ in range(repeats)]
    details: dict[str, float] = {}
    for name, each in runs.items():
        details |= _medians(each, name)
    details = _with_ratios(details, "alone", ["queues", "pool"])
    return Reading(details["burst_cpu_us_queues"], details)


def _starting(make: Make, _: Settings) -> Reading:
    adapter, times = gather(lambda: make(_MANY), _MANY)
    adapter.close()
    return Reading(1e3 * times[-1], {"first_ms": 1e3 * times[0], "first_to_last_ratio": times[0] / times[-1]})


WORKERS = Measure("workers_64", "processor time of a task in a burst, 64 workers started", "us", _workers, field)
BESIDE = Measure("beside_100_queues", "processor time of a task in a burst, beside 100 queues", "us", _beside, field)
STARTING = Measure("starting", "64 workers wanted at once, until the last has begun", "ms", _starting, field)
