"""What a function is called in a list of routes: "module:function".

A worker imports this file when a task has failed.
"""

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def names_of(function: "Any") -> "Iterator[str]":
    """Yield "module:function" of whatever a callable would call, as far as that can be seen."""
    while isinstance(function, partial):
        for argument in function.args:
            if callable(argument):
                yield from names_of(argument)
        function = function.func
    named: Any = function if hasattr(function, "__qualname__") else function.__class__
    module, name = getattr(named, "__module__", None), named.__qualname__
    owner = getattr(function, "__self__", None)
    if module is None and owner is not None:  # a method of a built-in class
        module = type(owner).__module__
    yield f"{module}:{name}"
