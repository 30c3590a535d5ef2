"""What to do about an error that a task has because it runs in a worker: a note, where the runtime's text has none.

Owns by which texts such an error is known, and the words. That the task may run in a process is `_wire.refused`'s to
say. Only the pool's interpreter loads this.
"""

import sys

from interp_pool._wire.refused import NO_DAEMONS, NO_EXEC, NO_FORK, NO_PREEXEC, NO_SIGNALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._wire.messages import Failure

_HINTS = {
    NO_PREEXEC: "a worker cannot run Python between fork and exec: use subprocess's start_new_session, process_group, "
    "user, group, extra_groups or umask instead",
    NO_FORK: "a worker cannot fork: use subprocess, os.posix_spawn or multiprocessing.get_context('spawn')",
    NO_EXEC: "a worker is no process that could be replaced: use subprocess",
    NO_DAEMONS: "a worker waits for its threads when it ends: start it with daemon=False, and end it",
    NO_SIGNALS: "a worker has no signal handlers: for a time limit use executor.options(timeout=...), and set other "
    "handlers in the program",
}


def hint_for(failure: "Failure") -> str | None:
    """Return what to do about a failure; None if nothing is known."""
    name, module, msg, places = failure[2], failure[4], failure[5], failure[7]
    text = places if isinstance(places, str) else msg  # an exception that another one came from, too
    for known, hint in _HINTS.items():
        if known in text:
            return hint
    if module == "builtins" and name in ("NameError", "UnboundLocalError"):
        return _hint_for_name(msg, places)
    return None


def _hint_for_name(msg: str, places: "str | tuple[tuple[str, int, str], ...]") -> str | None:
    """Return what to do about a name that the program's main module has, and the worker's has not."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    parts = msg.split("'")
    if file is None or len(parts) < 3 or parts[1] not in vars(main):
        return None
    innermost = places.rpartition('File "')[2].partition('"')[0] if isinstance(places, str) else places[-1][0]
    if not file.endswith(innermost) and not innermost.endswith(file):
        return None
    return (
        f"{parts[1]!r} is set in the program alone, under the main module's guard or later, and workers do not inherit "
        f"it: pass it as an argument, or set it with initializer= and initargs="
    )
