"""The pools of this process for Prometheus: `register()`, and `prometheus_client` exposes them.

Owns which of a pool's statistics become which metrics. Values are read when somebody scrapes, and a pool does nothing
for it until then, but for the histograms. Each metric has a label `pool`: what the pool's threads are named after,
`thread_name_prefix`. Pools of the same name are counted together, and a counter does not go back when one of them
ends: Prometheus would take that for a new beginning, and add the rest once more.

Source: "Custom Collectors" of prometheus_client's documentation, and Prometheus' "Metric and label naming".
"""

from weakref import ref

from interp_pool._pool.pool import living_pools
from interp_pool._process.watched import meter_pools
from interp_pool._wire.texts import encodable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from interp_pool._core.histogram import Histogram
    from interp_pool._core.statistics import Statistics
    from interp_pool._pool.pool import InterpreterPool

    type Counts = dict[str, Any]  # of a pool, by the fields of Statistics: numbers and histograms

    # What is used of prometheus_client, which need not be there.

    class Metric(Protocol):
        """A metric with its samples."""

    class Registry(Protocol):
        """What collects metrics: a `prometheus_client.CollectorRegistry`."""

        def register(self, collector: "Collector") -> None:
            """Have a collector asked from now on."""

    REGISTRY: Registry
    CounterMetricFamily: Any
    GaugeMetricFamily: Any
    HistogramMetricFamily: Any
else:
    try:
        from prometheus_client.core import (
            REGISTRY,
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )
    except ImportError as exc:
        raise ImportError(
            f"interp_pool.metrics needs prometheus_client ({exc}): pip install 'interp-pool[prometheus]'"
        ) from exc

__all__ = ["Collector", "register"]

_PREFIX = "interp_pool_"
_STEP = 8  # buckets of ours in one of theirs: each ends at four times the one before, from 2 us on
_LONGEST = 5000.0  # seconds; their last bucket but the one for all that is longer

_WORKERS = {
    "starting": "workers_starting",
    "idle": "workers_idle",
    "busy": "workers_busy",
    "leaving": "workers_leaving",
    "abandoned": "workers_abandoned",
    "lent": "workers_lent",
}
_TASKS = {"waiting": "tasks_waiting", "sent": "tasks_sent", "running": "tasks_running"}
_COUNTERS = {
    "tasks_ended": ("tasks_ended", "Tasks that have ended, in whatever way. A batch of map is one."),
    "interrupts": ("interrupts", "Tasks that were told to stop while they ran."),
    "timeouts": ("timeouts", "Tasks that were stopped because of a timeout or deadline."),
    "workers_abandoned": ("abandoned", "How often a worker was abandoned, as its task did not stop."),
    "workers_restarted": ("restarts", "Workers that were started in place of another one."),
    "fallback_process_tasks": ("tasks_in_processes", "Tasks that were given to processes."),
    "fallback_thread_tasks": ("tasks_in_threads", "Tasks that were given to threads of the main interpreter."),
    "nested_tasks": ("tasks_nested", "Tasks that tasks have submitted, as far as they were sent."),
    "sent_bytes": ("bytes_sent", "Bytes of pickled tasks, and of the memory they share."),
    "received_bytes": ("bytes_received", "Bytes of pickled results."),
}
_HISTOGRAMS = {
    "task_run_seconds": ("run_times", "How long tasks ran; for a batch of map its average for each item."),
    "task_wait_seconds": ("wait_times", "How long tasks waited until a worker began with them."),
    "task_encode_seconds": ("encode_times", "How long pickling the results of tasks took."),
}


def register(registry: "Registry | None" = None) -> "Collector":
    """Have the pools of this process among the metrics that a registry exposes.

    Args:
        registry: of prometheus_client; None means its own, `REGISTRY`.

    Returns:
        What was registered, for `registry.unregister`.

    Raises:
        ValueError: the registry has these metrics already.

    Pools that are made from now on have histograms; see the option `histograms`. Thread safety: yes.
    """
    made = Collector()
    (REGISTRY if registry is None else registry).register(made)
    meter_pools()
    return made


