"""Variables that worker interpreters have in their own `os.environ`, beside those of the program.

Owns what was added, for the whole process. It reaches no child process, neither the program's nor a task's: a worker's
mapping alone has it, from its start, before anything of the program is loaded there.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_added: "dict[Any, Any]" = {}  # encoded, as `os.environ` keeps them


def add_variable(name: str, value: str) -> None:
    """Have workers that start from now on see a variable, whatever it is in the program. Thread safety: yes."""
    environ: Any = os.environ
    _added[environ.encodekey(name)] = environ.encodevalue(value)


def worker_environment() -> "dict[Any, Any]":
    """Return a copy of the mapping behind `os.environ`, with what was added."""
    environ: Any = os.environ
    environment: dict[Any, Any] = environ._data.copy()  # one C call: other threads may change it
    environment.update(_added)
    return environment
