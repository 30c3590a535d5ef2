"""InterpreterPlugin in a worker of this process: what runs where, what is sent, what is stopped."""

from __future__ import annotations

import asyncio
import threading

import pytest
from dask_tasks import (
    Odd,
    Pair,
    add,
    echo,
    exit_worker,
    fail,
    fail_oddly,
    fail_unspeakably,
    loaded_of_dask,
    make_lock,
    make_sizeless,
    place,
    spin,
    spin_telling,
    stop_late,
    swap,
    tell_and_wait,
    thread_name,
    total,
    triangle,
)

from interp_pool import BrokenInterpreterPool

distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from interp_pool._dask import host  # noqa: E402
from interp_pool.dask import InterpreterPlugin, dask_setup, dask_teardown  # noqa: E402

pytestmark = [pytest.mark.hosts, pytest.mark.leaks("a cluster has threads and connections when it likes")]

INTERPRETERS = {"executor": "interpreters"}


class Watch(distributed.WorkerPlugin):
    """Tells of a transition of a task."""

    name = "watch"

    def __init__(self):
        self.expected, self.seen = None, threading.Event()

    def transition(self, key, start, finish, **_):
        if (key, start, finish) == self.expected:
            self.seen.set()


@pytest.fixture(scope="module", autouse=True)
def _offload_thread():
    """Start the thread that distributed starts once in a process."""
    distributed.utils._offload_executor.submit(abs, 1).result()


def local_cluster(**options):
    return distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=False, **options
    )


@pytest.fixture
def client():
    with local_cluster() as cluster, distributed.Client(cluster) as client:
        client.register_plugin(InterpreterPlugin())
        yield client


@pytest.fixture
def worker(client):
    return client.cluster.workers[0]


def test_annotated_tasks_run_in_interpreters_and_others_do_not(client):
    assert not client.submit(place, 1).result()[1]
    with dask.annotate(**INTERPRETERS):
        assert client.submit(place, 2).result()[1]
        assert dask.delayed(place)(3).compute()[1]


def test_default_sends_everything_there_until_it_is_removed():
    with local_cluster() as cluster, distributed.Client(cluster) as client:
        worker = cluster.workers[0]
        threads = worker.executors["default"]
        client.register_plugin(InterpreterPlugin(default=True))
        assert client.submit(place, 1).result()[1]
        assert not worker.executors["default"].submit(place).result()[1]  # which is no task
        client.unregister_worker_plugin(InterpreterPlugin.name)
        assert worker.executors["default"] is threads
        assert "interpreters" not in worker.executors
        assert not client.submit(place, 2).result()[1]


def test_another_plugin_takes_the_place_of_the_one_before(client, worker, fifo, make_fifo):
    """What runs in the old one is still done."""
    go, before = make_fifo(), worker.executors["interpreters"]
    with dask.annotate(**INTERPRETERS):
        running = client.submit(tell_and_wait, fifo.path, go.path, pure=False)
        assert fifo.line() == "1"
        client.register_plugin(InterpreterPlugin(nthreads=1))
        now = worker.executors["interpreters"]
        assert now is not before
        assert now._max_workers == 1
        assert client.submit(place, pure=False).result()[1]
        go.let_go()
        assert running.result() == "done"


def test_fused_tasks_and_containers_are_sent_filled_in(client):
    """Nothing of dask is loaded for them."""
    with dask.annotate(**INTERPRETERS):
        one, two = client.submit(add, 1), client.submit(add, 2)
        assert client.submit(total, [one, two, 4]).result() == 7
        assert client.submit(swap, {"a": one, "b": 5}).result() == {1: "a", 5: "b"}
        assert client.submit(echo, more=(two, {"x": [one]})).result() == {"more": (2, {"x": [1]})}
        graph = {
            "a": (add, 1, 2),
            "b": (add, "a", 10),
            "c": (total, [(add, "b", 1), (add, "b", 2)]),
            "d": "c",
            "e": [(add, "d", 1), "b"],
        }
        assert client.get(graph, ["c", "d", "e"]) == [29, 29, [30, 13]]
        assert client.submit(loaded_of_dask).result() == []
        assert client.submit(echo, pair=Pair(one, 2)).result() == {"pair": Pair(1, 2)}  # a function of dask makes it


def test_chain_that_dask_fuses_is_one_task(client, worker):
    bag = pytest.importorskip("dask.bag").from_sequence(range(40), npartitions=4)
    before = worker.executors["interpreters"].statistics().tasks_ended
    with dask.annotate(**INTERPRETERS), dask.config.set({"optimization.fuse.active": True}):
        assert bag.map(triangle).map(add, 1).filter(bool).sum().compute() == sum(map(triangle, range(40))) + 40
    assert 0 < worker.executors["interpreters"].statistics().tasks_ended - before <= 12


def test_function_of_main_goes_by_value(client):
    namespace = {"__name__": "__main__"}
    exec("FACTOR = 3\ndef scale(x): return helper(x) * FACTOR\ndef helper(x): return x + 1", namespace)
    with dask.annotate(**INTERPRETERS):
        assert client.submit(namespace["scale"], 4).result() == 15
        assert client.submit(lambda x: x + FIVE, 4).result() == 9


FIVE = 5


def test_error_is_the_tasks_own(client, caplog):
    with dask.annotate(**INTERPRETERS):
        with pytest.raises(ValueError, match="no luck"):
            client.submit(fail, "no luck").result()
        with pytest.raises(Odd) as info:
            client.submit(fail_oddly).result()
        assert (info.value.first, info.value.second) == (1, 2)
        with pytest.raises(RuntimeError, match="ended with SystemExit: 3"):
            client.submit(exit_worker).result()
        assert client.submit(add, 1).result() == 1
        with pytest.raises(RuntimeError, match="ended, but not well: RuntimeError: no words"):
            client.submit(fail_unspeakably).result()
        with pytest.raises(RuntimeError, match="ended, but not well: ValueError: no size"):
            client.submit(make_sizeless).result()
        assert client.submit(add, 2).result() == 2
    assert "in fail" in caplog.text  # distributed logs where that was
    assert "dask_tasks.py" in caplog.text


