"""Storms: many threads submit, cancel and shut down at once; every future ends, and the books balance."""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import CancelledError, wait

import pytest
import scripts
import tasks

from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._core.states import PoolState

pytestmark = pytest.mark.stress


def run_in_threads(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("options", [{}, {"max_tasks_per_child": 8}])
def test_storm_of_submit_and_cancel_ends_every_future(stress, options):
    for seed in range(2 * stress):
        executor = InterpreterPoolExecutor(2, **options)
        futures = []

        def work(n, seed=seed, executor=executor, futures=futures):
            rng = random.Random(1000 * seed + n)
            for i in range(40):
                future = executor.submit(tasks.identity if rng.random() < 0.9 else tasks.fail_on_three, i)
                futures.append(future)
                if rng.random() < 0.3:
                    rng.choice(futures).cancel()

        run_in_threads([lambda n=n: work(n) for n in range(4)])
        done, not_done = wait(futures, timeout=60)
        assert not not_done
        assert len(done) == 160
        executor._pool.check_invariants()
        executor.shutdown()
        executor._pool.check_invariants()
        assert executor._pool._kernel.core.state is PoolState.CLOSED


def test_storm_of_submit_and_shutdown_loses_no_future(stress):
    for seed in range(5 * stress):
        executor = InterpreterPoolExecutor(2)
        futures = []

        def work(executor=executor, futures=futures):
            try:
                for i in range(100):
                    futures.append(executor.submit(tasks.identity, i))
            except RuntimeError:
                pass

        shut = [lambda executor=executor, seed=seed: executor.shutdown(seed % 2, cancel_futures=seed % 3 == 0)] * 2
        run_in_threads([work, work, *shut, work])
        executor.shutdown()
        for future in futures:
            assert future.done()
            try:
                future.result(0)
            except CancelledError:
                pass
        executor._pool.check_invariants()


def test_storm_on_shared_pool_with_leases(stress):
    for _ in range(2 * stress):
        with InterpreterPool(2) as pool:

            def share(pool=pool):
                with InterpreterPoolExecutor(pool=pool) as executor:
                    assert list(executor.map(tasks.identity, range(40))) == list(range(40))

            def borrow(pool=pool):
                for i in range(3):
                    with pool.lease() as interpreter:
                        assert interpreter.call(tasks.identity, i) == i

            run_in_threads([share, share, borrow, borrow])
            pool.check_invariants()


STRUCK = """
import gc, random, signal, sys
from concurrent.futures import wait
from interp_pool import InterpreterPoolExecutor
from interp_pool._core.states import PoolState

class Struck(BaseException):
    pass

def strike(*args):
    raise Struck

def submit(executor, futures, i):
    for _ in range(20):
        futures.append(executor.submit(abs, i))

def submit_and_wait(executor, futures, i):
    for _ in range(5):
        futures.append(executor.submit(abs, -i))
        assert futures[-1].result() == i

def wait_with_time_limit(executor, futures, i):
    futures += [executor.submit(abs, -i) for _ in range(5)]
    assert [future.result(timeout=30) for future in futures[-5:]] == [i] * 5

def map_all(executor, futures, i):
    assert list(executor.map(abs, range(i))) == list(range(i))

def main(rounds, use):
    gc.disable()
    rng = random.Random(1)
    executor = InterpreterPoolExecutor(2)
    # Struck while it starts a thread or imports, the standard library prints: not what is tested here.
    assert [future.result() for future in [executor.submit(abs, -1) for _ in range(9)]] == [1] * 9
    futures, struck = [], 0
    use(executor, futures, 9)
    signal.signal(signal.SIGALRM, strike)
    for i in range(rounds):
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00002, 0.0005))
            use(executor, futures, i)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Struck:
            struck += 1
        except RuntimeError as exc:
            # A Condition of the standard library's that is struck in its wait() says this.
            assert str(exc) == "cannot release un-acquired lock", exc
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    assert struck
    assert not wait(futures, timeout=30).not_done
    assert executor.submit(abs, -7).result(timeout=30) == 7
    executor.shutdown()
    executor._pool.check_invariants()
    assert executor._pool._kernel.core.state is PoolState.CLOSED
    print("done")

main(int(sys.argv[1]), globals()[sys.argv[2]])
"""


@pytest.mark.programs
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here")
@pytest.mark.parametrize("use", ["submit", "submit_and_wait", "wait_with_time_limit", "map_all"])
def test_storm_of_exceptions_from_signal_handlers_in_the_main_thread(use, stress, tmp_path):
    """As KeyboardInterrupt does, they strike between any two bytecodes of what the main thread does."""
    path = tmp_path / "struck.py"
    path.write_text(STRUCK)
    assert scripts.run(path, 200 * stress, use) == (0, "done\n", "")
