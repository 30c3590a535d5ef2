"""multiprocessing's fork server that a task has started; runs INSIDE.

It is a process that ends when this one does. A worker's is of use to nobody once its interpreter is closed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(module: "Any") -> None:
    """Let the server end with the interpreter."""
    import atexit

    atexit.register(module._forkserver._stop)
