"""Memory stays flat: payloads are released while they are on their way, whoever waits where.

The runtime releases a payload by a pending call in the interpreter that sent it, and keeps for ever what exceeds 300 of
them. So each test lets as many payloads go through as would fill hundreds of megabytes if they stayed.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor

STATM = Path("/proc/self/statm")
PAYLOAD = b"p" * 10_000
WARM_UP = 5_000
SHORT, LONG = 10_000, 1_000_000
# What a few thousand results of 10 KB leave behind in the allocator; those of the short form are 100 MB each way.
ALLOWED = 64 * 1024 * 1024  # bytes

pytestmark = pytest.mark.skipif(not STATM.exists(), reason="the memory of a process is read from /proc")
LENGTHS = [SHORT, pytest.param(LONG, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]


def resident() -> int:
    return int(STATM.read_text().split()[1]) * 4096


def submit_in_bursts(executor, count):
    for _ in range(count // 500):
        for future in [executor.submit(tasks.identity, PAYLOAD) for _ in range(500)]:
            assert len(future.result()) == len(PAYLOAD)


def submit_all_before_asking(executor, count):
    """The consumer is slower than the workers: results wait for it by the thousand."""
    for _ in range(count // 5_000):
        for future in [executor.submit(tasks.identity, PAYLOAD) for _ in range(5_000)]:
            assert len(future.result()) == len(PAYLOAD)


def map_all(executor, count):
    assert sum(
        map(len, executor.map(tasks.identity, (PAYLOAD[:9_999] + b"p" for _ in range(count)), buffersize=1_000))
    ) == count * len(PAYLOAD)


def from_a_thread_while_the_main_thread_blocks_in_c(executor, count):
    failures: list[BaseException] = []

    def body():
        try:
            submit_in_bursts(executor, count)
        except BaseException as exc:
            failures.append(exc)
        finally:
            done.release()

    done = threading.Lock()
    done.acquire()
    thread = threading.Thread(target=body)
    thread.start()
    done.acquire()  # one C call for the whole time
    thread.join()
    assert not failures


def through_callbacks(executor, count):
    """Nobody waits in result(): the manager alone takes the results, the main thread sleeps in C."""
    left = count
    done = threading.Lock()
    done.acquire()

    def again(future):
        nonlocal left
        assert len(future.result()) == len(PAYLOAD)
        left -= 1
        if left > 0:
            executor.submit(tasks.identity, PAYLOAD).add_done_callback(again)
        elif left == 1 - WIDTH:
            done.release()

    for _ in range(WIDTH):
        executor.submit(tasks.identity, PAYLOAD).add_done_callback(again)
    done.acquire()


WIDTH = 16  # chains of callbacks


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize(
    "use",
    [
        submit_in_bursts,
        submit_all_before_asking,
        map_all,
        from_a_thread_while_the_main_thread_blocks_in_c,
        through_callbacks,
    ],
)
def test_memory_stays_flat(use, count):
    with InterpreterPoolExecutor(2) as executor:
        use(executor, WARM_UP)
        before = resident()
        use(executor, count)
        grown = resident() - before
    assert grown < ALLOWED, f"grew by {grown / 2**20:.1f} MiB"
