"""The module `_tracemalloc` in a worker, where the runtime's own refuses to be loaded. Runs INSIDE.

Owns what stands in for it: `tracemalloc` can be imported, and says that it does not trace; many modules only ask. To
start it is an error: it traces the main interpreter alone, and on CPython 3.13 and 3.14 the process would crash.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(module: "Any") -> None:
    """Give a new module what `tracemalloc` uses of it."""
    module.start = start
    nothing: dict[str, Any] = {
        "is_tracing": False,
        "get_traceback_limit": 1,
        "get_traced_memory": (0, 0),
        "get_tracemalloc_memory": 0,
        "_get_traces": (),
        "_get_object_traceback": None,
        "clear_traces": None,
        "reset_peak": None,
        "stop": None,
    }
    for name, value in nothing.items():
        setattr(module, name, _returning(name, value))


def start(_: int = 1, /) -> None:
    """Refuse.

    Raises:
        RuntimeError: always.
    """
    from interp_pool._wire.refused import NO_TRACING

    raise RuntimeError(NO_TRACING)


def _returning(name: str, value: object) -> "Any":
    def call(*_: object) -> object:
        return value

    call.__name__ = call.__qualname__ = name
    return call
