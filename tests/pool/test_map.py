"""map: order, batches, limits, and exceptions in their place."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import CancelledError

import pytest
import tasks

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor, ResultPicklingError, TaskPicklingError
from interp_pool._core.task_book import MOST_IN_FLIGHT

CHUNKSIZES = [None, 1, 2, 3, 100]


def test_map_returns_results_in_order(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            assert list(executor.map(tasks.identity, range(50), chunksize=chunksize)) == list(range(50))


def test_map_iterables_of_different_lengths_ends_with_the_shortest(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            assert list(executor.map(tasks.add, [1, 2, 3], itertools.count(10), chunksize=chunksize)) == [11, 13, 15]


@pytest.mark.parametrize("iterables", [(), ([],)])
def test_map_over_nothing_returns_nothing(executor, iterables):
    assert list(executor.map(tasks.identity, *iterables)) == []


def test_map_exception_comes_in_its_place(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            results = executor.map(tasks.fail_on_three, range(6), chunksize=chunksize)
            assert [next(results) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(ValueError, match="bad item 3") as info:
                next(results)
            assert "fail_if" in str(info.value.__cause__)
            assert list(results) == []


def test_map_result_that_cannot_be_pickled_comes_in_its_place(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            results = executor.map(tasks.make_unpicklable_on_three, range(6), chunksize=chunksize)
            assert [next(results) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(ResultPicklingError, match="this one cannot be pickled"):
                next(results)


def test_map_argument_that_cannot_be_pickled_comes_in_its_place(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            results = executor.map(tasks.identity, [0, 1, tasks.NoPickle(), 3], chunksize=chunksize)
            assert [next(results), next(results)] == [0, 1]
            with pytest.raises(TaskPicklingError, match="this one cannot be pickled"):
                next(results)


def test_map_argument_that_cannot_be_unpickled_comes_in_its_place(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            results = executor.map(tasks.identity, [0, 1, tasks.NoUnpickle(), 3], chunksize=chunksize)
            assert [next(results), next(results)] == [0, 1]
            with pytest.raises(TaskPicklingError, match="this one cannot be unpickled"):
                next(results)


def test_map_argument_that_cannot_be_unpickled_fails_alone_after_the_shutdown():
    with InterpreterPoolExecutor(1) as executor:
        results = executor.map(tasks.identity, [0, 1, tasks.NoUnpickle(), 3], chunksize=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(TaskPicklingError, match="this one cannot be unpickled"):
        next(results)


def test_map_argument_that_cannot_be_unpickled_does_not_keep_the_others_from_running():
    ran = interp_api.create_queue()
    with InterpreterPoolExecutor(1) as executor:
        executor.map(tasks.put_and_return, [ran] * 4, [0, 1, tasks.NoUnpickle(), 3], chunksize=4)
    assert [ran.get_nowait() for _ in range(ran.qsize())] == [0, 1, 3]


def test_map_failed_item_does_not_keep_the_others_from_running(subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            ran = interp_api.create_queue()
            with InterpreterPoolExecutor(2) as executor:
                executor.map(tasks.put_and_fail_on_three, [ran] * 6, range(6), chunksize=chunksize)
            assert sorted(ran.get_nowait() for _ in range(6)) == list(range(6))


def test_map_not_consumed_runs_all_items_although_the_executor_is_shut_down():
    ran = interp_api.create_queue()
    with InterpreterPoolExecutor(2) as executor:
        results = executor.map(tasks.put_and_return, [ran] * 300, range(300))
    assert ran.qsize() == 300
    assert list(results) == list(range(300))


def test_map_of_shared_pool_runs_all_items_before_its_executor_is_shut_down():
    ran = interp_api.create_queue()
    with InterpreterPool(2) as pool:
        with InterpreterPoolExecutor(pool=pool) as executor:
            results = executor.map(tasks.put_and_return, [ran] * 300, range(300))
        assert ran.qsize() == 300
        assert list(results) == list(range(300))


def test_map_whose_unsent_items_are_cancelled_yields_the_others_and_then_says_so(gate):
    with InterpreterPoolExecutor(1) as executor:
        results = executor.map(tasks.hold, [gate.started] * 9, [gate.exits] * 9)
        gate.started.get(timeout=60)
        executor.shutdown(wait=False, cancel_futures=True)
        gate.open(9)
        with pytest.raises(CancelledError):
            list(results)
    assert gate.started.qsize() < 8


def test_map_goes_on_while_its_consumer_does_not_ask(executor):
    ran = interp_api.create_queue()
    results = executor.map(tasks.put_and_return, [ran] * 300, range(300))
    assert next(results) == 0
    # The consumer is busy with something else: no result is asked for until all items have run.
    assert sorted(ran.get(timeout=60) for _ in range(300)) == list(range(300))
    assert list(results) == list(range(1, 300))


def test_map_batches_tiny_items_and_leaves_long_ones_alone(executor, monkeypatch):
    sizes: list[int] = []
    submit = executor._pool.submit

    def noting(item):
        sizes.append(item.count)
        submit(item)

    monkeypatch.setattr(executor._pool, "submit", noting)
    assert list(executor.map(abs, range(20_000))) == list(range(20_000))
    assert sum(sizes) >= 20_000  # what a batch gives back on a busy machine is sent anew
    # The workers of a machine under load may measure more than it takes, but not a hundred times more.
    assert len(sizes) < 2_000
    sizes.clear()
    assert list(executor.map(tasks.spend, [0.002] * 20)) == [None] * 20
    assert sizes == [1] * 20


def test_map_part_of_a_batch_arrives_while_its_next_item_runs(executor, gate):
    # The first item takes longer than a batch waits with its results, the second does not end.
    results = executor.map(tasks.spend_then_hold, [0.01, None], [gate.exits] * 2, chunksize=2)
    assert next(results) == 0.01
    gate.open()
    assert next(results) is None


def test_map_large_results_arrive_whole(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            sizes = [100_000 + n for n in range(20)]
            assert [len(result) for result in executor.map(tasks.make_x_bytes, sizes, chunksize=chunksize)] == sizes


def test_map_stop_iteration_of_an_item_ends_nothing_silently(executor, subtests):
    for chunksize in CHUNKSIZES:
        with subtests.test(chunksize=chunksize):
            results = executor.map(tasks.stop_on_three, range(6), chunksize=chunksize)
            assert [next(results) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(RuntimeError, match="StopIteration"):  # as a generator says it
                next(results)


def test_map_parts_of_a_batch_keep_their_order_while_the_manager_is_busy(executor):
    # The first part is large, so the manager unpickles it, behind the callback; the second could be settled at once.
    go_on = threading.Event()
    executor.submit(tasks.identity, 0).add_done_callback(lambda future: go_on.wait(60))
    results = executor.map(tasks.spend_then_make, [0.005, 0.0], [100_000, 3], chunksize=2)
    threading.Timer(0.05, go_on.set).start()
    assert [len(result) for result in results] == [100_000, 3]


def test_map_consumer_that_waits_for_a_long_item_keeps_the_others_supplied(executor, gate):
    # The first item ends when the last one has run.
    results = executor.map(tasks.hold_first_open_last, range(60), [60] * 60, [gate.exits] * 60)
    assert list(results) == list(range(60))


def test_map_struck_while_it_collects_promises_nothing(executor):
    class Strikes:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.map(tasks.identity, [1, 2, Strikes()], chunksize=3)
    assert not executor._pool._kernel.core.open_maps


@pytest.mark.parametrize("buffersize", [None, 2])
def test_map_iterable_that_raises_passes_it_on(executor, buffersize):
    def items():
        yield from (1, 2, 3)
        raise KeyError("from the iterable")

    with pytest.raises(KeyError, match="from the iterable"):
        list(executor.map(tasks.identity, items(), buffersize=buffersize))
    assert executor.submit(tasks.identity, 5).result(60) == 5


@pytest.mark.parametrize("chunksize", [None, 3])
def test_map_infinite_iterable_with_buffersize_works(executor, chunksize):
    results = executor.map(tasks.identity, itertools.count(), buffersize=6, chunksize=chunksize)
    assert list(itertools.islice(results, 20)) == list(range(20))
    results.close()


def test_map_buffersize_bounds_what_is_taken_from_the_iterable(executor):
    taken = itertools.count()
    results = executor.map(tasks.identity, taken, buffersize=4)
    assert next(taken) == 4
    assert next(results) == 0
    assert next(taken) == 6  # one more was taken
    results.close()
    assert list(results) == []
    assert next(taken) == 7


def test_map_with_buffersize_finishes_when_the_executor_is_not_kept():
    assert list(InterpreterPoolExecutor(1).map(tasks.identity, range(20), buffersize=2)) == list(range(20))


def test_map_without_buffersize_finishes_when_the_executor_is_not_kept():
    assert list(InterpreterPoolExecutor(1).map(tasks.identity, range(20))) == list(range(20))


def test_map_timeout_raises_and_cancels_the_rest(executor, gate):
    with pytest.raises(TimeoutError):
        list(executor.map(tasks.hold, [gate.started] * 9, [gate.exits] * 9, timeout=0.01))
    gate.open(9)
    executor.shutdown()
    assert gate.started.qsize() <= 4


def test_map_infinite_timeout_is_no_limit(executor):
    assert list(executor.map(tasks.identity, range(3), timeout=float("inf"))) == [0, 1, 2]


def test_map_closed_early_cancels_what_waits():
    with InterpreterPoolExecutor(1) as executor:
        ran, exits = interp_api.create_queue(), interp_api.create_queue()
        results = executor.map(tasks.hold, [ran] * 2 * MOST_IN_FLIGHT, [exits] * 2 * MOST_IN_FLIGHT)
        exits.put(None)
        next(results)
        results.close()
        for _ in range(MOST_IN_FLIGHT + 1):  # as many as can have been sent
            exits.put(None)
    assert 1 <= ran.qsize() <= MOST_IN_FLIGHT + 1


def test_map_with_chunksize_beyond_buffersize_takes_no_more_than_the_buffer(executor):
    taken = []

    def items():
        for n in range(20):
            taken.append(n)
            yield n

    results = executor.map(abs, items(), chunksize=10, buffersize=3)
    assert len(taken) == 3
    assert list(results) == list(range(20))


@pytest.mark.parametrize("timeout", [1e300, 10**400])
def test_map_with_huge_timeout_waits_without_limit(executor, timeout):
    assert list(executor.map(abs, [-1, -2], timeout=timeout)) == [1, 2]
