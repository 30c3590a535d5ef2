"""How well `map` shares out items that take different times.

This file owns the mixes of durations and the measure `map_mixed`: an executor's `map` with its default arguments beside
a ProcessPoolExecutor that sends one item at a time, which cannot share out badly, in the same process and in turns.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from interp_pool.bench import tasks
from interp_pool.bench.crowds import field
from interp_pool.bench.measuring import Make, Measure, Reading, Settings, start_workers, timed
from interp_pool.bench.peers import PEERS, Adapter

__all__ = ["MIXED", "MIXES"]

_SHORT, _TINY = 4_000, 10  # steps of `burn`: some 0.1 ms, and next to nothing
_BUSY_TASKS = 10  # others that are in the executor, where a mix says so


def _alternating(long: int) -> list[int]:
    return [*chain.from_iterable([long // 8, _TINY] for _ in range(24))]


MIXES: dict[str, Callable[[int], list[int]]] = {
    "long_first": lambda long: [long] + [_SHORT] * 100,
    "long_last": lambda long: [_SHORT] * 100 + [long],
    "long_middle": lambda long: [_SHORT] * 50 + [long] + [_SHORT] * 50,
    "tiny_then_long": lambda long: [_TINY] * 200 + [long // 4] * 8,
    "alternating": _alternating,
    "two_long_after_tiny": lambda long: [_TINY] * 20 + [long] * 2,
    "one_of_1000": lambda long: [_TINY] * 700 + [long] + [_TINY] * 299,
    "growing": lambda long: [long * number // 400 for number in range(40)],
    "falling": lambda long: [long * number // 400 for number in reversed(range(40))],
    "beside_tasks": lambda long: [_TINY] * 20 + [long // 2] * 4,
}
"""Steps of `burn` for each item, given what a long one takes; by name."""


def _map_mixed(make: Make, settings: Settings) -> Reading:
    long, repeats = (600_000, 1) if settings.is_quick else (1_500_000, 3)
    reference = _reference(settings.workers)  # first: no process may be forked once there are threads
    adapter = make(settings.workers)
    try:
        start_workers(reference, settings.workers)
        start_workers(adapter, settings.workers)
        details: dict[str, float] = {}
        for name, mix in MIXES.items():
            items, is_beside = mix(long), name == "beside_tasks"
            ways = {
                "processes": (reference, 1),
                "default": (adapter, None),
                "one_by_one": (adapter, 1),
            }
            # The least of some runs: whatever else the machine does only adds to them.
            times = {way: float("inf") for way in ways}
            for _ in range(repeats):
                for way, (executor, chunksize) in ways.items():
                    times[way] = min(times[way], _seconds(executor, items, chunksize, long, is_beside=is_beside))
            details[f"{name}_ratio"] = times["default"] / times["processes"]
            details[f"{name}_own_ratio"] = times["default"] / times["one_by_one"]
            details |= {f"{name}_{way}_ms": 1e3 * seconds for way, seconds in times.items()}
        details["worst_own_ratio"] = max(details[f"{name}_own_ratio"] for name in MIXES)
        return Reading(max(details[f"{name}_ratio"] for name in MIXES), details)
    finally:
        adapter.close()
        reference.close()


def _reference(workers: int) -> Adapter:
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    return PEERS[method].load()(workers)


def _seconds(executor: Adapter, items: Sequence[int], chunksize: int | None, long: int, *, is_beside: bool) -> float:
    others: Iterable[Any] = [executor.submit(tasks.burn, long // 10) for _ in range(_BUSY_TASKS)] if is_beside else ()
    seconds = timed(lambda: list(executor.map(tasks.burn, items, chunksize)))
    for other in others:
        executor.result(other)
    return seconds


MIXED = Measure(
    "map_mixed", "map of mixed durations, the worst mix, by one item at a time with processes", "x", _map_mixed, field
)
