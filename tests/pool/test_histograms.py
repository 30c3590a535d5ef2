"""The histograms of a pool: what is in them, and what is not, however its tasks end."""

from __future__ import annotations

from time import monotonic

import nested_tasks
import pytest
import routed_tasks
import tasks
from waiting import wait_until

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._process import watched


@pytest.fixture
def metered(request):
    """An executor with one worker."""
    with InterpreterPoolExecutor(1, histograms=True) as made:
        yield made
        made._pool.check_invariants()
    del request.node.funcargs["metered"]


def counts(executor):
    now = executor.statistics()
    return now.run_times.count, now.wait_times.count, now.encode_times.count


def test_without_the_option_there_are_none_and_tasks_carry_nothing(executor):
    future = executor.submit(tasks.identity, 1)
    assert not any(hasattr(item, "submitted") for item in executor._pool.list_tasks())
    assert future.result(60) == 1
    now = executor.statistics()
    assert (now.run_times, now.wait_times, now.encode_times) == (None, None, None)


def test_tasks_are_counted_with_the_times_they_took(metered):
    assert counts(metered) == (0, 0, 0)
    begun = monotonic()
    for _ in range(5):
        metered.submit(tasks.spend, 0.01).result(60)
    metered.submit(tasks.make_bytes, 1 << 22).result(60)
    took, now = monotonic() - begun, metered.statistics()
    assert counts(metered) == (6, 6, 6)
    assert 0.05 <= now.run_times.sum <= took
    assert now.run_times.quantile(0.5) >= 0.01 / 1.25
    assert 0 < now.wait_times.sum <= took - 0.05
    assert 0 < now.encode_times.sum <= took - 0.05


def test_wait_is_from_submit_to_the_beginning(metered, gate):
    (held,) = gate.hold(metered)
    after = metered.submit(tasks.identity, 1)
    tasks.spend(0.03)
    before = metered.statistics().wait_times
    gate.open()
    assert (held.result(60), after.result(60))[1] == 1
    assert metered.statistics().wait_times.sum - before.sum >= 0.03
    assert metered.statistics().run_times.sum >= 0.03  # of the one that was held


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (tasks.raise_in_unpickling, (ValueError, "no"), (1, 1, 1)),
        (tasks.NoPickle, (), (1, 1, 1)),  # its result
        (tasks.identity, (tasks.NoUnpickle(),), (0, 0, 0)),
    ],
)
def test_tasks_that_fail_are_counted_once_they_have_begun(metered, function, args, expected):
    assert metered.submit(function, *args).exception(60)
    assert counts(metered) == expected


def test_tasks_that_are_cancelled_or_taken_back_are_not(metered, gate):
    (held,) = gate.hold(metered)
    waiting = [metered.submit(tasks.identity, 1) for _ in range(20)]
    assert all(future.cancel() for future in waiting[10:])
    assert waiting[0].interrupt(60)
    gate.open()
    held.result(60)
    assert [future.result(60) for future in waiting[1:10]] == [1] * 9
    assert counts(metered) == (10, 10, 10)


def test_tasks_that_are_interrupted_or_timed_out_are(metered, started):
    future = metered.submit(tasks.spin, started)
    started.get(timeout=60)
    assert future.interrupt(60)
    assert metered.options(timeout=0.02).submit(tasks.spin, started).exception(60)
    assert counts(metered) == (2, 2, 2)
    assert metered.statistics().run_times.quantile(1) >= 0.02 / 1.25


def test_task_of_an_abandoned_worker_has_run_until_then(metered, stuck):
    pool = metered._pool
    assert not stuck.hold(metered).interrupt(0.01)
    assert counts(metered) == (1, 0, 0)
    assert 0.01 <= metered.statistics().run_times.sum < 10
    assert metered.submit(tasks.identity, 1).result(60) == 1
    stuck.release()
    wait_until(pool, lambda: not pool._kernel.staff.stuck)
    assert counts(metered) == (2, 1, 1)  # it is not counted again


@pytest.mark.parametrize(("chunksize", "batches"), [(7, 15), (1, 100), (None, None)])
def test_items_of_map_are_counted_with_the_average_of_their_batch(metered, chunksize, batches):
    assert list(metered.map(tasks.identity, range(100), chunksize=chunksize)) == [*range(100)]
    run, wait, encode = counts(metered)
    assert run == 100
    assert wait == encode == (batches or metered.statistics().messages_sent)


def test_items_that_a_batch_gives_back_are_counted_where_they_run():
    with InterpreterPoolExecutor(2, histograms=True) as executor:
        assert len([*executor.map(tasks.spend, [1e-5] * 500 + [0.03] * 4)]) == 504
        assert executor.statistics().run_times.count == 504
        assert executor.statistics().run_times.sum >= 0.12


def test_items_of_a_batch_that_fail_are_counted(metered):
    with pytest.raises(ValueError, match="3"):
        list(metered.map(tasks.fail_if, [3] * 4, range(4), chunksize=4))  # which it tells with its end
    assert counts(metered)[0] == 4


def test_tasks_of_tasks_are_counted_as_far_as_they_were_sent():
    with InterpreterPoolExecutor(2, histograms=True) as executor:
        assert executor.submit(nested_tasks.fib, 9).result(60) == 34
        now = executor.statistics()
        assert counts(executor) == (now.tasks_ended,) * 3
        assert now.tasks_ended >= 1


@pytest.mark.parametrize("fallback", ["process", "thread"])
def test_histograms_of_the_fallback_are_added(fallback, helpers_of_multiprocessing):
    with InterpreterPoolExecutor(1, histograms=True, fallback=fallback, route=["routed_tasks"]) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
        assert counts(executor) == (1, 1, 1)
        assert executor.submit(routed_tasks.echo, 1).result(60)
        assert counts(executor) == (2, 2, 2)
        assert list(executor.map(routed_tasks.echo, range(10), chunksize=5)) == [*range(10)]
        assert counts(executor) == (12, 4, 4)


def test_task_that_moves_to_the_fallback_is_counted_there(helpers_of_multiprocessing, logged):
    with InterpreterPoolExecutor(1, histograms=True, fallback="process") as executor:
        assert executor.submit(routed_tasks.echo, 1).result(60) == 1
        assert counts(executor) == (1, 1, 1)


def test_option_must_be_a_bool():
    with pytest.raises(TypeError, match=r"^histograms must be a bool, got 1$"):
        InterpreterPoolExecutor(histograms=1)


def test_pools_have_histograms_once_somebody_looks_at_the_process(monkeypatch):
    with InterpreterPool(1) as before:
        monkeypatch.setattr(watched, "_is_metering", False)
        watched.meter_pools()
        with InterpreterPool(1) as after:
            assert before.statistics().run_times is None
            assert after.statistics().run_times.count == 0
