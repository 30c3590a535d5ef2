"""What a worker is set up with, and functions that look at it."""

from __future__ import annotations


def thread_names():
    import _thread
    import threading

    get_name = getattr(_thread, "_get_name", None)
    return threading.current_thread().name, None if get_name is None else get_name()


def search_path():
    import sys

    return sys.path


class OwnWarning(UserWarning):
    pass


def warn(category=UserWarning):
    import warnings

    warnings.warn("from a task", category, stacklevel=1)
    return "warned"


def main_names():
    import sys

    return sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__"))


def bind_in_main(name):
    import sys

    setattr(sys.modules["__main__"], name, 1)


def initialize_in_main(name, value):
    import sys

    setattr(sys.modules["__main__"], name, value)


def look_in_main(name):
    import sys

    return getattr(sys.modules["__main__"], name, None)


def exit_in_initializer():
    raise SystemExit(3)
