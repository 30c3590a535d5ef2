"""An interrupt that ends a cell of IPython, wherever in the cell it struck.

The workers of a process pool get the signal themselves. Interpreters do not: a pool sees the KeyboardInterrupt where
its own code waits, at the end of a `with` block, and at the exit of the program. A notebook has no exit, and its cells
wait elsewhere too, in `as_completed` or `time.sleep`. So IPython is asked, which tells after each cell how it ended.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_watching: "list[Callable[[], object]]" = []


def watch_cells(stop: "Callable[[], object]") -> None:
    """Have a function called after each cell that an interrupt has ended; without IPython do nothing.

    Args:
        stop: the same each time, so that it is called once.
    """
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or stop in _watching:
        return

    def look(result: "Any") -> None:
        if isinstance(getattr(result, "error_in_exec", None), KeyboardInterrupt):
            stop()

    shell.events.register("post_run_cell", look)
    _watching.append(stop)
