"""Tasks that are measured by a profiler, and what is called in them."""

import cProfile
import sys
import threading

from interp_pool import current_executor


def step(n):
    return n + 1


def work(n):
    return sum(map(step, range(n)))


def item(n):
    return step(n)


def pair(a, b):
    return step(a) + b


def fail(text):
    step(0)
    raise ValueError(text)


def fail_at(n, bad):
    step(n)
    if n == bad:
        raise ValueError(n)


def spin(started):
    step(0)
    started.put(1)
    while True:
        pass


def profiler():
    """Return which profiler is active."""
    return sys.monitoring.get_tool(sys.monitoring.PROFILER_ID)


def start_another():
    cProfile.Profile().enable()


def measured_child(file, n):
    return current_executor().options(profile=file).submit(work, n).result()


def measured_children(file, count):
    executor = current_executor().options(profile=file, name="child")
    return sum(executor.map(step, range(count))) + executor.submit(step, 0).result()


def plain_child(n):
    return current_executor().submit(work, n).result()


def wait(started, gate):
    started.put(None)
    gate.get(timeout=60)


def work_beside_a_thread(_):
    thread = threading.Thread(target=work, args=(1000,))
    thread.start()
    work(1000)
    thread.join()


def thread_names(_=None):
    """Return what Python and Linux call this thread."""
    with open("/proc/thread-self/comm", encoding="utf-8") as file:
        return threading.current_thread().name, file.read().strip()
