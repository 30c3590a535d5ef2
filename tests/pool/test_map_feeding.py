"""map while its iterables are consumed: the tasks begin with the first item."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import CancelledError

import map_tasks
import pytest
import tasks

from interp_api import create_queue
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, TaskPicklingError


def waiting_for_each(ran, count):
    """Yield numbers, each when the task of the one before has run."""
    for number in range(count):
        yield number
        assert ran.get(timeout=60) == number


def test_map_iterable_that_waits_for_the_item_before_goes_on(single, ran, subtests):
    # Beyond the first items the workers are known to be quick, and others may be waited for.
    for options in {}, {"chunksize": 1}, {"buffersize": 500}, {"chunksize": 1, "buffersize": 7}:
        with subtests.test(**options):
            results = single.map(tasks.put_and_return, itertools.repeat(ran), waiting_for_each(ran, 300), **options)
            assert list(results) == list(range(300))


def test_map_iterable_that_waits_after_many_quick_items_goes_on(executor, ran):
    def items():
        yield from range(5000)
        assert sorted(ran.get(timeout=60) for _ in range(5000)) == list(range(5000))
        yield 5000

    assert list(executor.map(tasks.put_and_return, itertools.repeat(ran), items())) == list(range(5001))


def test_map_iterable_that_waits_for_a_whole_chunk_goes_on(executor, ran):
    def items():
        for start in range(0, 300, 3):
            yield from range(start, start + 3)
            assert [ran.get(timeout=60) for _ in range(3)] == [start, start + 1, start + 2]

    results = executor.map(tasks.put_and_return, itertools.repeat(ran), items(), chunksize=3)
    assert list(results) == list(range(300))


def test_map_iterable_on_a_shared_pool_that_waits_goes_on(ran):
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        results = executor.map(tasks.put_and_return, itertools.repeat(ran), waiting_for_each(ran, 50))
        assert list(results) == list(range(50))


@pytest.mark.parametrize("options", [{"timeout": 60}, {"priority": 3}, {"name": "mine"}])
def test_map_of_a_view_whose_iterable_waits_goes_on(single, ran, options):
    view = single.options(**options)
    results = view.map(tasks.put_and_return, itertools.repeat(ran), waiting_for_each(ran, 50))
    assert list(results) == list(range(50))


def test_map_iterable_that_submits_to_the_same_executor_waits_for_that(single):
    def items():
        for number in range(20):
            yield single.submit(tasks.identity, number).result(60)

    assert list(single.map(abs, items())) == list(range(20))


def test_map_iterable_that_is_a_map_of_the_same_executor_ends(single):
    assert list(single.map(abs, single.map(abs, range(100)))) == list(range(100))


def test_map_iterable_that_maps_on_the_same_executor_ends(single):
    def items():
        for number in range(20):
            yield sum(single.map(abs, range(number)))

    assert list(single.map(abs, items())) == [sum(range(number)) for number in range(20)]


def test_map_iterable_that_submits_where_the_backlog_is_limited_ends():
    def items():
        for number in range(20):
            futures = [executor.submit(abs, number) for _ in range(3)]
            yield from (future.result(60) for future in futures)

    with InterpreterPoolExecutor(1, max_backlog=1) as executor:
        assert list(executor.map(abs, items())) == [number for number in range(20) for _ in range(3)]


def test_map_iterable_that_raises_has_the_items_before_it_run(ran):
    def items():
        yield from range(300)
        raise KeyError("from the iterable")

    with InterpreterPoolExecutor(2) as executor, pytest.raises(KeyError, match="from the iterable"):
        executor.map(tasks.put_and_return, itertools.repeat(ran), items())
    assert sorted(ran.get_nowait() for _ in range(ran.qsize())) == list(range(300))


@pytest.mark.parametrize("chunksize", [None, 1, 4])
def test_map_iterable_that_shuts_the_executor_down_is_refused_its_next_item(ran, chunksize):
    def items():
        yield from range(8)
        executor.shutdown(wait=False)
        yield from range(8, 20_000)

    executor = InterpreterPoolExecutor(2)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.map(tasks.put_and_return, itertools.repeat(ran), items(), chunksize=chunksize)
    executor.shutdown()
    assert set(range(8)) <= {ran.get_nowait() for _ in range(ran.qsize())} <= set(range(20))


def test_map_infinite_iterable_ends_when_another_thread_shuts_the_executor_down():
    with InterpreterPoolExecutor(1) as executor:
        numbers = itertools.count()
        stopper = threading.Timer(0.05, executor.shutdown, (False,), {"cancel_futures": True})
        stopper.start()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.map(abs, (number for number in numbers))
        stopper.join()


def test_map_infinite_iterable_ends_when_the_executor_on_a_shared_pool_is_shut_down():
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        stopper = threading.Timer(0.05, executor.shutdown, (False,), {"cancel_futures": True})
        stopper.start()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.map(abs, itertools.count())
        stopper.join()


def test_map_iterable_during_which_the_pool_breaks_is_refused_its_next_item(logged):
    def items():
        yield 0
        with pytest.raises(BrokenInterpreterPool):
            executor.submit(abs, 1).result(60)
        yield from range(1, 1000)

    executor = InterpreterPoolExecutor(1, initializer=tasks.fail_to_initialize, initargs=("no",))
    with executor, pytest.raises(BrokenInterpreterPool):
        executor.map(abs, items())


def test_map_whose_tasks_are_all_stopped_while_it_takes_items_takes_no_more(started):
    def items():
        yield from range(10)
        running = executor.submit(tasks.spin_unless_none, started)
        started.get(timeout=60)
        executor._pool.stop_at_once()
        running.exception(60)  # which ends after all calls of map were told
        yield from iter(itertools.count().__next__, None)  # for ever

    with InterpreterPoolExecutor(1) as executor:
        results = executor.map(abs, items())
        with pytest.raises(CancelledError):
            list(results)


def test_map_struck_by_ctrl_c_while_it_takes_items_drops_them():
    def items():
        yield from range(1000)
        raise KeyboardInterrupt

    with InterpreterPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            executor.map(tasks.spend, (0.001 for _ in items()))
        assert not executor._pool._kernel.core.open_maps


def test_map_of_quick_items_that_come_one_by_one_sends_few_messages(executor):
    def items():
        for number in range(20_000):
            sum(range(50))
            yield number

    assert list(executor.map(abs, items())) == list(range(20_000))
    # One each would be 20,000; a few per millisecond, on a machine that may be slow.
    assert executor.statistics().messages_sent < 5_000


def test_map_many_runs_whose_iterables_wait_for_each_other_end(executor, ran):
    # Two consumers, each of which goes on only when the other's item has run.
    turns = [create_queue(), create_queue()]

    def items(own, other):
        for number in range(30):
            yield number
            turns[own].get(timeout=60)

    def consume(own):
        found[own] = list(executor.map(tasks.put_and_return, itertools.repeat(turns[1 - own]), items(own, 1 - own)))

    found = [None, None]
    threads = [threading.Thread(target=consume, args=(own,)) for own in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [list(range(30))] * 2


def test_map_argument_whose_pickling_raises_fails_alone(executor, subtests):
    for kind in (SystemExit, GeneratorExit, MemoryError, RecursionError, ValueError, BaseException):
        check_failure(executor, subtests, map_tasks.RaisesWhenPickled(kind))


def test_map_argument_whose_unpickling_raises_fails_alone(executor, subtests):
    for kind in (SystemExit, GeneratorExit, KeyboardInterrupt, MemoryError, BaseException):
        check_failure(executor, subtests, map_tasks.RaisesWhenUnpickled(kind))


def check_failure(executor, subtests, argument):
    for position in (0, 4321):
        items: list[object] = [*range(5000)]
        items[position] = argument
        with subtests.test(argument=argument, position=position):
            results = executor.map(tasks.identity, items)
            assert [next(results) for _ in range(position)] == [*range(position)]
            with pytest.raises(TaskPicklingError, match=r"cannot send argument 1 of identity\(\)|args not") as info:
                next(results)
            assert info.value.__cause__ is not None


def test_map_argument_whose_pickling_raises_in_the_manager_lets_all_others_run(ran):
    items = [*range(300)]
    items[200] = map_tasks.RaisesWhenPickled(SystemExit)
    with InterpreterPoolExecutor(1) as executor:
        executor.map(tasks.put_and_return, [ran] * 300, items)  # nobody takes results: the manager sends
    assert sorted(ran.get_nowait() for _ in range(ran.qsize())) == [number for number in range(300) if number != 200]
