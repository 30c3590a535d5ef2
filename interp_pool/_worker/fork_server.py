"""multiprocessing's fork server that a task has started; runs INSIDE.

It is a process that ends when this one does. A worker's is of use to nobody once its interpreter is closed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_PRIORITY = -50  # after the pools that use the server, and before the folder where its socket is, at -100


def prepare(module: "Any") -> None:
    """Let the server end with the interpreter."""
    module.util.Finalize(None, module._forkserver._stop, exitpriority=_PRIORITY)
