"""A function under `functools.lru_cache` or `cache`, by value, with an empty cache; cloudpickle leaves these out.

The function may refer to what caches it, as a recursive one does, so that is made first, around a stand-in, and the
function put in afterwards.
"""

from functools import lru_cache, update_wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CachedFunction: "type[Any]" = type(lru_cache(len))


def reduce_cached(cached: "Any") -> "tuple[object, ...]":
    """Return how to pickle a cached function."""
    return make_cached, (cached.cache_parameters(),), cached.__wrapped__, None, None, fill_cached


def make_cached(parameters: "dict[str, Any]") -> "Any":
    """Return a cached function that calls what `fill_cached` gives it."""
    functions: list[Callable[..., Any]] = []

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        return functions[0](*args, **kwargs)

    cached: Any = lru_cache(**parameters)(call)
    cached.__wrapped__ = functions
    return cached


def fill_cached(cached: "Any", function: "Callable[..., Any]") -> None:
    """Put the function in."""
    cached.__wrapped__.append(function)
    update_wrapper(cached, function)
