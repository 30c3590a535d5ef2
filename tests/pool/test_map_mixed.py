"""map over items of different durations: no item waits behind a long one while a worker has nothing to do.

A long item here ends when all others, or another long one, have run or begun elsewhere. Where it has to wait for what
is behind it in its own batch, it would never end: so these tests measure no time.
"""

from __future__ import annotations

import itertools
from concurrent.futures import CancelledError
from time import monotonic

import map_tasks
import pytest
import tasks

from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, WorkerLostError

LONG = None


@pytest.fixture
def began(request):
    yield create_queue()
    del request.node.funcargs["began"]  # it ends before the leak check looks


def with_long_at(count, *places):
    items = [*range(count)]
    for place in places:
        items[place] = LONG
    return items


def run_or_wait(executor, ran, items, how="sleep", **options):
    others = sum(item is not LONG for item in items)
    return executor.map(map_tasks.run_or_wait, *map(itertools.repeat, (ran, others, how)), items, **options)


@pytest.mark.parametrize("how", ["sleep", "spin"])
def test_map_long_item_keeps_no_other_waiting(executor, subtests, how):
    for count, place in (2, 0), (22, 0), (22, 10), (22, 20), (22, 21), (101, 0), (101, 50), (101, 99), (1000, 700):
        ran, items = create_queue(), with_long_at(count, place)
        with subtests.test(count=count, place=place):
            assert list(run_or_wait(executor, ran, items, how)) == items
            assert ran.qsize() == count - 1


@pytest.mark.parametrize("workers", [3, 8])
def test_map_as_many_long_items_as_workers_but_one_keep_no_other_waiting(subtests, workers):
    with InterpreterPoolExecutor(workers) as executor:
        for count in (30, 1000):
            ran, items = create_queue(), with_long_at(count, *range(count - 2 * workers, count - workers - 1))
            with subtests.test(count=count):
                assert list(run_or_wait(executor, ran, items)) == items


def test_map_two_long_items_in_a_row_run_at_once(executor, subtests):
    for count, behind in itertools.product((0, 1, 6, 20, 200, 5000), (0, 20)):
        began, ran = create_queue(), create_queue()
        items = [*range(count), ("long", 1), ("long", 2), *range(behind)]
        with subtests.test(count=count, behind=behind):
            results = executor.map(map_tasks.meet, itertools.repeat(began), itertools.repeat(ran), items)
            assert sorted(began.get(timeout=60) for _ in range(2)) == [("long", 1), ("long", 2)]
            for _ in range(2):
                ran.put(None)
            assert list(results) == items


def test_map_eight_long_items_in_a_row_run_at_once(began, ran):
    items = [*range(100), *(("long", n) for n in range(8)), *range(10)]
    with InterpreterPoolExecutor(8) as executor:
        results = executor.map(map_tasks.meet, itertools.repeat(began), itertools.repeat(ran), items)
        assert len({began.get(timeout=60) for _ in range(8)}) == 8
        for _ in range(8):
            ran.put(None)
        assert list(results) == items


def test_map_not_consumed_has_its_batches_split(ran):
    with InterpreterPoolExecutor(2) as executor:
        run_or_wait(executor, ran, with_long_at(100, 50))
    assert ran.qsize() == 99


def test_map_whose_consumer_is_busy_has_its_batches_split(executor, ran):
    items = with_long_at(60, 58)
    results = run_or_wait(executor, ran, items)
    assert next(results) == 0
    while ran.qsize() < 59:
        sum(range(1000))
    assert list(results) == items[1:]


def test_map_on_a_shared_pool_has_its_batches_split(ran):
    items = with_long_at(60, 30)
    with InterpreterPool(2) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        assert list(run_or_wait(executor, ran, items)) == items


@pytest.mark.parametrize("options", [{"priority": 3}, {"name": "mine"}, {"deadline": monotonic() + 3600}])
def test_map_with_options_has_its_batches_split(executor, ran, options):
    items = with_long_at(60, 30)
    assert list(run_or_wait(executor.options(**options), ran, items)) == items


