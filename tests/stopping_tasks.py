"""Functions that a worker is told to stop, and what they do then."""

from __future__ import annotations

from tasks import spin


def fail_when_interrupted(started):
    try:
        spin(started)
    except BaseException:
        raise ValueError("no") from None


def start_threads_until_interrupted(started):
    import threading

    started.put(None)
    while True:
        thread = threading.Thread(target=threading.active_count)
        thread.start()
        thread.join()


def leave_stuck_task(reader):
    import os

    from interp_pool import InterpreterPoolExecutor

    executor = InterpreterPoolExecutor(1)
    stuck = executor.submit(os.read, reader, 1)
    while " runs in " not in stuck.where():
        pass
    stuck.interrupt(0.01)
    executor.shutdown()
    return "ended" if stuck.exception().has_stopped else "abandoned"


def spin_catching_exceptions(started):
    started.put(None)
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def spin_and_say_when_it_ends(started, ended):
    try:
        started.put(None)
        while True:
            pass
    finally:
        ended.put("finally")


def spin_and_swallow(started):
    from interp_pool import TaskInterrupted

    try:
        started.put(None)
        while True:
            pass
    except TaskInterrupted:
        return "swallowed"


def spin_and_fail_instead(started):
    from interp_pool import TaskInterrupted

    try:
        started.put(None)
        while True:
            pass
    except TaskInterrupted:
        raise ValueError("instead") from None


class SpinsWhenPickled:
    """Keeps a worker busy when its result is pickled there, for as long as nobody stops it."""

    def __init__(self, started):
        self.started = started

    def __reduce__(self):
        self.started.put(None)
        while True:
            pass


def make_spins_when_pickled(started):
    return SpinsWhenPickled(started)


def spin_while_unpickled(started):
    started.put(None)
    while True:
        pass


class SpinsWhenUnpickled:
    """Keeps a worker busy when it is unpickled there."""

    def __init__(self, started):
        self.started = started

    def __reduce__(self):
        return spin_while_unpickled, (self.started,)


class SpinsWhenFinalized:
    """Runs Python code for ever in a finalizer, until an exception comes that the runtime swallows."""

    def __init__(self, started):
        self.started = started

    def __del__(self):
        self.started.put(None)
        while True:
            pass


def spin_in_finalizer_then_in_the_task(started):
    SpinsWhenFinalized(started)
    while True:
        pass


def spin_with_the_import_lock(started):
    import _imp

    _imp.acquire_lock()
    spin(started)


def import_lock_is_held():
    import _imp

    return _imp.lock_held()


def import_package(name, started=None):
    """Import a package that spins half-way if there is a queue to tell of it."""
    import builtins
    import importlib

    builtins.started = started
    return importlib.import_module(name).names


def thread_name():
    import threading

    return threading.current_thread().name
