"""The floor: what two interpreters cost each other with no executor around them.

This file owns these measurements, which tell how much of a round trip is the system's and how much the executor's. It
must not know executors, and uses the public names of `interp_api` alone.
"""

import os
import pickle
import statistics
import sys
import threading
import time
from collections.abc import Callable

import interp_api

__all__ = ["event_ping_pong", "obstacle", "task_there_and_back"]

_SPIN = 50e-6  # seconds to look at an empty queue before sleeping: about what a wake-up takes
_ONE = (1).to_bytes(8, sys.byteorder)
_WARM_UP = 100  # round trips not counted

_ANSWER_EVENTS = """
import os
for _ in range(count):
    os.read(there, 8)
    os.write(back, one)
"""
_RUN_TASKS = """
from pickle import dumps, loads
from interp_api import PoolQueue
calls, results = PoolQueue(calls), PoolQueue(results)
for _ in range(count):
    function, args = loads(calls.get(spin=spin))
    results.put(dumps(function(*args), 5))
"""


def obstacle() -> str | None:
    """Return why the floor cannot be measured here, one line; None when it can."""
    return None if sys.platform == "linux" else "the floor is measured with eventfd, which only Linux has"


def event_ping_pong(count: int) -> float:
    """Return the microseconds of waking another interpreter's thread through an eventfd and being woken back, median.

    Args:
        count: How many round trips to measure.
    """
    there, back = _event(), _event()

    def ping() -> None:
        os.write(there, _ONE)
        os.read(back, 8)

    try:
        return _against(_ANSWER_EVENTS, ping, count, there=there, back=back, one=_ONE)
    finally:
        os.close(there)
        os.close(back)


def task_there_and_back(count: int, *, is_spinning: bool) -> float:
    """Return the microseconds of a pickled task sent to another interpreter and its pickled result back, median.

    Args:
        count: How many round trips to measure.
        is_spinning: Whether both sides look about 50 us long before they sleep; else they sleep at once.
    """
    spin = _SPIN if is_spinning else 0.0
    calls, results = interp_api.PoolQueue(), interp_api.PoolQueue()

    def call() -> None:
        calls.put(pickle.dumps((abs, (-1,)), 5))
        result = results.get(spin=spin)
        assert isinstance(result, bytes)
        pickle.loads(result)

    return _against(_RUN_TASKS, call, count, calls=calls.id, results=results.id, spin=spin)


def _event() -> int:
    """Open an eventfd; where there is none, as `obstacle` tells beforehand, return a descriptor that is none."""
    descriptor = -1
    if sys.platform == "linux":
        descriptor = os.eventfd(0)
    return descriptor


def _against(code: str, once: Callable[[], None], count: int, **names: object) -> float:
    """Time `once` while another interpreter runs the code."""
    interp = interp_api.create()
    interp.prepare_main(**names, count=count + _WARM_UP)
    thread = threading.Thread(target=interp.exec, args=(code,), daemon=True)
    thread.start()
    times: list[float] = []
    for _ in range(count + _WARM_UP):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    thread.join()
    interp.close()
    return 1e6 * statistics.median(times[_WARM_UP:])
