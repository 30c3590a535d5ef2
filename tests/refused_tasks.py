"""Functions for workers that need a module that cannot be loaded there. The file itself can be."""

from __future__ import annotations

import sys


def plain():
    import _curses

    return _curses


def by_name(module):
    import importlib

    return importlib.import_module(module)


def behind_another_error():
    try:
        import _curses  # noqa: F401
    except ImportError as exc:
        raise RuntimeError("no backend") from exc


def behind_exit():
    try:
        import _curses  # noqa: F401
    except ImportError:
        sys.exit("please install it")


def handled():
    try:
        import _curses  # noqa: F401
    except ImportError:
        return "done without"


def plain_at(number):
    return plain() if number == 3 else number


class NeededByResult:
    def __reduce__(self):
        plain()
        return int, ()


def result():
    return NeededByResult()


def import_all(*modules):
    for module in modules:
        by_name(module)


def import_at(module, number):
    return by_name(module) and number


def import_and_fail(package, module):
    by_name(package)
    by_name(module)


def handled_by_name(module):
    try:
        by_name(module)
    except ImportError:
        return "done without"
