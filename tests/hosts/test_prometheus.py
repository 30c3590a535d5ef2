"""`interp_pool.metrics`, scraped from an endpoint of prometheus_client as a Prometheus server does it."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._process import watched

prometheus_client = pytest.importorskip("prometheus_client")
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from interp_pool import metrics  # noqa: E402

pytestmark = pytest.mark.hosts


@pytest.fixture
def scrape(monkeypatch):
    """Serve the metrics of this process; give a function that scrapes them: samples by name and labels."""
    monkeypatch.setattr(watched, "_is_metering", False)
    registry = prometheus_client.CollectorRegistry()
    metrics.register(registry)
    with _served(registry) as port:

        def scrape():
            with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read().decode()
            return {
                (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }

        yield scrape


@contextmanager
def _served(registry):
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_pools_are_scraped_with_counts_states_and_histograms(scrape):
    with InterpreterPoolExecutor(2, thread_name_prefix="crunch") as executor:
        executor.submit(tasks.spend, 0.02).result(60)
        assert list(executor.map(tasks.identity, range(50), chunksize=25)) == [*range(50)]
        told, now = scrape(), executor.statistics()
    assert told["interp_pool_tasks_ended_total", "crunch"] == now.tasks_ended == 3
    assert told["interp_pool_sent_bytes_total", "crunch"] == now.bytes_sent
    assert told["interp_pool_max_workers", "crunch"] == 2
    assert told["interp_pool_workers", "crunch", "busy"] == 0
    assert told["interp_pool_tasks", "crunch", "waiting"] == 0
    assert 1 <= sum(value for name, value in told.items() if name[0] == "interp_pool_workers") <= 2
    assert told["interp_pool_task_run_seconds_count", "crunch"] == 51
    assert math.isclose(told["interp_pool_task_run_seconds_sum", "crunch"], now.run_times.sum)
    assert told["interp_pool_task_wait_seconds_count", "crunch"] == 3
    assert told["interp_pool_task_encode_seconds_count", "crunch"] == 3


def test_counters_do_not_go_back_when_one_of_several_pools_of_a_name_ends(scrape):
    ended = "interp_pool_tasks_ended_total", "crunch"
    with InterpreterPoolExecutor(1, thread_name_prefix="crunch") as lasting:
        assert lasting.submit(tasks.identity, 1).result(60) == 1
        for number in range(2, 4):
            with InterpreterPoolExecutor(1, thread_name_prefix="crunch") as executor:
                assert executor.submit(tasks.identity, 1).result(60) == 1
                assert scrape()[ended] == number
            told = scrape()
            assert told[ended] == told["interp_pool_task_run_seconds_count", "crunch"] == number
            assert told["interp_pool_max_workers", "crunch"] == 1
    assert ended not in scrape()


def test_buckets_hold_what_took_up_to_their_bound(scrape):
    with InterpreterPoolExecutor(1, thread_name_prefix="crunch") as executor:
        executor.submit(tasks.spend, 0.02).result(60)
        told = scrape()
    buckets = {
        float(name[1]): value for name, value in told.items() if name[0] == "interp_pool_task_run_seconds_bucket"
    }
    assert [*buckets] == sorted(buckets)
    assert [*buckets.values()] == sorted(buckets.values())
    assert max(bound for bound, value in buckets.items() if not value) >= 0.008
    assert buckets[math.inf] == 1
    assert len(buckets) == 17
    assert 2e-6 in buckets


def test_running_tasks_are_seen(scrape):
    reader, writer = os.pipe()
    with InterpreterPoolExecutor(1, thread_name_prefix="crunch") as executor:
        held = executor.submit(os.read, reader, 1)
        while not executor.statistics().workers_busy:
            pass
        others = [executor.submit(tasks.identity, 1) for _ in range(5)]
        told = scrape()
        assert told["interp_pool_tasks", "crunch", "running"] == told["interp_pool_workers", "crunch", "busy"] == 1
        assert told["interp_pool_tasks", "crunch", "waiting"] + told["interp_pool_tasks", "crunch", "sent"] == 5
        os.write(writer, b"x")
        assert all(future.result(60) for future in (held, *others))
    os.close(reader)
    os.close(writer)


def test_pools_of_one_name_are_counted_together_and_go_when_they_end(scrape):
    with (
        InterpreterPool(1, thread_name_prefix="same") as one,
        InterpreterPool(2, thread_name_prefix="same", histograms=True) as other,
    ):
        for pool in (one, other):
            with InterpreterPoolExecutor(pool=pool) as executor:
                assert executor.submit(tasks.identity, 1).result(60) == 1
        told = scrape()
        assert told["interp_pool_tasks_ended_total", "same"] == 2
        assert told["interp_pool_max_workers", "same"] == 3
        assert told["interp_pool_task_run_seconds_count", "same"] == 2
    assert not [name for name in scrape() if "same" in name]


def test_name_that_no_encoding_has_is_a_label_all_the_same(scrape):
    with InterpreterPoolExecutor(3, thread_name_prefix='x\udc80\n\x1b"') as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        assert scrape()["interp_pool_max_workers", 'x\\udc80\n\x1b"'] == 3


def test_pool_that_was_there_before_has_no_histograms(scrape, monkeypatch):
    monkeypatch.setattr(watched, "_is_metering", False)
    with InterpreterPoolExecutor(1, thread_name_prefix="old") as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        told = scrape()
    assert told["interp_pool_tasks_ended_total", "old"] == 1
    assert ("interp_pool_task_run_seconds_count", "old") not in told


def test_registering_twice_is_refused():
    registry = prometheus_client.CollectorRegistry()
    collector = metrics.register(registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        metrics.register(registry)
    registry.unregister(collector)
    metrics.register(registry)
