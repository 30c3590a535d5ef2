"""multiprocessing's own objects on their way to another interpreter: locks, events, values, queues.

They are pickled only while a process is being spawned, for its child alone can use them. An interpreter of the same
process can as well: what has a name is opened by that, and a descriptor is duplicated (`_pickling.descriptors`). So
they are told that one is being spawned. Imported when one of them has refused.

What was made in a context that forks has no name.
"""

import os
import sys
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from weakref import finalize

from interp_api._pickling.descriptors import duplicate_received, keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

_NAMELESS = "created in a fork context"  # what multiprocessing says of it, and of a process that is not there
_NAMELESS_TEXT = (
    "what was made in a fork context of multiprocessing has no name that another interpreter could open it by: make it "
    "in multiprocessing.get_context('spawn'), or use interp_api.create_queue() for a queue"
)

_context: "Any" = sys.modules["multiprocessing.context"]
_pickler: "Any" = ForkingPickler


class _Sent:
    """A descriptor in a payload, where a child process would inherit it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def __reduce__(self) -> "tuple[Callable[..., object], tuple[int, int, int]]":
        kept = keep(self)
        assert kept is not None  # a payload is being encoded
        return receive, kept


class _Received:
    """What it is for the receiver, which takes the descriptor out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def detach(self) -> int:
        return self._descriptor


def receive(keeper: int, claim: int, descriptor: int) -> _Received:
    """Return a duplicate of the descriptor, for whom `detach` is called on it."""
    return _Received(duplicate_received(keeper, claim, descriptor))


def _reduce_arena(arena: "Any") -> "tuple[Callable[..., object], tuple[int, _Sent]]":
    return rebuild_arena, (arena.size, _Sent(arena.fd))


def rebuild_arena(size: int, received: _Received) -> object:
    """Return the memory of shared values. Its descriptor goes with it; a child would keep that until it ends."""
    from multiprocessing.heap import Arena

    kind: Any = Arena
    descriptor = received.detach()
    arena = kind(size, descriptor)
    finalize(arena, os.close, descriptor)
    return arena


class _Child:
    """What multiprocessing takes for the process that is being spawned."""

    DupFd = _Sent

    def duplicate_for_child(self, descriptor: int) -> int:
        return descriptor


@contextmanager
def inheriting() -> "Generator[dict[type, Callable[[Any], Any]]]":
    """Let objects be pickled that only a child could use; give the reducers that multiprocessing has for such."""
    before = _context.get_spawning_popen()
    _context.set_spawning_popen(_Child())
    try:
        reducers = dict(_pickler._extra_reducers)
        heap: Any = sys.modules.get("multiprocessing.heap")
        if heap is not None and sys.platform != "win32":  # where it has a name
            reducers[heap.Arena] = _reduce_arena
        yield reducers
    except RuntimeError as exc:
        if _NAMELESS not in str(exc):
            raise
        raise RuntimeError(_NAMELESS_TEXT) from exc
    finally:
        _context.set_spawning_popen(before)
