"""What tasks report is with their futures, and with who listens to a map, whatever runs them and however they end."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait

import progress_tasks as tasks
import pytest
from tasks import loaded_by_report

import interp_pool
from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, Progress, TaskInterrupted
from interp_pool._executor.map_run import MapRun
from interp_pool._worker.reporting import BURST


@pytest.fixture(params=[None, "process", "thread"])
def fallback(request):
    return request.param


def executor_on(fallback, workers=1):
    route = {} if fallback is None else {"fallback": fallback, "route": ["progress_tasks"]}
    return InterpreterPoolExecutor(workers, thread_name_prefix="worker", **route)


def test_future_tells_the_last_report(fallback):
    with executor_on(fallback) as executor:
        future = executor.submit(tasks.report_all, (1, 3), (2, 3, "two"))
        assert future.result() == 2
        progress = future.progress()
        assert progress.worker.startswith("worker")
        assert progress == Progress(2, 3, "two", None, "task report_all()", progress.worker)
        named = executor.options(name="mine").submit(tasks.report_all, (1,))
        assert (named.result(), named.progress().task_name) == (1, "task 'mine'")


def test_last_report_is_not_lost_to_the_limit(fallback):
    with executor_on(fallback) as executor:
        futures = [executor.submit(tasks.report_many, 1000 + n, 2000) for n in range(20)]
        assert [future.result() for future in futures] == [future.progress().done for future in futures]


def test_future_of_a_task_that_has_not_reported_has_none():
    with executor_on(None) as executor:
        future = executor.submit(abs, -1)
        assert future.progress() is None
        assert future.result() == 1
        assert future.progress() is None


def test_failed_task_keeps_its_progress(fallback):
    with executor_on(fallback) as executor:
        future = executor.submit(tasks.report_and_fail, "oh")
        assert str(future.exception()) == "oh"
        assert future.progress().fraction == 1 / 3


@pytest.mark.parametrize("how", ["interrupt", "timeout", "terminate"])
def test_task_that_is_stopped_keeps_its_progress(how):
    with executor_on(None) as executor:
        user = executor.options(timeout=0.1) if how == "timeout" else executor
        future = user.submit(tasks.report_for_ever, 100)
        while not future.done() and ((now := future.progress()) is None or now.done < BURST):
            pass
        if how == "interrupt":
            assert future.interrupt()
        elif how == "terminate":
            executor.terminate_workers()
        assert isinstance(future.exception(), TimeoutError if how == "timeout" else TaskInterrupted)
        # Where it was struck before the loop, within a hundred reports, the last was an earlier one.
        assert BURST <= future.progress().done <= 100


def test_nothing_is_heard_of_a_worker_that_was_abandoned():
    gate, ended = create_queue(), create_queue()
    with executor_on(None) as executor:
        future = executor.submit(tasks.report_and_swallow, gate, ended)
        while future.progress() is None:
            pass
        assert not future.interrupt(timeout=0.01)
        assert not future.exception().has_stopped
        gate.put(None)
        ended.get()
        assert executor.submit(abs, -1).result() == 1
    assert future.progress().done == 1


def test_cancelled_task_has_none():
    with executor_on(None) as executor:
        running = executor.submit(tasks.report_for_ever, 1)
        future = executor.submit(tasks.report_all, (1,))
        assert future.cancel()
        assert future.progress() is None
        assert running.interrupt()


def test_threads_of_a_task_report_for_it():
    with executor_on(None) as executor:
        future = executor.submit(tasks.report_in_thread, 5)
        assert future.result() is None
        assert future.progress().done == 5


def test_initializer_reports_to_nobody():
    with InterpreterPoolExecutor(1, initializer=tasks.initialize) as executor:
        future = executor.submit(abs, -1)
        assert (future.result(), future.progress()) == (1, None)


def test_report_runs_in_the_program_and_in_other_executors():
    assert tasks.report_all((1, 2, "three")) == 1
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(tasks.report_all, (1, 2, "three")).result() == 1


def test_wrong_report_fails_the_task_alone():
    with executor_on(None) as executor:
        assert isinstance(executor.submit(tasks.report_bad, "1").exception(), TypeError)
        assert isinstance(executor.submit(tasks.report_bad, -1).exception(), ValueError)
        assert executor.submit(tasks.report_all, (1,)).result() == 1


def test_task_of_a_task_reports_to_its_own_future_where_it_runs_in_place():
    with executor_on(None) as executor:
        future = executor.submit(tasks.report_below)
        child = future.result()
        assert (child.done, child.total, child.message, child.task_name) == (7, 8, "child", "task report_all()")
        assert (future.progress().done, future.progress().message) == (1, "parent")


def test_task_of_a_task_reports_to_its_own_future_from_another_worker():
    with executor_on(None, 2) as executor:
        future = executor.submit(tasks.report_beside)
        child = future.result()
        assert (child.done, child.total, child.message) == (7, 8, "child")
        assert child.worker.startswith("worker")
        assert (future.progress().done, future.progress().message) == (1, "parent")


def test_worker_loads_next_to_nothing_for_it():
    with InterpreterPoolExecutor(1, reuse=False, log="worker") as executor:
        loaded = executor.submit(loaded_by_report).result()
    assert loaded == {"interp_pool._worker.reporting", "interp_pool._worker.telling"}


class Hearing:
    """An `on_progress`."""

    def __init__(self):
        self.heard, self.threads = [], set()

    def __call__(self, progress):
        self.heard.append(progress)
        self.threads.add(threading.current_thread())

    def of(self, item):
        return [progress for progress in self.heard if progress.item == item]


def test_items_of_a_map_are_heard_before_their_results(fallback, subtests):
    with executor_on(fallback) as executor:
        for options in ({}, {"chunksize": 7}, {"buffersize": 10}, {"chunksize": 1}):
            with subtests.test(options=options):
                hearing = Hearing()
                for item in executor.map(tasks.report_item, range(100), on_progress=hearing, **options):
                    heard = hearing.of(item)
                    assert heard[0].message == f"begun {item}"
                    assert (heard[-1].done, heard[-1].total, heard[-1].message) == (2, 2, f"done {item}")
                    assert heard[0].task_name == "map of report_item()"
                assert {progress.item for progress in hearing.heard} == {*range(100)}
                assert threading.current_thread() not in hearing.threads
                assert len(hearing.threads) == 1


def test_items_of_several_iterables_and_of_a_view_are_heard():
    hearing = Hearing()
    with InterpreterPool(2) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        user = executor.options(timeout=60, name="mine")
        assert [*user.map(tasks.report_all, [(1,), (2,)], [(3,), (4,)], on_progress=hearing)] == [2, 2]
    assert [[progress.done for progress in hearing.of(item)][-1] for item in (0, 1)] == [3, 4]
    assert hearing.heard[0].task_name == "task 'mine'"


def test_places_are_right_where_batches_are_split(monkeypatch):
    split, note_rest = [], MapRun.note_rest
    monkeypatch.setattr(MapRun, "note_rest", lambda *args: split.append(args[1].kept) or note_rest(*args))
    hearing = Hearing()
    with executor_on(None, 2) as executor:
        results = [*executor.map(tasks.report_slowly, range(300), on_progress=hearing)]
    assert split
    assert results == [*range(300)]
    assert all(hearing.of(item)[-1].message == str(item) for item in range(300))


def test_items_that_fail_or_cannot_be_pickled_do_not_shift_the_others():
    hearing = Hearing()
    with executor_on(None) as executor:
        items = [0, 1, threading.Lock(), 3]
        results = executor.map(tasks.report_item, items, chunksize=4, on_progress=hearing)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(interp_pool.TaskPicklingError):
            next(results)
    assert {progress.item for progress in hearing.heard} <= {0, 1, 3}
    assert hearing.of(1)[-1].message == "done 1"


def test_error_of_an_item_has_no_frame_of_ours():
    with executor_on(None) as executor:
        texts = []
        for options in ({}, {"on_progress": Hearing()}):
            results = executor.map(tasks.report_and_fail, [1, 2], **options)
            with pytest.raises(ValueError, match="1") as caught:
                next(results)
            texts.append(str(caught.value.__cause__))
    assert texts[0] == texts[1]


def test_on_progress_that_raises_is_logged_once_and_harms_nothing(caplog):
    def fail(progress):
        raise ZeroDivisionError("my own")

    with executor_on(None) as executor:
        assert [*executor.map(tasks.report_item, range(50), on_progress=fail)] == [*range(50)]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "not called again" in record.getMessage()
    caplog.clear()  # its traceback keeps the pool


def test_nobody_hears_a_map_that_was_closed():
    hearing = Hearing()
    with executor_on(None) as executor:
        results = executor.map(tasks.report_for_ever, [5, 5], on_progress=hearing, chunksize=1)
        while not hearing.heard:
            pass
        executor.terminate_workers()
        with pytest.raises(TaskInterrupted):
            next(results)
    assert {progress.item for progress in hearing.heard} == {0}


def test_on_progress_is_a_callable():
    with executor_on(None) as executor, pytest.raises(TypeError, match="on_progress must be a callable or None, got 3"):
        executor.map(abs, [1], on_progress=3)


class Own(InterpreterPoolExecutor):
    def submit(self, fn, /, *args, **kwargs):
        return super().submit(fn, *args, **kwargs)


async def collect(results):
    return [item async for item in results]


@pytest.mark.parametrize("is_view", [False, True])
@pytest.mark.parametrize("name", ["map", "amap"])
@pytest.mark.parametrize("options", [{}, {"chunksize": 3}, {"buffersize": 2}], ids=str)
def test_on_progress_of_a_map_through_another_submit_hears_each_item(is_view, name, options):
    heard = []
    with Own(1) as executor:
        user = executor.options(name="mine") if is_view else executor
        results = getattr(user, name)(tasks.report_item, range(8), on_progress=heard.append, **options)
        items = [*results] if name == "map" else asyncio.run(collect(results))
    assert items == [*range(8)]
    if "chunksize" in options:  # the last report of each chunk at least, whose items nobody can tell apart
        assert {progress.item for progress in heard} == {None}
        assert len(heard) >= 3
    else:
        assert [progress.item for progress in heard if progress.fraction == 1] == [*range(8)]


def test_report_that_came_before_the_future_is_told_once():
    class Slow(InterpreterPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            future = super().submit(fn, *args, **kwargs)
            wait([future])
            return future

    heard = []
    with Slow(1) as executor:
        assert [*executor.map(tasks.report_item, [5], on_progress=heard.append)] == [5]
    assert [(progress.item, progress.fraction) for progress in heard] == [(0, 1)]


def test_submit_that_returns_other_futures_takes_no_on_progress():
    class Foreign(InterpreterPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            return Future()

    with Foreign(1) as executor, pytest.raises(TypeError, match=r"has returned <Future at .*: return those, or leave"):
        executor.map(abs, [1], on_progress=print)


def test_on_progress_of_a_map_of_a_task_is_called_in_the_task():
    with executor_on(None) as executor:
        heard = executor.submit(tasks.map_below).result()
    assert heard == [(0, 1.0), (1, 1.0), (2, 1.0)]


@pytest.mark.parametrize("ordered", [True, False])
def test_on_progress_of_amap_is_called_in_the_loop_before_the_result(ordered):
    heard = []

    def hear(progress):
        assert asyncio.get_running_loop() is loop
        assert threading.current_thread() is threading.main_thread()
        heard.append(progress)

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        seen = []
        async for item in executor.amap(tasks.report_item, range(60), ordered=ordered, on_progress=hear):
            assert [progress.message for progress in heard if progress.item == item][-1] == f"done {item}"
            seen.append(item)
        return seen

    loop = None
    with executor_on(None, 2) as executor:
        seen = asyncio.run(main())
    assert sorted(seen) == [*range(60)]
    if ordered:
        assert seen == [*range(60)]


def test_on_progress_of_amap_is_called_while_an_item_runs():
    async def main():
        there = asyncio.Event()
        results = executor.amap(tasks.report_for_ever, [1], on_progress=lambda progress: there.set())
        taking = asyncio.ensure_future(anext(results))
        await there.wait()
        assert not taking.done()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

    with executor_on(None) as executor:
        asyncio.run(main())


def test_bar_of_a_map_knows_its_total_and_what_its_tasks_report(monkeypatch):
    made = []

    class Bars:
        def __init__(self, library, total, description):
            self.total, self.shown, self.count, self.is_closed = total, [], 0, False
            made.append(self)

        def advance(self):
            self.count += 1

        def show(self, progress):
            self.shown.append(progress)

        def close(self):
            self.is_closed = True

    monkeypatch.setattr("interp_pool._executor.tracked.make_bars", Bars)
    hearing = Hearing()
    with executor_on(None, 2) as executor:
        user = executor.options(name="mine")
        results = user.map(tasks.report_item, range(500), on_progress=hearing)
        assert [*interp_pool.progress(results, per_task=True)] == [*range(500)]
        assert [*interp_pool.progress(executor.map(abs, range(20), buffersize=2))] == [*range(20)]
        assert [*interp_pool.progress(executor.map(pow, range(20), range(20), buffersize=2))][:2] == [1, 1]
        results = executor.map(abs, range(20))
        next(results)
        interp_pool.progress(results).close()
        stopping = executor.options(interrupt_on_cancel=True)
        one = interp_pool.progress(stopping.map(tasks.report_for_ever, [1], chunksize=1), per_task=True)
        while not made[-1].shown:
            pass
        one.close()
    assert [bars.total for bars in made] == [500, 20, None, 19, 1]
    assert made[0].count == 500
    assert {progress.item for progress in hearing.heard} == {*range(500)}
    assert {progress.item for progress in made[0].shown} - {None} <= {*range(500)}
    assert made[4].shown[0].worker.startswith("worker")
    assert all(bars.is_closed for bars in made)


def test_map_that_is_closed_by_who_hears_its_progress_is_cancelled(caplog):
    """As by a button that ends it: the consumer waits meanwhile, and its results are not fewer without a word."""
    with executor_on(None, 2) as executor:
        results = executor.map(tasks.report_item, range(1000), on_progress=lambda _: results.close())
        with pytest.raises(CancelledError):
            list(results)
        assert executor.submit(abs, -1).result() == 1
    assert caplog.text == ""
