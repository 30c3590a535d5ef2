"""Tasks with options: timeouts, deadlines, priorities, names, and interrupts by cancelling."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, as_completed, wait
from time import monotonic

import pytest
import stopping_tasks
import tasks

from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted

SHORT = 0.02  # seconds
PAST = -1.0  # on the monotonic clock, surely


def test_timeout_interrupts_the_task_and_keeps_the_worker(single, started):
    worker = single.submit(tasks.current_id).result(60)
    future = single.options(timeout=SHORT).submit(tasks.spin, started)
    with pytest.raises(TimeoutError, match=r"task spin\(\) was stopped: it ran longer than its timeout of 0.02 s"):
        future.result(60)
    assert isinstance(future.exception().__cause__, TaskInterrupted)
    assert single.submit(tasks.current_id).result(60) == worker


def test_timeout_does_not_count_waiting(single, gate):
    (first,) = gate.hold(single)
    futures = [single.options(timeout=SHORT).submit(tasks.identity, n) for n in range(20)]
    assert not wait(futures, timeout=3 * SHORT).done
    gate.open()
    first.result(60)
    assert [future.result(60) for future in futures] == [*range(20)]


def test_timeout_does_not_count_the_start_of_the_worker():
    with InterpreterPoolExecutor(1, initializer=tasks.spend, initargs=(3 * SHORT,), reuse=False) as executor:
        assert executor.options(timeout=SHORT).submit(tasks.identity, 1).result(60) == 1


def test_timeout_does_not_count_what_is_imported_for_the_task(single):
    """It would be cut short in each task anew."""
    future = single.options(timeout=SHORT).submit(tasks.identity, tasks.SlowToLoad(4 * SHORT, 5))
    assert future.result(60) == 5
    assert list(single.options(timeout=SHORT).map(tasks.identity, [tasks.SlowToLoad(4 * SHORT, 6)])) == [6]


def test_timeout_of_a_task_that_does_not_stop_ends_its_future(single, gate):
    future = single.options(timeout=SHORT).submit(tasks.hold, gate.started, gate.exits)
    with pytest.raises(TimeoutError, match="its timeout"):
        future.result(60)
    assert single.submit(tasks.identity, 1).result(60) == 1
    gate.open()


def test_timeout_of_zero_gives_no_time(single, started):
    with pytest.raises(TimeoutError):
        single.options(timeout=0).submit(tasks.spin, started).result(60)


def test_timeout_that_is_not_reached_changes_nothing(single):
    view = single.options(timeout=60)
    assert [view.submit(tasks.identity, n).result(60) for n in range(100)] == [*range(100)]
    assert view.submit(tasks.fail, ValueError("own")).exception(60).args == ("own",)


def test_deadline_interrupts_a_running_task(single, started):
    future = single.options(deadline=monotonic() + SHORT).submit(tasks.spin, started)
    with pytest.raises(TimeoutError, match="not done by its deadline"):
        future.result(60)


def test_deadline_keeps_a_waiting_task_from_starting(single, gate):
    ran = create_queue()
    gate.hold(single)
    view = single.options(deadline=monotonic() + SHORT)
    futures = [view.submit(tasks.put_name, ran, n) for n in range(20)]
    for future in futures:
        with pytest.raises(TimeoutError, match="was not started: it was not done by its deadline"):
            future.result(60)
    gate.open()
    single.submit(tasks.identity, 1).result(60)
    assert ran.qsize() == 0


def test_deadline_in_the_past_starts_nothing(single):
    ran = create_queue()
    single.submit(tasks.identity, 1).result(60)
    with pytest.raises(TimeoutError, match="was not started"):
        single.options(deadline=PAST).submit(tasks.put_name, ran, 1).result(60)
    single.submit(tasks.identity, 1).result(60)
    assert ran.qsize() == 0


def test_map_whose_deadline_is_in_the_past_starts_nothing(single):
    results = single.options(deadline=PAST).map(tasks.identity, range(20))
    with pytest.raises(TimeoutError, match=r"map of identity\(\) was not started: it was not done by its deadline"):
        next(results)
    assert single.statistics().messages_sent == 0


def test_priority_orders_what_waits(single, gate):
    order = create_queue()
    gate.hold(single)
    ahead = [single.submit(tasks.put_name, order, "sent") for _ in range(300)]  # the window is full
    for priority in (0, 5, -5, 10):
        for n in range(3):
            single.options(priority=priority).submit(tasks.put_name, order, (priority, n))
    gate.open()
    wait(ahead)
    single.options(priority=-100).submit(tasks.identity, 1).result(60)
    names = [order.get_nowait() for _ in range(order.qsize())]
    named = [name for name in names if name != "sent"]
    assert [n for n in named if n[0] == 10] == [(10, 0), (10, 1), (10, 2)]
    assert named.index((10, 2)) < named.index((5, 2))
    assert named.index((5, 2)) < named.index((0, 2))
    assert len(named) == 12


def test_steady_stream_of_urgent_tasks_does_not_starve_the_others(single, gate):
    order = create_queue()
    gate.hold(single)
    urgent = single.options(priority=1)
    stream = [urgent.submit(tasks.put_name, order, n) for n in range(400)]
    low = single.submit(tasks.put_name, order, "low")  # after all of them
    gate.open()
    wait([low, *stream])
    names = [order.get_nowait() for _ in range(order.qsize())]
    assert names.index("low") < 350  # some 250 may have been sent before it came


def test_name_stands_in_messages(single, started):
    future = single.options(name="parse", timeout=SHORT).submit(tasks.spin, started)
    with pytest.raises(TimeoutError, match="task 'parse' was stopped"):
        future.result(60)


def test_cancel_interrupts_with_that_option(single, started):
    future = single.options(interrupt_on_cancel=True).submit(tasks.spin, started)
    started.get(timeout=60)
    assert not future.cancel()  # it ends soon, but is not cancelled
    assert isinstance(future.exception(60), TaskInterrupted)


def test_map_that_is_given_up_is_interrupted_with_that_option(single, started):
    results = single.options(interrupt_on_cancel=True).map(tasks.spin_unless_none, [None, started, started])
    assert next(results) is None
    started.get(timeout=60)
    results.close()
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_cancelled_asyncio_task_interrupts_the_workers(single, started):
    ended = create_queue()

    async def main():
        loop = asyncio.get_running_loop()
        view = single.options(interrupt_on_cancel=True)
        task = asyncio.ensure_future(
            loop.run_in_executor(view, stopping_tasks.spin_and_say_when_it_ends, started, ended)
        )
        await asyncio.to_thread(started.get, timeout=60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended.get(timeout=60) == "finally"
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_asyncio_timeout_of_a_task(single, started):
    async def main():
        view = single.options(timeout=SHORT)
        with pytest.raises(TimeoutError):
            await asyncio.get_running_loop().run_in_executor(view, tasks.spin, started)

    asyncio.run(main())


def test_view_is_an_executor_itself(executor):
    view = executor.options(timeout=60, name="n")
    assert isinstance(view, Executor)
    assert list(view.map(tasks.add, range(50), range(50))) == [2 * n for n in range(50)]
    futures = [view.submit(tasks.identity, n) for n in range(20)]
    assert {future.result() for future in as_completed(futures)} == set(range(20))
    assert "timeout=60.0, name='n'" in repr(view)
    assert "priority" not in repr(view)


def test_view_has_what_an_executor_has(single, tmp_path):
    own = {"BROKEN", "tasks", "submit_with", "submits_itself", "maps_itself", "map_with"}  # for the package
    own.add("prepare_context")  # which is ThreadPoolExecutor's, on 3.14
    names = {name for name in dir(type(single)) if not name.startswith("_")} - own
    view = single.options(name="mine")
    assert [name for name in names if not hasattr(view, name)] == []
    with view.trace(tmp_path / "run.json"):
        view.submit(tasks.identity, 1).result(60)
    assert '"mine"' in (tmp_path / "run.json").read_text()
    assert view.statistics().tasks_ended == 1


def test_views_can_be_refined(single, started):
    view = single.options(timeout=60, name="first").options(name="second", timeout=SHORT)
    with pytest.raises(TimeoutError, match="'second'"):
        view.submit(tasks.spin, started).result(60)


def test_map_with_a_timeout_times_each_item_alone(single, started):
    results = single.options(timeout=5 * SHORT).map(tasks.spin_on_three, [started] * 6, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(TimeoutError, match=r"map of spin_on_three\(\) was stopped"):
        next(results)
    assert single.submit(tasks.identity, 1).result(60) == 1


def test_view_on_a_shared_pool(started):
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        with pytest.raises(TimeoutError):
            executor.options(timeout=SHORT).submit(tasks.spin, started).result(60)
        assert executor.submit(tasks.identity, 1).result(60) == 1


def test_task_that_cannot_be_pickled_fails_as_without_options(single, started):
    error = single.options(timeout=1).submit(tasks.identity, lambda: started).exception(60)
    assert "cannot send argument 1" in str(error)


def test_limits_beyond_all_time_are_none(single):
    assert single.options(timeout=10**400, deadline=10**400).submit(tasks.identity, 1).result(60) == 1
    assert single.options(timeout=SHORT).submit(tasks.spend_and_return, 0.0, 2).result(60) == 2


def test_ctrl_c_in_a_block_of_a_view_stops_its_tasks(started):
    view = InterpreterPoolExecutor(1).options(name="x")
    future = view.submit(tasks.spin, started)
    started.get(timeout=60)
    with pytest.raises(KeyboardInterrupt), view:
        raise KeyboardInterrupt
    assert isinstance(future.exception(0), TaskInterrupted)


def test_view_refuses_after_the_shutdown():
    executor = InterpreterPoolExecutor(1)
    view = executor.options(name="x")
    view.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        view.submit(tasks.identity, 1)