def test_map_with_a_buffer_size_has_its_batches_split(executor, ran):
    items = with_long_at(60, 30)
    assert list(run_or_wait(executor, ran, items, buffersize=60)) == items


# Each place is one of those that are sent alone.
@pytest.mark.parametrize(("buffersize", "place"), [(4, 0), (4, 3), (10, 1), (40, 0), (40, 3), (100, 1)])
def test_map_with_a_buffer_size_sends_what_the_buffer_holds_while_an_item_is_long(executor, ran, buffersize, place):
    items = with_long_at(300, place)
    others = place + buffersize - 1  # as many as can be taken before the long one has ended
    results = executor.map(
        map_tasks.run_or_wait, *map(itertools.repeat, (ran, others, "sleep")), items, buffersize=buffersize
    )
    assert list(results) == items


def test_map_result_reaches_its_consumer_while_a_later_item_of_its_batch_runs(executor, gate):
    """That item waits for what the consumer does. Those before were tiny, so it is in a large batch."""
    items = with_long_at(2000, 1000)
    results = executor.map(map_tasks.wait_if_none, itertools.repeat(gate.exits), items)
    assert [next(results) for _ in range(1000)] == items[:1000]
    gate.exits.put(True)
    assert list(results) == items[1000:]


def test_map_from_an_iterable_that_takes_its_time_has_its_batches_split(executor, ran):
    def slowly():
        yield from with_long_at(30, 20)
        while ran.qsize() < 29:
            pass
        yield 30

    results = executor.map(map_tasks.run_or_wait, *map(itertools.repeat, (ran, 29, "sleep")), slowly())
    assert list(results) == [*with_long_at(30, 20), 30]


def test_map_beside_a_task_that_runs_has_its_batches_split(ran, gate):
    items = with_long_at(60, 40)
    with InterpreterPoolExecutor(3) as executor:
        gate.hold(executor)
        assert list(run_or_wait(executor, ran, items)) == items
        gate.open()


def test_map_has_its_batches_split_once_the_task_beside_it_has_ended(executor, ran, gate):
    gate.hold(executor)
    items = with_long_at(60, 40)
    results = run_or_wait(executor, ran, items)
    while ran.qsize() < 40:
        pass
    gate.open()  # of two workers, the other one ran everything up to the long item
    assert list(results) == items


def test_two_maps_at_once_have_their_batches_split(ran, began):
    first, second = with_long_at(60, 40), with_long_at(300, 200)
    with InterpreterPoolExecutor(3) as executor:
        one, two = run_or_wait(executor, ran, first), run_or_wait(executor, began, second)
        assert list(two) == second
        assert list(one) == first


def test_map_batch_that_was_split_and_raises_fails_in_its_place(executor, ran):
    items = with_long_at(60, 40)
    results = executor.map(map_tasks.run_or_raise, itertools.repeat(ran), itertools.repeat(59), items)
    assert [next(results) for _ in range(40)] == [*range(40)]
    with pytest.raises(ValueError, match="from the long one"):
        next(results)


def test_map_failure_in_a_batch_that_may_be_split_tells_the_users_frames_only(executor):
    results = executor.map(tasks.fail_on_three, range(4))
    with pytest.raises(ValueError) as info:  # noqa: PT011  # whatever it says
        list(results)
    assert "in fail_on_three" in str(info.value.__cause__)
    assert "_worker" not in str(info.value.__cause__)


def test_map_batch_that_was_split_and_loses_its_worker_fails_in_its_place(executor, ran):
    items = with_long_at(60, 40)
    results = executor.map(map_tasks.run_or_break, itertools.repeat(ran), itertools.repeat(59), items)
    with pytest.raises(WorkerLostError):
        list(results)
    assert ran.qsize() == 59  # those behind it were run by the other worker
    assert executor.submit(tasks.identity, 5).result(60) == 5


