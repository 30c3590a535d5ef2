"""Warning filters as what crosses to a worker, which may lack the category of one.

Owns their form: `_worker.surroundings` makes filters of it again. It must not know why they are sent.
"""

import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def current_filters() -> "list[Any]":
    """Return the warning filters of this thread; categories that are not built in by module and name."""
    own: Any = warnings
    # The context's, where the interpreter has filters in it (CPython 3.14, -X context_aware_warnings).
    filters: list[Any] = own._get_filters() if hasattr(own, "_get_filters") else own.filters
    return [(action, message, _reference(category), *rest) for action, message, category, *rest in [*filters]]


def _reference(category: "Any") -> object:
    return category if category.__module__ == "builtins" else (category.__module__, category.__qualname__)
