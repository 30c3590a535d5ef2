"""What a message between interpreters costs; the tests have the names of crossbeam's benchmarks of channels."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

import interp_api

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES = 1_000
OPEN = {
    "Queue": "",
    "SimpleQueue": "from interp_api import SimpleQueue\nqueue = SimpleQueue(queue)\n",
}
PRODUCE = "for number in range(count):\n    queue.put(number)\n"
CONSUME = "for _ in range(count):\n    queue.get()\n"
ECHO = """
from interp_api import PoolQueue
there, back = PoolQueue(there), PoolQueue(back)
while (item := there.get(spin=spin)) is not None:
    back.put(item)
"""
ECHO_QUEUE = """
while (item := there.get()) is not None:
    back.put(item)
"""


@pytest.fixture(params=OPEN)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def make(kind: str) -> interp_api.Queue | interp_api.SimpleQueue:
    return interp_api.create_queue() if kind == "Queue" else interp_api.SimpleQueue()


def sent(queue: interp_api.Queue | interp_api.SimpleQueue) -> object:
    """What another interpreter is given to open the queue."""
    return queue.id if isinstance(queue, interp_api.SimpleQueue) else queue


@contextmanager
def prepared(opening: str, **names: object) -> Iterator[interp_api.Interpreter]:
    interp = interp_api.create()
    interp.prepare_main(**names)
    if opening:
        interp.exec(opening)
    yield interp
    interp.close()


def run_together(*parts: tuple[interp_api.Interpreter, str]) -> list[threading.Thread]:
    threads = [threading.Thread(target=interp.exec, args=(code,)) for interp, code in parts]
    for thread in threads:
        thread.start()
    return threads


def pass_messages(benchmark, kind: str, queue, producers: int, consumers: int) -> None:
    """Pass MESSAGES; with no consumers, this interpreter takes them."""
    with ExitStack() as stack:

        def interpreters(number: int) -> list[interp_api.Interpreter]:
            names = {"queue": sent(queue), "count": MESSAGES // max(number, 1)}
            return [stack.enter_context(prepared(OPEN[kind], **names)) for _ in range(number)]

        parts = [(interp, PRODUCE) for interp in interpreters(producers)]
        parts += [(interp, CONSUME) for interp in interpreters(consumers)]

        def pass_all() -> None:
            threads = run_together(*parts)
            if not consumers:
                for _ in range(MESSAGES):
                    queue.get()
            for thread in threads:
                thread.join()

        benchmark.extra_info["messages"] = MESSAGES
        benchmark(pass_all)


def test_seq(benchmark, kind: str):
    queue = make(kind)

    def fill_and_empty() -> None:
        for number in range(MESSAGES):
            queue.put(number)
        for _ in range(MESSAGES):
            queue.get()

    benchmark.extra_info["messages"] = MESSAGES
    benchmark(fill_and_empty)


def test_seq_of_lists(benchmark):
    queue = interp_api.create_queue()

    def put_and_get() -> None:
        queue.put([1, 2])
        queue.get()

    benchmark(put_and_get)


def test_spsc(benchmark, kind: str):
    pass_messages(benchmark, kind, make(kind), producers=1, consumers=0)


def test_mpsc(benchmark, kind: str):
    pass_messages(benchmark, kind, make(kind), producers=2, consumers=0)


def test_mpmc(benchmark, kind: str):
    pass_messages(benchmark, kind, make(kind), producers=2, consumers=2)


@pytest.mark.parametrize("maxsize", [1, 100])
def test_bounded_spsc(benchmark, maxsize: int):
    pass_messages(benchmark, "Queue", interp_api.create_queue(maxsize), producers=1, consumers=0)


@pytest.mark.parametrize("maxsize", [1, 100])
def test_bounded_mpmc(benchmark, maxsize: int):
    pass_messages(benchmark, "Queue", interp_api.create_queue(maxsize), producers=2, consumers=2)


@pytest.mark.parametrize("spin", [0.0, 50e-6])
def test_ping_pong_of_pool_queues(benchmark, spin: float):
    there, back = interp_api.PoolQueue(), interp_api.PoolQueue()

    def ping() -> None:
        there.put(1)
        back.get(spin=spin)

    with prepared("", there=there.id, back=back.id, spin=spin) as interp:
        threads = run_together((interp, ECHO))
        benchmark(ping)
        there.put(None)
        threads[0].join()


def test_ping_pong_of_queues(benchmark):
    there, back = interp_api.create_queue(), interp_api.create_queue()

    def ping() -> None:
        there.put(1)
        back.get()

    with prepared("", there=there, back=back) as interp:
        threads = run_together((interp, ECHO_QUEUE))
        benchmark(ping)
        there.put(None)
        threads[0].join()
