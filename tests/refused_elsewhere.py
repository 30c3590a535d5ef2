"""Functions that can be loaded anywhere, and that need the main interpreter: at once, in their body, or not at all."""

from __future__ import annotations

import functools
import os


def imports_in_its_body(item=None):
    import _curses

    assert _curses
    return os.getpid()


def sets_a_handler():
    import signal

    signal.signal(signal.SIGTERM, lambda *_: None)


def value_of(argument):
    return argument.value


def pid(item=None):
    return os.getpid()


class Called:
    def __call__(self):
        return imports_in_its_body()


class Made:
    def __init__(self):
        imports_in_its_body()


def _decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        import _curses

        assert _curses
        return function(*args)

    return wrapper


@_decorated
def decorated():
    return os.getpid()
