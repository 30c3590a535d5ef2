"""What every thread and every task of this process is doing, as text.

Owns the words. A thread of the main interpreter is looked at where it is; a task is where its worker says.
"""

import sys
import threading
from traceback import format_stack

from interp_pool._wire.places import describe_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from interp_pool._seeing.shapes import PoolShape


def describe_stacks(pools: "Iterable[PoolShape]") -> str:
    """Return the calls of all threads of this interpreter, and those of all tasks in others."""
    return "\n\n".join([*_threads(), *(text for pool in pools for text in _tasks(pool))])


def _threads() -> list[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    return [
        f"Thread {names.get(ident, 'without a name')} ({ident}). Its calls, the innermost last:\n"
        f"{''.join(format_stack(frame)).rstrip()}"
        for ident, frame in sys._current_frames().items()  # pyright: ignore[reportPrivateUsage]  # documented
        if ident != own
    ]


def _tasks(pool: "PoolShape") -> list[str]:
    return [
        f"{worker['name']}, {task['name']}. {describe_place(task['phrase'], task['places'])}"
        for worker in pool["workers"]
        if (task := worker["task"]) is not None
    ]
