"""Tasks that change the interpreter they run in, and tasks that look at it."""

from __future__ import annotations

import codecs

import interp_api

STATE = "new"


def current_id():
    return interp_api.get_current().id


def change(text, *values):
    """Run statements, as an initializer or a task would."""
    exec(text, {"values": values})


def look(expression):
    """Evaluate an expression, with the modules it names."""
    return eval(expression, {"import_module": __import__("importlib").import_module})


def set_state(value):
    global STATE
    STATE = value


def state():
    return STATE


def knows_error(name):
    try:
        return codecs.lookup_error(name) is not None
    except LookupError:
        return False


def knows_codec(name):
    try:
        return codecs.lookup(name) is not None
    except LookupError:
        return False


class Marked:
    """A class of this module, of each time that it is loaded."""


def count_loaded():
    """Use a type of this module as annotations do; return how many times it is in memory."""
    import gc
    import typing

    assert typing.Optional[Marked] | typing.List[Marked]  # noqa: UP006, UP045  # these have caches
    return sum(isinstance(each, type) and each.__qualname__ == "Marked" for each in gc.get_objects())