class Collector:
    """Collects the metrics of all pools. Thread safety: all methods."""

    def __init__(self) -> None:
        # What was counted at the last scrape: by each pool that lived, with its name, and by those of a name that had
        # ended while one of that name lives. Replaced as one, so there is no lock that a fork could leave held.
        self._last: tuple[dict[ref[InterpreterPool], tuple[str, Counts]], dict[str, Counts]] = {}, {}

    def describe(self) -> "Iterable[Metric]":
        """Return the metrics without values: their names are taken when this is registered."""
        return _families({}, {})

    def collect(self) -> "Iterator[Metric]":
        """Return the metrics as they are now. What ended pools counted stays in those of their name."""
        known: dict[str, list[tuple[Statistics, int]]] = {}
        seen: dict[ref[InterpreterPool], tuple[str, Counts]] = {}
        before, gone = self._last
        for pool in living_pools():
            now, name = pool.statistics(), encodable(pool.thread_name_prefix)
            known.setdefault(name, []).append((now, pool.max_workers))
            seen[ref(pool)] = name, _counts(now)
        ended = {name: counts for name, counts in gone.items() if name in known}
        for each, (name, counts) in before.items():
            if each not in seen and name in known:
                ended[name] = _sum(ended.get(name, {}), counts)
        self._last = seen, ended
        totals = {**ended}
        for name, counts in seen.values():
            totals[name] = _sum(totals.get(name, {}), counts)
        return _families(known, totals)


def _counts(now: "Statistics") -> "Counts":
    """Return what only grows of what a pool has counted."""
    fields = [*(field for field, _ in _COUNTERS.values()), *(field for field, _ in _HISTOGRAMS.values())]
    return {field: value for field in fields if (value := getattr(now, field)) is not None}


def _sum(one: "Counts", other: "Counts") -> "Counts":
    return {**one, **{field: one[field] + value if field in one else value for field, value in other.items()}}


def _families(pools: "dict[str, list[tuple[Statistics, int]]]", totals: "dict[str, Counts]") -> "Iterator[Metric]":
    """Yield the metrics of pools.

    Args:
        pools: by name, the statistics and most workers of each that has it.
        totals: what those of a name have counted, also those that have ended.
    """
    most = GaugeMetricFamily(f"{_PREFIX}max_workers", "Most workers at a time.", labels=["pool"])
    workers = GaugeMetricFamily(f"{_PREFIX}workers", "Workers by state.", labels=["pool", "state"])
    tasks = GaugeMetricFamily(f"{_PREFIX}tasks", "Tasks that have not ended, by state.", labels=["pool", "state"])
    for name, told in pools.items():
        most.add_metric([name], sum(count for _, count in told))
        for family, fields in ((workers, _WORKERS), (tasks, _TASKS)):
            for state, field in fields.items():
                family.add_metric([name, state], sum(getattr(statistics, field) for statistics, _ in told))
    yield from (most, workers, tasks)
    for metric, (field, text) in _COUNTERS.items():
        counter = CounterMetricFamily(_PREFIX + metric, text, labels=["pool"])
        for name, counts in totals.items():
            counter.add_metric([name], counts[field])
        yield counter
    for metric, (field, text) in _HISTOGRAMS.items():
        histogram = HistogramMetricFamily(_PREFIX + metric, text, labels=["pool"])
        for name, counts in totals.items():
            if field in counts:
                histogram.add_metric([name], _buckets(counts[field]), counts[field].sum)
        yield histogram


def _buckets(times: "Histogram") -> list[tuple[str, float]]:
    """Return the buckets of a histogram as Prometheus has them: how often it took up to so many seconds."""
    bounds = [(f"{bound!r}", float(count)) for bound, count in times.cumulative(_STEP) if bound < _LONGEST]
    return [*bounds, ("+Inf", float(times.count))]
