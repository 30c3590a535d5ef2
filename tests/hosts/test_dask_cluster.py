"""ClusterExecutor on a cluster of this process: the interface of an executor, and what it adds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import operator
import os
import random
import threading
from concurrent.futures import CancelledError
from time import monotonic

import pytest
from dask_tasks import (
    Odd,
    add,
    echo,
    fail,
    fail_if_odd,
    fail_oddly,
    make_lock,
    note,
    place,
    spin,
    spin_telling,
    tell_and_wait,
    triangle,
)

from interp_pool import ResultPicklingError, Statistics, TaskPicklingError

distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from interp_pool._dask import batches  # noqa: E402
from interp_pool.dask import ClusterExecutor, InterpreterPlugin  # noqa: E402

pytestmark = [pytest.mark.hosts, pytest.mark.leaks("a cluster has threads and connections when it likes")]


@pytest.fixture(scope="module", autouse=True)
def _offload_thread():
    """Start the thread that distributed starts once in a process."""
    distributed.utils._offload_executor.submit(abs, 1).result()


@pytest.fixture
def client():
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=False
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def executor(client):
    with ClusterExecutor(client) as executor:
        yield executor


def test_submit_runs_in_an_interpreter_and_keywords_are_the_functions(executor):
    assert executor.submit(place).result()[1]
    assert executor.submit(add, 1, second=2).result() == 3
    words = {"key": 1, "workers": 2, "retries": 3, "pure": 4, "priority": 5, "actor": 6, "timeout": 7, "self": 8}
    assert executor.submit(echo, **words).result() == words
    assert executor.submit(operator.itemgetter(1), "abc").result() == "b"


def test_same_call_runs_twice(executor, tmp_path):
    names = [executor.submit(os.mkdir, tmp_path / "new") for _ in range(2)]
    concurrent.futures.wait(names)
    assert [type(each.exception()) for each in names].count(FileExistsError) == 1


def test_what_main_defines_goes_by_value_both_ways(executor):
    namespace = {"__name__": "__main__"}
    exec("class Point:\n    def __init__(self, x): self.x = x\ndef move(p): return Point(p.x + 1)", namespace)
    moved = executor.submit(namespace["move"], namespace["Point"](1)).result()
    assert type(moved) is namespace["Point"]
    assert moved.x == 2
    assert list(executor.map(lambda x: x + moved.x, range(3))) == [2, 3, 4]


def test_future_is_one_of_the_standard_library(executor):
    futures = [executor.submit(add, number) for number in range(5)]
    assert sorted(each.result() for each in concurrent.futures.as_completed(futures, 60)) == [0, 1, 2, 3, 4]
    called = threading.Event()
    executor.submit(add, 1).add_done_callback(lambda _: called.set())
    assert called.wait(60)


def test_errors_are_the_tasks_own(executor):
    with pytest.raises(ValueError, match="no luck") as info:
        executor.submit(fail, "no luck").result()
    assert "in fail" in str(info.value.__cause__)
    with pytest.raises(Odd) as info:
        executor.submit(fail_oddly).result()
    assert (info.value.first, info.value.second) == (1, 2)
    with pytest.raises(ResultPicklingError, match="cannot send the result: TypeError: cannot pickle"):
        executor.submit(make_lock).result()
    future = executor.submit(add, threading.Lock())
    with pytest.raises(TaskPicklingError, match=r"cannot send argument 1 of add\(\)"):
        future.result()
    assert executor.statistics().tasks_open == 0


def test_map_gives_results_in_order(executor, subtests):
    numbers = range(100)
    for options in ({}, {"chunksize": 7}, {"buffersize": 20}, {"chunksize": 7, "buffersize": 20}, {"buffersize": 1}):
        with subtests.test(**options):
            assert list(executor.map(add, numbers, reversed(numbers), **options)) == [99] * 100
    assert list(executor.map(add, [])) == []


def test_map_of_long_items_has_one_in_a_message(executor, monkeypatch):
    monkeypatch.setattr(batches, "TARGET", 0.0)
    monkeypatch.setattr(batches, "PER_THREAD", 0.0)
    monkeypatch.setattr(batches, "LEAST", 0.0)
    before = executor.statistics().tasks_ended
    assert list(executor.map(triangle, range(50))) == [*map(triangle, range(50))]
    assert executor.statistics().tasks_ended - before == 50


def test_map_of_short_items_has_many_in_a_message(executor):
    before = executor.statistics().tasks_ended
    assert sum(executor.map(add, range(20_000))) == sum(range(20_000))
    assert executor.statistics().tasks_ended - before < 2_000


def test_map_raises_in_its_place_and_sends_nothing_more(executor):
    results = executor.map(fail_if_odd, [0, 2, 3, 4], chunksize=2)
    assert [next(results), next(results)] == [0, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert list(results) == []
    with pytest.raises(Odd):
        list(executor.map(fail_oddly, range(3)))
    with pytest.raises(TypeError, match="cannot pickle"):  # its cause names the item's result
        list(executor.map(make_lock, range(3)))


def test_map_with_a_buffer_takes_no_more_than_that(executor):
    taken = []
    results = executor.map(add, (taken.append(number) or number for number in range(100)), buffersize=10)
    assert 0 < len(taken) <= 10
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 13
    results.close()
    assert len(taken) <= 13


def test_map_that_nobody_takes_still_runs(executor, tmp_path):
    executor.map(os.mkdir, [tmp_path / str(number) for number in range(40)], chunksize=3)
    executor.shutdown()
    assert len(os.listdir(tmp_path)) == 40


def test_map_timeout_stops_what_runs(executor, fifo):
    results = executor.map(spin_telling, [fifo.path], timeout=0.05)
    fifo.line()
    with pytest.raises(TimeoutError):
        next(results)
    assert fifo.line() == "stopped"


def test_item_that_cannot_be_pickled_is_named(executor):
    with pytest.raises(TaskPicklingError, match=r"cannot send argument 1 of add\(\)"):
        list(executor.map(add, [1, threading.Lock()], chunksize=1))
    assert list(executor.map(add, [1])) == [1]


def test_cancel_stops_a_running_task_and_keeps_the_worker(executor, fifo):
    future = executor.submit(spin_telling, fifo.path)
    fifo.line()
    assert future.cancel()
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(0)
    assert fifo.line() == "stopped"
    assert concurrent.futures.wait([future], 0).done == {future}
    assert executor.submit(add, 1).result() == 1
    counts = executor.statistics()
    assert (counts.tasks_cancelled, counts.tasks_open, counts.tasks_ended) == (1, 0, 2)


def cancel(futures):
    for each in futures:
        each.cancel()


@pytest.mark.stress
def test_cancels_at_any_moment_leave_nothing_open(executor, stress):
    chance = random.Random(3)
    for _ in range(2 * stress):
        futures = [executor.submit(triangle, 10 ** chance.randrange(5)) for _ in range(100)]
        threads = [threading.Thread(target=cancel, args=(chance.sample(futures, 40),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not concurrent.futures.wait(futures, 60).not_done
        assert all(each.cancelled() or each.exception() is None for each in futures)
    assert executor.statistics().tasks_open == 0
    assert executor.submit(add, 1).result() == 1


def test_large_results_arrive(executor):
    assert len(executor.submit(bytes, 3_000_000).result()) == 3_000_000
    assert executor.submit(len, bytes(3_000_000)).result() == 3_000_000


def test_interrupted_start_of_a_map_leaves_nothing_open(executor, monkeypatch):
    def strike(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("interp_pool._dask.cluster_map.pack", strike)
        with pytest.raises(KeyboardInterrupt):
            executor.map(add, range(10))
    executor.shutdown()


def test_batch_that_the_client_does_not_take_fails_in_its_place(executor, client, monkeypatch):
    own, calls = client.submit, []

    def submit(*args, **kwargs):
        calls.append(args)
        if len(calls) > 2:
            raise OSError("no way there")
        return own(*args, **kwargs)

    monkeypatch.setattr(client, "submit", submit)
    results = executor.map(add, range(10), chunksize=2)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="no way there"):
        next(results)
    with pytest.raises(OSError, match="no way there"):
        executor.submit(add, 1)
    executor.shutdown()


def test_map_that_is_dropped_cancels_what_is_left(executor, fifo):
    results = executor.map(spin_telling, [fifo.path])
    results.close()  # it has not begun to give results, so this is all that a generator does
    assert fifo.line().isdigit()
    executor._cluster.cancel_all()
    assert fifo.line() == "stopped"


def test_asynchronous_client_is_refused():
    async def run():
        options = {"n_workers": 0, "processes": False, "dashboard_address": ":0", "asynchronous": True}
        async with (
            distributed.LocalCluster(**options) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):
            with pytest.raises(TypeError, match="client must not be asynchronous"):
                ClusterExecutor(client)

    asyncio.run(run())


def test_timeout_and_deadline_stop_the_task(executor, fifo):
    with pytest.raises(
        TimeoutError, match=r"task 'slow-\w+-\d+' was stopped: it ran longer than its timeout of 0.05 s"
    ):
        executor.options(timeout=0.05, name="slow").submit(spin_telling, fifo.path).result()
    assert [fifo.line().isdigit(), fifo.line()] == [True, "stopped"]
    late = executor.options(deadline=monotonic() + 2).submit(spin_telling, fifo.path)
    fifo.line()
    with pytest.raises(TimeoutError, match="it was not done by its deadline"):
        late.result()
    assert fifo.line() == "stopped"
    with pytest.raises(TimeoutError, match="it was not done by its deadline"):
        executor.options(deadline=monotonic() - 1).submit(add, 1).result()


class Watch(distributed.WorkerPlugin):
    """Tells when a worker has tasks of a name."""

    def __init__(self, name):
        self.name, self.seen = name, threading.Event()

    def transition(self, key, start, finish, **_):
        if finish == "ready" and key.startswith(self.name):
            self.seen.set()


def test_priority_goes_first(executor, client, fifo, make_fifo, tmp_path):
    gates, log, watch = (make_fifo(), make_fifo()), str(tmp_path / "log"), Watch("urgent")
    worker = client.cluster.workers[0]
    worker.plugins["watch"] = watch
    running = [executor.submit(tell_and_wait, fifo.path, go.path) for go in gates]
    assert [fifo.line(), fifo.line()] == ["1", "1"]
    others = [executor.submit(note, log, "low") for _ in range(5)]
    urgent = executor.options(priority=10, name="urgent").submit(note, log, "high")
    assert watch.seen.wait(60)
    gates[0].let_go()
    concurrent.futures.wait([*others, urgent])
    gates[1].let_go()
    concurrent.futures.wait(running)
    with open(log, encoding="utf-8") as file:
        assert file.read().split() == ["high"] + ["low"] * 5


def test_view_has_the_whole_interface(executor):
    view = executor.options(priority=3).options(name="view", retries=0)
    assert repr(view).startswith("<ClusterView (priority=3, retries=0, name='view') on <Cluster open")
    assert view._max_workers == executor._max_workers == 2
    assert list(view.map(add, range(3))) == [0, 1, 2]
    assert view.submit(add, 1).result() == 1
    assert view.statistics().threads == 2
    with view:
        pass
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(add, 1)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.map(add, [1])
    assert "shut down" in repr(executor)


def test_dask_computes_on_it(executor):
    calls = [dask.delayed(triangle)(number) for number in range(10)]
    assert dask.compute(*calls, scheduler=executor) == tuple(map(triangle, range(10)))


def test_shutdown_waits_for_what_was_submitted(executor, fifo, make_fifo):
    go = make_fifo()
    future = executor.submit(tell_and_wait, fifo.path, go.path)
    fifo.line()
    executor.shutdown(wait=False)
    assert not future.done()
    go.let_go()
    executor.shutdown()
    assert future.done()
    assert future.result() == "done"


def test_shutdown_cancels_what_nobody_has_begun(executor, fifo, make_fifo):
    gates = make_fifo(), make_fifo()
    running = [executor.submit(tell_and_wait, fifo.path, go.path) for go in gates]
    assert [fifo.line(), fifo.line()] == ["1", "1"]
    waiting = [executor.submit(add, number) for number in range(20)]
    results = executor.map(add, range(1000))
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(each.cancelled() for each in waiting)
    assert not any(each.cancelled() for each in running)
    with pytest.raises(CancelledError):
        list(results)
    for go in gates:
        go.let_go()
    executor.shutdown()
    assert [each.result() for each in running] == ["done"] * 2


def test_callback_may_submit_and_shut_down(executor):
    later, ended = [], threading.Event()

    def go_on(_):
        later.append(executor.submit(add, 5))
        executor.shutdown()  # which does not wait here
        ended.set()

    executor.submit(add, 1).add_done_callback(go_on)
    assert ended.wait(60)
    assert later[0].result() == 5


def test_ctrl_c_in_the_block_cancels_everything(client, fifo):
    with pytest.raises(KeyboardInterrupt), ClusterExecutor(client) as executor:  # noqa: PT012
        future = executor.submit(spin_telling, fifo.path)
        fifo.line()
        raise KeyboardInterrupt
    assert future.cancelled()
    assert fifo.line() == "stopped"


def test_closed_client_cancels_what_is_open(fifo):
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=False
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:  # it is closed twice
        executor = ClusterExecutor(client)
        future = executor.submit(spin, fifo.path)
        fifo.line()
        client.close()
        with pytest.raises(CancelledError):
            future.result(60)
        with pytest.raises(Exception, match="closed"):
            executor.submit(add, 1)
        for ask in (executor.statistics, lambda: executor.map(add, [1]), lambda: executor._max_workers):
            with pytest.raises(RuntimeError, match="the client is closed: make another executor on a new one"):
                ask()
        executor.shutdown()


def test_statistics_tell_of_the_cluster(executor):
    assert list(executor.map(add, range(5), chunksize=1)) == [0, 1, 2, 3, 4]
    counts = executor.statistics()
    assert (counts.workers, counts.threads, counts.tasks_open, counts.tasks_ended) == (1, 2, 0, 5)
    (of_worker,) = counts.of_workers.values()
    assert isinstance(of_worker, Statistics)
    assert of_worker.tasks_ended == 5


def test_plugin_that_is_there_stays(client):
    client.register_plugin(InterpreterPlugin(nthreads=1))
    with ClusterExecutor(client) as executor:
        assert executor.submit(add, 1).result() == 1
    assert client.cluster.workers[0].executors["interpreters"]._max_workers == 1


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"timeout": -1}, ValueError, "timeout must be a non-negative number"),
        ({"deadline": "now"}, TypeError, "deadline must be a number of seconds"),
        ({"retries": -1}, ValueError, "retries must be at least 0, got -1"),
        ({"retries": 1.5}, TypeError, "retries must be an int"),
        ({"priority": "high"}, TypeError, "priority must be an int"),
        ({"name": 3}, TypeError, "name must be a str"),
        ({"workers": 3}, TypeError, "there is no option 'workers'"),
    ],
)
def test_bad_options_are_refused_at_once(options, error, text):
    view = object.__new__(ClusterExecutor)
    from interp_pool._dask.cluster_options import NO_OPTIONS

    view._cluster, view._options = None, NO_OPTIONS
    with pytest.raises(error, match=text):
        view.options(**options)


def test_bad_arguments_are_refused_at_once(executor):
    with pytest.raises(TypeError, match=r"client must be a distributed.Client, got 'tcp://"):
        ClusterExecutor("tcp://127.0.0.1:8786")
    with pytest.raises(TypeError, match="fn must be a callable, got 3"):
        executor.submit(3)
    with pytest.raises(
        TypeError, match=r"an argument is a future of dask, <Future: .*: give its result, or use client"
    ):
        executor.submit(add, executor._cluster.client.submit(abs, -1))
    with pytest.raises(TypeError, match="fn must be a callable, got 3"):
        executor.map(3, [1])
    with pytest.raises(ValueError, match="chunksize must be None or > 0, got 0"):
        executor.map(add, [1], chunksize=0)
    with pytest.raises(TypeError, match="timeout must be a number"):
        executor.map(add, [1], timeout="1")
