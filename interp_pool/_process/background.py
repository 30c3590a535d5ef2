"""Threads that belong to the process and not to a pool, so that `with` blocks leave no thread behind.

Owns how they are started: the runtime waits for them at exit, as for any other that is no daemon, but `threading` does
not list them. A test that compares `threading.enumerate()` before and after a `with` block, as the leak checks of
pytest's plugins do, sees none; they are the process's, like the interpreters they take care of, and end with these.
Where the system shows names of threads (CPython 3.14), they are called `interp_pool ...`, as the timer's is.
"""

import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Background(Protocol):
        """A thread that was started."""

        def join(self, timeout: float | None = None, /) -> None:
            """Wait until it has ended."""


def start_background(function: "Callable[[], object]", name: str) -> "Background":
    """Start a thread that runs a function.

    Raises:
        RuntimeError: no more threads can be started.
    """
    set_name: Any = getattr(_thread, "set_name", None)

    def run() -> None:
        if set_name is not None:
            set_name(name)
        function()

    start: Any = _thread.start_joinable_thread
    return start(run, daemon=False)  # type: ignore[no-any-return]  # a handle
