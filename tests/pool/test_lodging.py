"""A loop in the manager's place: it takes results itself, and gives the place back whenever others need it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import threading
import time
import weakref

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor
from interp_pool._awaiting.library import make_bell
from interp_pool._pool import lodging
from interp_pool._pool.pump import Pump


@pytest.fixture
def taken_in(monkeypatch):
    """The threads that have taken results, while no thread waits for them."""
    threads, own = [], Pump.advance

    def advance(self, future=None):
        threads.append(threading.get_ident())
        return own(self, future)

    monkeypatch.setattr(Pump, "advance", advance)
    return threads


def lodging_of(executor):
    return make_bell()._hub._lodgings[executor._pool]()


def lodges(executor):
    return bool(executor._pool._kernel.reader._lodgers)


async def begin(executor):
    """Return once the loop lodges: the manager may be awake at first, and things may come that it alone deals with."""
    lodging.RELUCTANCE = 0.0
    while not lodges(executor):
        await executor.run(abs, -1)


@pytest.fixture(autouse=True)
def _own_reluctance(monkeypatch):
    monkeypatch.setattr(lodging, "RELUCTANCE", lodging.RELUCTANCE)
    monkeypatch.setattr(lodging, "LONGEST_TASK", 60.0)  # on a busy machine the first ones take long


def test_loop_takes_results_in_its_own_thread(executor, taken_in):
    async def main():
        await begin(executor)
        taken_in.clear()
        assert await asyncio.gather(*(executor.run(tasks.identity, n) for n in range(50))) == [*range(50)]

    asyncio.run(main())
    assert threading.get_ident() in taken_in
    executor._pool.check_invariants()


def test_manager_has_its_place_back_while_the_loop_is_blocked(executor):
    """`wait` blocks the loop's thread, and takes nothing."""

    async def main():
        await begin(executor)
        futures = [executor.submit(tasks.identity, n) for n in range(50)]
        done, _ = concurrent.futures.wait(futures, 60)
        assert len(done) == 50

    asyncio.run(main())
    assert not lodges(executor)


def test_without_the_look_a_blocked_loop_would_block_others(executor, monkeypatch):
    """So the test above is one."""
    monkeypatch.setattr(lodging, "PERIOD", 3600.0)

    async def main():
        await asyncio.sleep(0.05)  # looks that were asked for before
        await begin(executor)
        taken = executor.submit(tasks.identity, 1)
        executor._pool._kernel.results.qsize()
        assert not concurrent.futures.wait([taken], 0.3).done
        assert lodges(executor)
        assert taken.result(60) == 1  # who waits in this way takes the place
        assert not lodges(executor)
        lodging_of(executor).next_look.cancel()

    asyncio.run(main())


def test_thread_that_waits_for_a_result_takes_the_place(executor):
    async def main():
        await begin(executor)
        assert await asyncio.to_thread(lambda: executor.submit(tasks.identity, 1).result(60)) == 1
        assert not lodges(executor)
        await begin(executor)

    asyncio.run(main())


def test_what_only_the_manager_can_deal_with_reaches_it(executor):
    async def main():
        await begin(executor)
        with pytest.raises(ValueError, match="x"):  # is unpickled by the manager
            await executor.run(tasks.fail, ValueError("x"))
        await begin(executor)
        future = executor.submit(tasks.identity, 2)
        told = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(told.set_result, threading.current_thread()))
        return await told

    assert asyncio.run(main()).name.endswith("_manager")


def test_loop_that_ends_while_it_lodges_keeps_nothing(executor):
    asyncio.run(begin(executor))
    gc.collect()
    assert concurrent.futures.wait([executor.submit(tasks.identity, n) for n in range(9)], 60).not_done == set()
    assert not lodges(executor)


def test_pool_that_goes_takes_its_descriptor_out_of_the_loop():
    def count():
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    async def main():
        counts = []
        for _ in range(3):
            with InterpreterPoolExecutor(1) as executor:
                await begin(executor)
            del executor
            gc.collect()
            while make_bell()._hub._lodgings:
                await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0.02)  # the last look is over, and the loop has forgotten it
            counts.append(count())
        assert counts[0] == counts[-1], counts

    asyncio.run(main())


def test_loops_of_two_threads_share_a_pool(executor):
    async def main(first):
        return [await executor.run(tasks.identity, n) for n in range(first, first + 100)]

    got = {}
    threads = [threading.Thread(target=lambda f=f: got.update({f: asyncio.run(main(f))})) for f in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {first: [*range(first, first + 100)] for first in (0, 100, 200)}
    executor._pool.check_invariants()


@pytest.mark.stress
def test_everybody_at_once(executor, stress):
    """Loops that lodge, threads that wait in each way, a loop that is blocked now and then."""
    end = time.monotonic() + 0.5 * stress

    async def main(number):
        while time.monotonic() < end:
            assert await asyncio.gather(*(executor.run(tasks.identity, n) for n in range(number))) == [*range(number)]
            if number == 7:
                concurrent.futures.wait([executor.submit(tasks.identity, n) for n in range(5)])
            with pytest.raises(ValueError, match="x"):
                await executor.run(tasks.fail, ValueError("x"))
            running = asyncio.ensure_future(executor.run(tasks.spend, 0.001))
            await asyncio.sleep(0)
            running.cancel()

    def use():
        while time.monotonic() < end:
            assert [*executor.map(tasks.identity, range(20))] == [*range(20)]
            assert executor.submit(tasks.identity, 1).result(60) == 1

    errors = []

    def catching(function, *args):
        try:
            function(*args)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=catching, args=(lambda n=n: asyncio.run(main(n)),)) for n in (1, 7, 20)]
    threads.append(threading.Thread(target=catching, args=(use,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    executor._pool.check_invariants()


def test_loop_without_readers_is_woken_by_the_manager(executor, monkeypatch):
    """As the Proactor of Windows is."""

    async def main():
        def refuse(*_):
            raise NotImplementedError

        asyncio.get_running_loop().add_reader = refuse
        for n in range(20):
            assert await executor.run(tasks.identity, n) == n
        assert not make_bell()._hub._lodgings
        assert not lodges(executor)
        del asyncio.get_running_loop().add_reader

    asyncio.run(main())


def test_loop_that_is_closed_before_it_wakes_a_coroutine_goes():
    async def wait_for_ever(bell):
        await bell.wait(lambda: False)

    async def main():
        bell = make_bell()
        waiting = asyncio.ensure_future(wait_for_ever(bell))
        await asyncio.sleep(0)
        return bell, waiting

    def run():
        loop = asyncio.new_event_loop()
        bell, waiting = loop.run_until_complete(main())
        bell.release()
        loop.close()
        waiting._log_destroy_pending = False
        return weakref.ref(loop)

    gone = run()
    gc.collect()
    assert gone() is None
