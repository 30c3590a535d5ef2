"""`breakpoint()` and `pdb` in a worker, where nobody can type: an error that says what to do instead. Runs INSIDE.

The standard input of a worker is empty, so the debugger would read its end and quit, with an error that tells nothing.
Whoever gives the debugger another input, or commands, or sets PYTHONBREAKPOINT, gets what that asks for.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any


def prepare(module: "Any") -> None:
    """Have the module `pdb` refuse to read the standard input of a worker."""
    pdb: Any = module.Pdb
    set_trace, interaction = pdb.set_trace, pdb.interaction

    def refusing_set_trace(self: "Any", frame: "FrameType | None" = None, **commands: "Any") -> None:
        frame = frame or sys._getframe().f_back  # pyright: ignore[reportPrivateUsage]  # as pdb does
        if not commands.get("commands"):
            _check_input(self, frame)
        set_trace(self, frame, **commands)

    def refusing_interaction(self: "Any", frame: "FrameType | None", what: "Any") -> None:
        if frame is None:  # post mortem; otherwise `set_trace` has come before
            _check_input(self, sys._getframe().f_back)  # pyright: ignore[reportPrivateUsage]  # as above
        interaction(self, frame, what)

    pdb.set_trace, pdb.interaction = refusing_set_trace, refusing_interaction
    for name in ("run", "runeval", "runcall"):
        setattr(pdb, name, _refusing(getattr(pdb, name)))


def _refusing(method: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return a method of a debugger that begins with a question."""

    def refusing(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        _check_input(self, sys._getframe().f_back)  # pyright: ignore[reportPrivateUsage]  # as above
        return method(self, *args, **kwargs)

    return refusing


def _check_input(debugger: "Any", frame: "FrameType | None") -> None:
    """Check that a debugger does not read the standard input that a worker has from its start.

    Raises:
        RuntimeError: it does.
    """
    if (sys.stdin if debugger.use_rawinput else debugger.stdin) is not sys.__stdin__:
        return
    route = _route_of_task(frame)
    raise RuntimeError(
        "breakpoint() or pdb in a task has nobody to ask, for a worker has no standard input: call the function in the "
        f'program itself, or have it run on a thread of the program, with fallback="thread" and route=["{route}"]; or '
        "set PYTHONBREAKPOINT, to a debugger that works over a connection, or to 0 to go on"
    )


def _route_of_task(frame: "FrameType | None") -> str:
    """Return what the route of a pool calls the task that a frame is in; in a thread of the task nobody knows."""
    route = ""
    while frame is not None and not (module := str(frame.f_globals.get("__name__"))).startswith("interp_pool."):
        route = f"{module.replace('__mp_main__', '__main__')}:{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "module:function" if frame is None else route
