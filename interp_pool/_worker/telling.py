"""What a task tells its pool while it runs, and what watches tasks; runs INSIDE a worker, or wherever a task does.

Owns the way out: a message TOLD among the worker's results, so what is told is heard (`_pool.hearing`) before the
future of its task is done, in the order of each worker. A watch is a module that is begun before the first task of a
worker, the initializer included, and ended after the last. This file is loaded only where something is told or watched.
"""

import sys
from _thread import get_ident

from interp_pool._wire.messages import BURIED, BURIED_COUNT, TASK, TOLD
from interp_pool._worker.parent import way_to_pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType
    from typing import Any

    from interp_pool._wire.messages import Watch

    type Teller = tuple[Callable[[object], None], Any, int]  # what takes messages, the board, the worker's id

ALL = 0
"""In the place of a thread: this interpreter is one worker's alone."""

_tellers: "dict[int, Teller]" = {}  # by thread
_watching: "list[ModuleType]" = []


def tell(topic: str, body: object) -> bool:
    """Tell the pool something, as the task that runs here now; return whether there is a pool.

    Args:
        topic: what kind of thing; without a hearer for it nothing comes of the message.
        body: None, numbers, texts, bytes, and tuples of these; whole numbers of 64 bits.

    Never blocks. Thread safety: yes, also in threads that tasks have started.
    """
    found = teller_here()
    if found is None:
        return False
    _, teller = found
    tell_as(teller, max(teller[1][TASK], 0), topic, body)
    return True


def tell_as(teller: "Teller", work_id: int, topic: str, body: object) -> None:
    """Tell something as a task whose outcome has not been put, or as none, which is 0. See `tell`."""
    put, board, worker_id = teller
    below = tuple(board[BURIED : BURIED + board[BURIED_COUNT]])
    put((TOLD, work_id, (topic, worker_id, below, body), 0.0))


def teller_here() -> "tuple[int, Teller] | None":
    """Return the way to the pool whose task runs in this thread, behind the thread or ALL; None if there is none."""
    thread = get_ident()
    teller = _tellers.get(thread)
    if teller is not None:
        return thread, teller
    teller = _tellers.get(ALL) or _own()
    return None if teller is None else (ALL, teller)


def _own() -> "Teller | None":
    way = way_to_pool()
    return None if way is None else (way[0].put, way[2], way[1])


class ToldBy:
    """Has `tell` find its way, in a `with` block, while tasks run outside of a worker interpreter."""

    __slots__ = ("_teller", "_thread")

    def __init__(self, put: "Callable[[object], None]", board: "Any", worker_id: int, thread: int = ALL) -> None:
        """Prepare.

        Args:
            put: takes messages.
            board: shows the work id.
            worker_id: of the worker.
            thread: its id, if others in this interpreter are others' workers.
        """
        self._teller, self._thread = (put, board, worker_id), thread

    def __enter__(self) -> None:
        _tellers[self._thread] = self._teller

    def __exit__(self, *_: object) -> None:
        del _tellers[self._thread]


def begin(watches: "Iterable[Watch]") -> None:
    """Begin to watch the tasks of a worker."""
    for name, argument in watches:
        __import__(name)
        module: Any = sys.modules[name]
        if module not in _watching:
            _watching.append(module)
        module.begin(argument)


def end() -> None:
    """End it, in a worker interpreter that has run its last task."""
    while _watching:
        _watching.pop().end()
