"""A future that was cancelled is done for everybody at once, whatever becomes of its place in the pool afterwards."""

from __future__ import annotations

import asyncio
from concurrent.futures import as_completed, wait
from functools import partial
from time import monotonic

import pytest
import tasks

from interp_api import QueueEmpty
from interp_pool import InterpreterPool, InterpreterPoolExecutor

AFTERWARDS = {
    "nothing": lambda executor, future: None,
    "shutdown": lambda executor, future: executor.shutdown(wait=False, cancel_futures=True),
    "terminate": lambda executor, future: executor.terminate_workers(),
    "kill": lambda executor, future: executor.kill_workers(),
    "interrupt": lambda executor, future: future.interrupt(timeout=0),
    "cancel again": lambda executor, future: future.cancel(),
}


@pytest.mark.parametrize("afterwards", AFTERWARDS.values(), ids=AFTERWARDS.keys())
def test_cancelled_future_is_done_for_all_who_wait_at_once(executor, gate, afterwards):
    running = gate.hold(executor, 2)
    futures = [executor.submit(tasks.identity, n) for n in range(30)]
    watched, last = futures[10:20], futures[10:]
    assert wait(watched, timeout=0).not_done == set(watched)
    assert all(future.cancel() for future in last)
    assert wait(last, timeout=0).not_done == set()
    assert set(as_completed(last, timeout=0)) == set(last)
    for future in last:
        afterwards(executor, future)
    assert wait(last, timeout=0).not_done == set()
    gate.open(2)
    assert wait([*running, *futures], timeout=60).not_done == set()


@pytest.mark.parametrize("option", ["deadline", "timeout", "priority"])
def test_cancelled_future_of_a_task_with_options_is_done_for_all_who_wait(single, gate, option):
    (running,) = gate.hold(single)
    value = {"deadline": monotonic() + 0.02, "timeout": 0.01, "priority": 3}[option]
    late = [single.options(**{option: value}).submit(tasks.identity, n) for n in range(20)][-1]
    assert late.cancel()
    following = single.options(deadline=monotonic() + 0.04).submit(tasks.identity, 1)
    assert isinstance(following.exception(60), TimeoutError)  # so its own deadline has passed as well
    assert wait([late], timeout=0).not_done == set()
    gate.open()
    running.result(60)
    assert wait([late], timeout=0).done == {late}


def test_cancelled_future_of_a_pool_that_breaks_is_done_for_all_who_wait(logged):
    with InterpreterPoolExecutor(1, initializer=tasks.fail, initargs=(ValueError("no licence"),)) as executor:
        futures = []
        try:
            futures.extend(executor.submit(tasks.identity, n) for n in range(20))
        except RuntimeError:
            pass  # it is broken already
        cancelled = [future for future in futures if future.cancel()]
        assert wait(cancelled, timeout=0).not_done == set()
        assert wait(futures, timeout=60).not_done == set()


def test_cancelled_future_of_a_shared_pool_is_done_for_all_who_wait(gate):
    with InterpreterPool(1) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        gate.hold(executor)
        futures = [executor.submit(tasks.identity, n) for n in range(20)]
        assert futures[-1].cancel()
        executor.shutdown(wait=False, cancel_futures=True)
        assert wait([futures[-1]], timeout=0).not_done == set()
        gate.open()


def test_cancelled_asyncio_future_ends_its_gather(executor, gate):
    async def cancel_all():
        held = gate.hold(executor, 2)
        futures = [asyncio.wrap_future(executor.submit(tasks.identity, n)) for n in range(20)]
        for future in futures:
            future.cancel()
        results = await asyncio.gather(*futures, return_exceptions=True)
        gate.open(2)
        await asyncio.gather(*map(asyncio.wrap_future, held))
        return results

    assert {type(result) for result in asyncio.run(cancel_all())} == {asyncio.CancelledError}


@pytest.mark.parametrize("is_shared", [False, True], ids=["own pool", "shared pool"])
@pytest.mark.parametrize("wait_", [False, True], ids=["no wait", "wait"])
def test_shutdown_cancels_what_was_sent_and_not_begun(gate, is_shared, wait_):
    """After quick tasks all that wait have been sent."""
    with InterpreterPool(1) as pool:
        options = {"pool": pool} if is_shared else {"max_workers": 1}
        executor = InterpreterPoolExecutor(**options)
        quick_first(executor)
        (running,) = gate.hold(executor)
        futures = [executor.submit(tasks.identity, n) for n in range(40)]
        if wait_:
            gate.open()
        executor.shutdown(wait=wait_, cancel_futures=True)
        ended = [future for future in futures if not future.cancelled()]
        if wait_:
            assert all(future.done() for future in ended)
        else:
            assert ended == []
            gate.open()
        running.result(60)
        executor.shutdown()


def quick_first(executor):
    """Have the pool send far ahead."""
    for future in [executor.submit(tasks.identity, n) for n in range(100)]:
        future.result(60)


def test_each_task_that_was_sent_and_not_begun_can_be_cancelled(single, gate):
    quick_first(single)
    (running,) = gate.hold(single)
    futures = [single.submit(tasks.identity, n) for n in range(40)]
    kept = futures[::3]
    dropped = [future for future in futures if future not in kept]
    assert single.statistics().tasks_sent >= 30
    assert not running.cancel()
    assert all(future.cancel() for future in reversed(dropped))
    assert wait(dropped, timeout=0).not_done == set()
    assert single.statistics().tasks_waiting + single.statistics().tasks_sent == len(kept)
    gate.open()
    assert [future.result(60) for future in kept] == [*range(0, 40, 3)]
    assert not any(future.cancel() for future in [*kept, running])


def test_cancel_in_a_callback_of_the_pool_blocks_nothing(single, gate):
    quick_first(single)
    (running,) = gate.hold(single)
    futures = [single.submit(tasks.identity, n) for n in range(40)]
    running.add_done_callback(lambda _: [future.cancel() for future in futures])
    gate.open()
    assert wait(futures, timeout=60).not_done == set()


def test_map_that_is_closed_takes_back_what_was_sent(single, gate):
    quick_first(single)
    results = single.map(partial(tasks.hold, gate.started), [gate.exits] * 8, chunksize=1)
    gate.open()
    next(results)
    for _ in range(2):
        gate.started.get(timeout=60)
    results.close()
    gate.open()
    assert single.submit(tasks.identity, 5).result(60) == 5
    with pytest.raises(QueueEmpty):
        gate.started.get_nowait()
