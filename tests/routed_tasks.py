"""Functions of a module that no worker interpreter can load: they run in the fallback."""

from __future__ import annotations

import _curses
import os
import threading

assert _curses  # which refuses

initialized = []  # by whom
events = {}  # of threads, by name
READY = "ready"


class Event(threading.Event):
    """One that both the program and a task on a thread of it find by its name."""

    def __new__(cls, name):
        return events[name] if name in events else super().__new__(cls)

    def __init__(self, name):
        if name not in events:
            super().__init__()
            events[name] = self


class Argument:
    """An argument that only the fallback can unpickle."""

    def __init__(self, value):
        self.value = value


def place():
    """Return the process, and whether this is its main interpreter."""
    import _interpreters

    return os.getpid(), _interpreters.get_current()[0] == 0


def where(item):
    return item, *place()


def fail(item=None):
    raise ValueError(f"the task's own: {item}")


def fail_on_three(item):
    if item == 3:
        fail(item)
    return item


def crash():
    os._exit(3)


def initialize(what):
    initialized.append(what)


def what_was_initialized():
    return initialized


def tell(started):
    """Say through a FIFO that the task runs."""
    with open(started, "w") as file:
        file.write(READY)


def hold(started, go):
    """Say through a FIFO that the task runs, and wait for the other one."""
    tell(started)
    with open(go) as file:
        return file.read()


def hold_thread(name):
    """Say that the task runs, and wait to be let through."""
    Event(f"{name} started").set()
    assert Event(f"{name} go").wait(60)
    return name


def echo(obj):
    return obj


def make(size):
    return bytes(size), bytearray(size)


def spin(started=None):
    if started is not None:
        tell(started)
    while True:
        pass


def once(path):
    """Initialize the first time."""
    if os.path.exists(path):
        raise ValueError("the second time")
    touch(path)


def touch(path):
    with open(path, "w"):
        pass