def test_map_with_a_chunksize_is_sent_as_it_says(executor):
    items = [0.02] + [0.0] * 39
    list(executor.map(tasks.spend, items, chunksize=10))
    assert executor.statistics().messages_sent == 4


def test_map_closed_while_its_batch_is_split_ends(ran, gate, began):
    items = [*range(50), ("long", 1), *range(40)]
    with InterpreterPoolExecutor(2) as executor:
        results = executor.map(map_tasks.meet, itertools.repeat(began), itertools.repeat(ran), items)
        assert next(results) == 0
        began.get(timeout=60)
        results.close()
        ran.put(None)
        assert executor.submit(tasks.identity, 5).result(60) == 5
        executor._pool.check_invariants()
        assert not executor._pool._kernel.core.open_maps


def test_map_with_a_timeout_that_passes_while_its_batch_is_split_raises(executor, began, ran):
    items = [*range(50), ("long", 1), *range(40)]
    results = executor.map(map_tasks.meet, itertools.repeat(began), itertools.repeat(ran), items, timeout=0.1)
    with pytest.raises(TimeoutError):
        list(results)
    ran.put(None)


def test_map_whose_split_batch_passes_the_deadline_fails_there(executor, ran):
    items = with_long_at(60, 40)
    view = executor.options(deadline=monotonic() + 1)
    # One more than there are: the long one goes on until it is stopped.
    results = view.map(map_tasks.run_or_wait, *map(itertools.repeat, (ran, 60, "spin")), items)
    got = []
    with pytest.raises(TimeoutError):
        got.extend(iter(results.__next__, object()))
    assert ran.qsize() == 59  # those behind it were run by the other worker


def test_map_cancelled_by_shutdown_while_a_batch_is_split_says_so_or_ends(ran, began):
    items = [*range(50), ("long", 1), *range(40)]
    executor = InterpreterPoolExecutor(2)
    results = executor.map(map_tasks.meet, itertools.repeat(began), itertools.repeat(ran), items)
    began.get(timeout=60)
    executor.shutdown(wait=False, cancel_futures=True)
    ran.put(None)
    executor.shutdown()
    got = []
    try:
        got.extend(results)
    except CancelledError:
        assert got == items[: len(got)]
    else:
        assert got == items


def test_short_task_that_was_sent_ahead_does_not_wait_behind_a_long_one(executor, ran):
    for _ in range(200):  # quick ones: many are sent ahead
        executor.submit(tasks.identity, 1).result(60)
    for place in (0, 1, 10):
        tasks_ = with_long_at(60, place)
        before = ran.qsize()
        futures = [executor.submit(map_tasks.run_or_wait, ran, before + 59, "spin", item) for item in tasks_]
        assert [future.result(60) for future in futures] == tasks_


def test_statistics_of_a_split_map_count_its_messages(executor):
    items = with_long_at(60, 40)
    for _ in range(20):  # until a batch was split: on a busy machine items seem long, and the long one may go alone
        assert list(run_or_wait(executor, create_queue(), items)) == items
        statistics = executor.statistics()
        if statistics.messages_received > statistics.messages_sent:
            break
    assert statistics.tasks_ended == statistics.messages_sent
    assert statistics.messages_received > statistics.messages_sent  # what was given back is one more
    assert (statistics.tasks_waiting, statistics.tasks_sent, statistics.tasks_running) == (0, 0, 0)


def test_nothing_looks_for_overdue_batches_when_there_is_none(executor, ran):
    list(run_or_wait(executor, ran, with_long_at(60, 40)))
    executor.submit(tasks.identity, 1).result(60)
    overdue = executor._pool._overdue
    overdue.call_off_timers()
    overdue._look_for_rest()  # in its place: one that was asked for finds nothing, and is the last
    assert not overdue.is_looking
