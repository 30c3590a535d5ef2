"""Where a task is or was, as text: the pool's side of `where()` and of the traceback of an interrupt."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from interp_pool._wire.messages import Place

# A task begins below their innermost call.
_OWN = tuple(f"/interp_pool/_worker/{name}.py" for name in ("loop", "running", "carried", "profiling"))


def format_places(places: "Iterable[Place]") -> str:
    """Return lines as in a traceback, with the source where it can be read."""
    places = [*places]
    try:
        from traceback import FrameSummary, StackSummary

        return "".join(StackSummary.from_list([FrameSummary(*place) for place in places]).format())
    except (ImportError, OSError):  # no descriptor is free to read what that imports
        return "".join(f'  File "{file}", line {line}, in {function}\n' for file, line, function in places)


def name_place(places: "list[Place]") -> str:
    """Return the innermost line of a task that is none of the standard library's, in a few words; "" for none."""
    library = os.path.dirname(os.__file__)
    for file, line, function in reversed(calls_of_task(places)):
        if not file.startswith("<") and (not file.startswith(library) or "site-packages" in file):
            return f"at {file}:{line} in {function}"
    return ""


def calls_of_task(places: "list[Place]") -> "list[Place]":
    """Return the calls that a task is in, without those of the worker."""
    own = [number for number, (file, *_) in enumerate(places, 1) if file.replace("\\", "/").endswith(_OWN)]
    return places[max(own, default=0) :]


def describe_place(phrase: str, places: "list[Place]") -> str:
    """Return a phrase about a task and the calls it is in, without those of the worker."""
    calls = calls_of_task(places)
    if not calls:
        return f"The task {phrase}."
    return f"The task {phrase}. Its calls, the innermost last:\n{format_places(calls).rstrip()}"
