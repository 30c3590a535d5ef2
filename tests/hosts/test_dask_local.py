"""Dask's local schedulers on an executor of interpreters, or on a view of one."""

from __future__ import annotations

import pytest
from dask_tasks import add, fail, place, spin, total, triangle

from interp_pool import InterpreterPoolExecutor

dask = pytest.importorskip("dask")

pytestmark = pytest.mark.hosts

NUMBERS = range(20)


@pytest.fixture
def executor(request):
    with InterpreterPoolExecutor(2) as made:
        yield made
    request.node.funcargs.pop("executor", None)  # its queues end before the leak check looks


@pytest.fixture(params=["executor", "view"])
def pool(request, executor):
    yield executor if request.param == "executor" else executor.options(timeout=60, name="dask")
    del request.node.funcargs["pool"]  # as above


def ways(pool):
    """Every documented way to have a local scheduler use a pool."""
    return {
        "pool": {"pool": pool, "scheduler": "threads"},
        "scheduler": {"scheduler": pool},
        "processes": {"pool": pool, "scheduler": "processes"},
    }


def test_delayed_calls_run_in_interpreters(pool, subtests):
    calls = [dask.delayed(triangle)(number) for number in NUMBERS]
    for name, options in ways(pool).items():
        with subtests.test(name):
            assert dask.compute(*calls, **options) == tuple(map(triangle, NUMBERS))
            assert dask.compute(*[dask.delayed(place)(number) for number in range(3)], **options)[0][1]


def test_configured_pool_is_used(pool):
    before = pool.statistics().tasks_ended
    with dask.config.set(pool=pool):
        tree = dask.delayed(total)([dask.delayed(add)(number, 1) for number in NUMBERS])
        assert tree.compute() == sum(NUMBERS) + len(NUMBERS)
    assert pool.statistics().tasks_ended > before


def test_bag_computes(pool, subtests):
    bag = pytest.importorskip("dask.bag").from_sequence(range(100), npartitions=8)
    for name, options in ways(pool).items():
        with subtests.test(name):
            assert bag.map(triangle).filter(bool).sum().compute(**options) == sum(map(triangle, range(100)))


def test_batches_of_the_scheduler_are_whole(pool):
    """It submits them by `chunksize`."""
    calls = [dask.delayed(triangle)(number) for number in NUMBERS]
    for chunksize in (1, 7):
        assert dask.compute(*calls, pool=pool, chunksize=chunksize) == tuple(map(triangle, NUMBERS))


def test_error_arrives_as_what_it_is(pool, subtests):
    for name, options in ways(pool).items():
        with subtests.test(name), pytest.raises(ValueError, match="no luck"):
            dask.compute(dask.delayed(fail)("no luck"), **options)
    assert dask.compute(dask.delayed(add)(1, 2), scheduler=pool) == (3,)


def test_timeout_of_a_view_ends_the_computation(executor, fifo):
    with pytest.raises(TimeoutError, match=r"ran longer than its timeout of 0.05 s"):
        dask.compute(dask.delayed(spin)(fifo.path), scheduler=executor.options(timeout=0.05))
    assert dask.compute(dask.delayed(add)(1, 2), scheduler=executor) == (3,)
