"""Calls in a worker that change the whole program: the working directory, its standard streams, limits. Runs INSIDE.

A process of its own keeps such a change to itself; an interpreter cannot, and other tasks, or the program, would go
wrong without a word. So the pool is told before: it warns, once for each call. An initializer is refused if the
executor can move to processes, which it does then.

Owns which calls these are, and when they change something. The names in `os` lead here (`_worker.parent`).
"""

import os

from interp_pool._wire.messages import INITIALIZING, TASK
from interp_pool._worker.parent import WHOLE_PROGRAM, ask, way_to_pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_OURS = "interp_pool."


def prepare(module: "Any") -> None:
    """Have the module `resource` tell when it sets a limit."""
    original = module.setrlimit

    def setrlimit(resource: "Any", limits: "Any", /) -> None:
        if module.getrlimit(resource) != tuple(limits):
            tell("resource.setrlimit")
        original(resource, limits)

    setrlimit.__name__ = setrlimit.__qualname__ = "setrlimit"
    module.setrlimit = setrlimit


def call(name: str, original: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Any":
    """Call a function of `os`; tell the pool before, if that changes the whole program.

    Args:
        name: of the function.
        original: the runtime's.
        args: its arguments.
        kwargs: its arguments by name.

    Raises:
        RuntimeError: an initializer calls it, and the executor can move to processes.
    """
    if _changes(name, *args, **kwargs):
        tell(f"os.{name}")
    return original(*args, **kwargs)


def _changes(name: str, *args: "Any", **kwargs: "Any") -> bool:
    if name == "nice":
        return args != (0,)
    if name == "dup2":
        return (args[1] if len(args) > 1 else kwargs.get("fd2")) in (0, 1, 2)
    try:
        return not os.path.samestat(os.stat(*args, *kwargs.values()), os.stat("."))
    except (OSError, TypeError, ValueError):
        return False  # the call itself will say what is wrong


def tell(what: str) -> None:
    """Tell the pool of a call.

    Raises:
        RuntimeError: an initializer makes it, and the executor can move to processes.
    """
    way = way_to_pool()
    if way is None:
        return  # an interpreter that was lent
    is_initializer = way[2][TASK] == INITIALIZING
    if ask(f"{WHOLE_PROGRAM}{what}|{_route()}|{'initializer' if is_initializer else 'task'}"):
        from interp_pool._wire.refused import NO_CHANGES

        raise RuntimeError(f"{what}() {NO_CHANGES}")


def _route() -> str:
    """Return what the route of a pool calls the task that this is in; "" if nobody knows."""
    import sys

    frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # as inspect does
    route = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(_OURS):
            if route:
                break
        elif module.partition(".")[0] not in sys.stdlib_module_names or module == "__main__":
            route = f"{module.replace('__mp_main__', '__main__')}:{frame.f_code.co_qualname}"
        frame = frame.f_back
    return route if route.replace(":", ".").replace(".", "").isidentifier() else ""
