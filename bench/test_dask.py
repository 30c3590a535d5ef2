"""What a worker process of dask with two threads gets done: on its own threads, and on interpreters.

The work is pure Python, which holds the GIL. The time of the default over that of the interpreters is the gain: 1.8 at
least on a machine with two free processors. On one that others use too it tells little: threads that take turns with a
GIL are given more of such a processor than threads that compute all the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interp_pool.bench.tasks import burn

distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from interp_pool.dask import ClusterExecutor, InterpreterPlugin  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 1_000_000  # some 25 ms
TASKS = 40
SMALL, MANY = 40, 20_000  # some 1 us each


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(InterpreterPlugin(idle_timeout=None))
        yield client


@pytest.mark.parametrize("executor", ["default", "interpreters"])
def test_gil_bound_work(benchmark, client, executor: str):
    def compute() -> None:
        with dask.annotate(executor=executor):
            client.gather(client.map(burn, [STEPS] * TASKS, pure=False))

    compute()
    benchmark.extra_info["tasks"] = TASKS
    benchmark.pedantic(compute, rounds=5)


def test_gil_bound_work_through_the_executor(benchmark, client):
    with ClusterExecutor(client) as executor:
        list(executor.map(burn, [STEPS] * 4))
        benchmark.extra_info["tasks"] = TASKS
        benchmark.pedantic(lambda: list(executor.map(burn, [STEPS] * TASKS)), rounds=5)


def test_many_small_items_through_the_executor(benchmark, client):
    with ClusterExecutor(client) as executor:
        list(executor.map(burn, [SMALL] * MANY))
        benchmark.extra_info["items"] = MANY
        benchmark.pedantic(lambda: list(executor.map(burn, [SMALL] * MANY)), rounds=5)


def test_single_tasks_through_the_executor(benchmark, client):
    with ClusterExecutor(client) as executor:
        executor.submit(burn, 1).result()
        benchmark.extra_info["tasks"] = 500
        benchmark.pedantic(lambda: [each.result() for each in [executor.submit(burn, 1) for _ in range(500)]], rounds=5)
