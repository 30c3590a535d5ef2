"""What a message between interpreters costs: there and back, and without waiting."""

from __future__ import annotations

import threading

import pytest

import interp_api

ECHO = """
from interp_api import SimpleQueue
there, back = SimpleQueue({there}), SimpleQueue({back})
while (item := there.get(spin={spin})) is not None:
    back.put(item)
"""


@pytest.mark.parametrize("spin", [0, 50])
def test_ping_pong_between_interpreters(benchmark, spin: int):
    there, back = interp_api.SimpleQueue(), interp_api.SimpleQueue()
    interp = interp_api.create()
    echo = threading.Thread(target=interp.exec, args=(ECHO.format(there=there.id, back=back.id, spin=spin),))
    echo.start()

    def ping() -> None:
        there.put(1)
        back.get(spin=spin)

    benchmark(ping)
    there.put(None)
    echo.join()
    interp.close()


def test_put_and_get_of_int(benchmark):
    queue = interp_api.create_queue()

    def put_and_get() -> None:
        queue.put(1)
        queue.get()

    benchmark(put_and_get)


def test_put_and_get_of_list(benchmark):
    queue = interp_api.create_queue()

    def put_and_get() -> None:
        queue.put([1, 2])
        queue.get()

    benchmark(put_and_get)
