"""multiprocessing's current process in a worker, which is what it would be in a child of the program. Runs INSIDE.

Programs ask whether they are in a worker, which one it is, and for the key that managers and connections want. There is
no process of its own: the process id is the program's.
"""

import os

from interp_pool._worker.parent import AUTHKEY, ask, worker_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(module: "Any") -> None:
    """Let `multiprocessing.process` tell of a child; if it does so already, of the worker that this is now."""
    number = worker_number()
    if number is None:
        return
    current = module._current_process
    if module._parent_process is None:
        key = ask(AUTHKEY)
        current._config["authkey"] = module.AuthenticationString(key)
        current._parent_pid = os.getpid()
        module._parent_process = _parent(module)
    current._name, current._identity = f"InterpreterPoolWorker-{number}", (number,)


def _parent(module: "Any") -> object:
    base: Any = module._ParentProcess

    class Parent(base):  # type: ignore[misc]  # it is not imported here
        """The program, which lives as long as this interpreter does."""

        def is_alive(self) -> bool:
            return True

        def join(self, timeout: float | None = None) -> None:
            from threading import Event

            Event().wait(timeout)

    return Parent("MainProcess", os.getpid(), None)
