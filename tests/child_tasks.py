"""Tasks that ask multiprocessing about their process."""

from __future__ import annotations

import os
import sys


def current():
    """Tell what a child process knows of itself and its parent."""
    from multiprocessing import current_process, parent_process

    own, parent = current_process(), parent_process()
    if parent is None:
        return own.name, own._identity, None
    return own.name, own._identity, parent.name, parent.pid, parent.is_alive(), own.pid or os.getpid()


def authkey():
    from multiprocessing import current_process

    return bytes(current_process().authkey)


def process_name_of_a_record():
    import logging
    import multiprocessing  # noqa: F401  # which is when a record has its name

    return logging.getLogger("of a task").makeRecord("of a task", logging.INFO, "", 0, "", (), None).processName


def join_parent(timeout):
    from multiprocessing import parent_process

    parent_process().join(timeout)
    return parent_process().is_alive()


def has_process_module():
    return "multiprocessing.process" in sys.modules


def nest_processes(method):
    """Have a process pool of the standard library's compute."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context(method)) as executor:
        return executor.submit(pow, 3, 2).result(60)


def nest_pool(kind):
    """Have a pool of multiprocessing compute: of threads, or of processes that are spawned."""
    import threading
    from multiprocessing import get_context
    from multiprocessing.pool import ThreadPool

    before = {*threading.enumerate(), threading.current_thread()}
    with ThreadPool(2) if kind == "threads" else get_context("spawn").Pool(1) as pool:
        results = pool.map(abs, [-1, -2])
    pool.join()
    return results, {*threading.enumerate()} - before


def feed_a_queue():
    """Use a queue of multiprocessing, whose thread ends with it."""
    import threading
    from multiprocessing import get_context

    before = {*threading.enumerate(), threading.current_thread()}
    queue = get_context("spawn").Queue()
    queue.put("item")
    found = queue.get(timeout=60)
    queue.close()
    queue.join_thread()
    return found, {*threading.enumerate()} - before


def use_proxies(queue, numbers):
    queue.put("from a worker")
    numbers["one"] = 1


def ignore_ctrl_c():
    """What an initializer of a process pool usually does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def set_signals():
    """Try what `signal.signal` takes; return what it returned, or the text of its error."""
    import signal

    found = []
    for number, handler in (
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGUSR1, signal.SIG_IGN),
        (signal.SIGUSR1, print),
        (1000, signal.SIG_IGN),
    ):
        try:
            found.append(str(signal.signal(number, handler)))
        except ValueError as exc:
            found.append(str(exc))
    return found
