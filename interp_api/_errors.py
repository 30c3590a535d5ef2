"""Every exception of the package.

On 3.14 and later they are the standard library's own classes, so that `except` interoperates; on 3.13 they are built
here with the same bases. Importing this module makes the runtime raise the public classes.
"""

import sys
from queue import Empty, Full, ShutDown

from interp_api._runtime.cpython import (
    InterpreterError,
    InterpreterNotFoundError,
    QueueError,
    QueueNotFoundError,
    QueueRef,
    register_queue_types,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace

if sys.version_info >= (3, 14):
    from concurrent.interpreters import ExecutionFailed, NotShareableError, QueueEmpty, QueueFull
    from concurrent.interpreters._queues import ItemInterpreterDestroyed
else:
    import _interpreters

    class NotShareableError(_interpreters.NotShareableError, TypeError):
        """An object cannot be sent to another interpreter."""

    class ExecutionFailed(InterpreterError):
        """Code in another interpreter raised an exception that nothing caught.

        Attributes:
            excinfo: a snapshot with `type` (`__name__`, `__qualname__`, `__module__`), `msg`, `formatted` and
                `errdisplay`, the traceback as text.
        """

        def __init__(self, excinfo: "SimpleNamespace") -> None:
            super().__init__(excinfo.formatted or f"{excinfo.type.__name__}: {excinfo.msg}")
            self.excinfo = excinfo

        def __str__(self) -> str:
            text = super().__str__()
            display = getattr(self.excinfo, "errdisplay", None)
            return f"{text}\n\nUncaught in the interpreter:\n\n{display}" if display else text

    class QueueEmpty(QueueError, Empty):
        """No item arrived in time."""

    class QueueFull(QueueError, Full):
        """No slot became free in time."""

    class ItemInterpreterDestroyed(QueueError):
        """The interpreter that put the item is gone, and the item with it."""

    register_queue_types(QueueRef, QueueEmpty, QueueFull)

QueueEmptyError = QueueEmpty
QueueFullError = QueueFull

__all__ = [
    "ExecutionFailed",
    "InterpreterError",
    "InterpreterNotFoundError",
    "ItemInterpreterDestroyed",
    "NotShareableError",
    "QueueEmpty",
    "QueueEmptyError",
    "QueueError",
    "QueueFull",
    "QueueFullError",
    "QueueNotFoundError",
    "ShutDown",
]