def test_cancelled_task_stops_while_it_runs(client, worker, fifo):
    with dask.annotate(**INTERPRETERS):
        future = client.submit(spin_telling, fifo.path, pure=False)
        fifo.line()
        future.cancel()
        assert fifo.line() == "stopped"
        assert client.submit(add, 1, pure=False).result() == 1
    assert worker.executors["interpreters"].keys() == []


def test_task_that_is_asked_for_again_while_it_stops_runs_again(client, worker, fifo, make_fifo, tmp_path):
    """The worker does not begin it a second time while it runs, and takes what the first run answers."""
    go, watch, mark = make_fifo(), Watch(), str(tmp_path / "mark")
    watch.expected = "again", "cancelled", "waiting"
    worker.plugins["watch"] = watch
    with dask.annotate(**INTERPRETERS):
        first = client.submit(stop_late, fifo.path, go.path, mark, key="again")
        assert fifo.line() == "began"
        first.cancel()
        assert fifo.line() == "stopped"
        second = client.submit(stop_late, fifo.path, go.path, mark, key="again")
        assert watch.seen.wait(60)
        go.let_go()
        assert second.result() == "second run"
    del worker.plugins["watch"]


def test_timeout_stops_the_task(client, fifo):
    text = r"task 'slow' was stopped: it ran longer than its timeout of 0.05 s"
    with dask.annotate(timeout=0.05, **INTERPRETERS), pytest.raises(TimeoutError, match=text):
        client.submit(spin, fifo.path, key="slow").result()
    with dask.annotate(timeout="soon", **INTERPRETERS), pytest.raises(TypeError, match="timeout must be a number"):
        client.submit(add, 1, pure=False).result()


def test_what_no_interpreter_can_load_runs_on_the_threads(client, caplog):
    numpy_tasks = pytest.importorskip("needs_numpy")
    with dask.annotate(**INTERPRETERS):
        assert client.submit(numpy_tasks.mean, [1.0, 2.0]).result() == 1.5
        assert [client.submit(numpy_tasks.place_of, n).result()[1] for n in range(3)] == [False] * 3
        assert client.submit(numpy_tasks.worker_address).result() == client.cluster.workers[0].address
        assert client.submit(place, 7).result()[1]
    assert caplog.text.count("module 'numpy") == 1


def test_what_cannot_be_pickled_runs_on_the_threads(client, caplog):
    with dask.annotate(executor="default"):
        lock = client.submit(make_lock, pure=False)
    with dask.annotate(**INTERPRETERS):
        name = client.submit(thread_name, lock, pure=False).result()
        assert client.submit(thread_name, lock, pure=False).result().startswith("0-Dask-Default-Threads")
    assert name.startswith("0-Dask-Default-Threads")
    assert caplog.text.count("it runs on the worker's threads instead") == 1


def test_without_fallback_they_fail(client):
    client.register_plugin(InterpreterPlugin(fallback=None))
    numpy_tasks = pytest.importorskip("needs_numpy")
    with dask.annotate(executor="default"):
        lock = client.submit(make_lock, pure=False)
    with dask.annotate(**INTERPRETERS):
        with pytest.raises(ImportError, match="numpy"):
            client.submit(numpy_tasks.mean, [1.0]).result()
        with pytest.raises(Exception, match="cannot send argument"):
            client.submit(thread_name, lock, pure=False).result()


def test_failing_initializer_is_what_tasks_fail_of(client):
    client.register_plugin(InterpreterPlugin(initializer=fail, initargs=("no start",)))
    with dask.annotate(**INTERPRETERS), pytest.raises(BrokenInterpreterPool, match="no start"):
        client.submit(add, 1).result()


def test_preload_adds_the_plugin_as_the_configuration_says():
    async def run():
        async with (
            distributed.Scheduler(port=0, dashboard_address=None) as scheduler,
            distributed.Worker(scheduler.address, nthreads=2, preload=["interp_pool.dask"]) as worker,
        ):
            assert worker.executors["default"] is worker.executors["interpreters"]
            assert worker.executors["default"]._max_workers == 1
            with pytest.raises(TypeError, match="is for `dask worker` alone, got Scheduler"):
                await dask_setup(scheduler)
            await dask_teardown(worker)
            assert "interpreters" not in worker.executors
            await dask_teardown(worker)  # nothing is left to do

    with dask.config.set({"interp-pool": {"nthreads": 1, "default": True}}):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"nthreads": 0}, ValueError, "nthreads must be greater than 0, got 0"),
        ({"nthreads": "2"}, TypeError, "nthreads must be an int"),
        ({"fallback": "process"}, ValueError, "fallback must be 'thread' or None, got 'process'"),
        ({"default": 1}, TypeError, "default must be a bool"),
        ({"max_workers": 2}, TypeError, "nthreads says how many"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child must be greater than 0"),
        ({"colour": 1}, TypeError, "there is no option 'colour'"),
    ],
)
def test_bad_arguments_are_refused_at_once(options, error, text):
    with pytest.raises(error, match=text):
        InterpreterPlugin(**options)


def test_missing_private_name_is_told_with_the_versions(monkeypatch):
    monkeypatch.delattr("distributed.worker._run_task_simple")
    with pytest.raises(
        ImportError, match=r"needs distributed\.worker\._run_task_simple, which distributed [0-9.]+ does"
    ):
        host._load()
