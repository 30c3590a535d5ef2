"""What programs find in the private lists of a process pool's workers, which are one process here."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class ListedWorker:
    """A worker as such a list has it. Its process is the program's; to end one of them is to end the pool."""

    exitcode = None

    def __init__(self, number: int, terminate: "Callable[[], object]") -> None:
        """Make the entry of a worker.

        Args:
            number: from 1.
            terminate: stops all tasks of its pool.
        """
        self.name = f"InterpreterPoolWorker-{number}"
        self.pid = os.getpid()
        self._terminate = terminate

    def __repr__(self) -> str:
        return f"<{self.name} in this process>"

    def is_alive(self) -> bool:
        """Whether it has not ended. As long as there is a pool, another one takes its place."""
        return True

    def terminate(self) -> None:
        """Stop the pool, as it breaks when a process of it ends. Never blocks."""
        self._terminate()

    kill = terminate
