"""Exceptions that are hard to send, and functions that raise them in workers."""

from __future__ import annotations

from tasks import raise_in_unpickling


class TwoArguments(Exception):
    """Its constructor cannot be called with `args` again."""

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")
        self.left, self.right = left, right


class Renames(Exception):
    """Its constructor makes something else of `args` each time."""

    def __init__(self, name):
        super().__init__(f"no {name}")


class WithAttribute(Exception):
    """Carries what the test says."""


class ForgetsNotes(Exception):
    """Its own reduce method leaves its state out."""

    def __reduce__(self):
        return type(self), self.args


class ReducesToInt(Exception):
    """Unpickling it gives no exception."""

    def __reduce__(self):
        return int, ()


class BadText(Exception):
    """Its own text cannot be made."""

    def __str__(self):
        raise ValueError("no text")


class ExitsWhenPickled:
    """Ends the interpreter when it is pickled, if it could."""

    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        raise self.kind("while pickling")


class ExitsWhenUnpickled:
    """Raises something when it is unpickled."""

    def __init__(self, kind, text="while unpickling"):
        self.kind, self.text = kind, text

    def __reduce__(self):
        return raise_in_unpickling, (self.kind, self.text)


def fail_with_note():
    exc = ForgetsNotes("forgets")
    exc.add_note("but this is kept")
    raise exc


def fail_from():
    try:
        raise KeyError("inner")
    except KeyError as exc:
        raise ValueError("outer") from exc


def fail_with_local_class():
    class LocalError(Exception):
        pass

    raise LocalError("of a local class")


def fail_with_unpicklable_attribute():
    import threading

    exc = WithAttribute("has a lock")
    exc.lock = threading.Lock()
    exc.number = 5
    raise exc


def fail_with_unpicklable_argument():
    raise WithAttribute(lambda: None, 7)


def recurse():
    return recurse()


def make_exits_when_pickled(kind):
    return ExitsWhenPickled(kind)


def make_exits_when_unpickled(kind):
    return ExitsWhenUnpickled(kind)


def fail_as_import(text):
    raise ImportError(text)


class FileGone(OSError):
    """Sets the fields of OSError from one argument of its own."""

    def __init__(self, path):
        super().__init__(2, "gone", path)
        self.path = path


class BadImport(ImportError):
    """Sets the fields of ImportError from two arguments of its own."""

    def __init__(self, text, name):
        super().__init__(text, name=name, path="/nowhere")


class BadBytes(UnicodeDecodeError):
    """Sets the fields of UnicodeDecodeError from one argument of its own."""

    def __init__(self, data):
        super().__init__("utf-8", data, 0, 1, "bad")


class Quit(SystemExit):
    """Sets the exit status from two arguments of its own."""

    def __init__(self, status, why):
        super().__init__(status)
        self.why = why


class Several(ExceptionGroup):
    """A group with an argument more."""

    def __new__(cls, text, exceptions, extra):
        self = super().__new__(cls, text, exceptions)
        self.extra = extra
        return self

    def __init__(self, text, exceptions, extra):
        super().__init__(text, exceptions)


class FrozenError(Exception):
    """As a frozen dataclass is."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


class ClosedError(Exception):
    def __getattr__(self, name):
        raise ValueError(name)

    def __setattr__(self, name, value):
        raise ValueError(name)


class WordlessError(ImportError):
    def __str__(self):
        raise ValueError("no")


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def make_frozen_error():
    return FrozenError(3)


def make_error_with_wrong_notes():
    error = ValueError("x")
    error.__notes__ = 5
    return error


def make_error_without_attributes():
    return ClosedError("x")


def make_refusal_without_text():
    return WordlessError("module does not support loading in subinterpreters")


def make_error_with_cyclic_argument():
    items = []
    items.append(items)
    return UnpicklableError(items, 1)


def make_error_with_deep_argument():
    items = []
    for _ in range(100_000):
        items = [items]
    return UnpicklableError(items, 1)


ODD = [
    make_frozen_error,
    make_error_with_wrong_notes,
    make_error_without_attributes,
    make_refusal_without_text,
    make_error_with_cyclic_argument,
    make_error_with_deep_argument,
]


def raise_made(make):
    raise make()


def raise_made_at(make, item):
    if item == 5:
        raise make()
    return item


class RaisesWhenPickled:
    def __init__(self, make):
        self.make = make

    def __reduce__(self):
        raise self.make()


class RaisesWhenUnpickled:
    def __reduce__(self):
        return raise_made, (make_frozen_error,)


def make_raises_when_unpickled():
    return RaisesWhenUnpickled()
