"""Connections and sockets on their way to another interpreter: each object has a descriptor of its own.

Owns how the objects of the standard library that are pickled by descriptor are sent: the ends of multiprocessing's
pipes, which a plain pickle sends as the bare number, and sockets, which it refuses. All interpreters of a process have
the same descriptors: with the bare number both objects would close the same one, and the second of them somebody
else's. It must not know what a payload is for.

Who owns what. The sender's object keeps its descriptor. Encoding makes a duplicate, which belongs to the payload; each
decoding makes one more, which belongs to the object that arrives. So a payload may be decoded by several interpreters,
several times or never, and the sender may close its object at once.

    keeper   a low-level queue that nobody puts anything into; the payload refers to it (`_pickling.codec`), and it
             vanishes with the last payload
    claim    a mutex: whoever holds it may duplicate the payload's descriptor, or close it and
             destroy the claim with it

An interpreter that lets go of a payload looks whether the keeper has vanished and then closes the descriptor. Where the
last payload vanishes unseen, in a queue that nobody reads any more, its sender does that when it sends the next one, or
at its exit. What an interpreter has sent and nobody has received by its end is closed then, as queue items die with it.

User code that pickles such objects itself gets what it got without this module.
"""

import atexit
import os
import sys
from _weakref import ref as weak_ref
from copyreg import pickle as register_reducer

from interp_api._runtime.cpython import (
    UNBOUND_OP_REPLACE,
    QueueError,
    QueueNotFoundError,
    queue_count,
    queue_create,
    queue_destroy,
    queue_get,
    queue_ref,
    queue_refs_released,
)
from interp_api._wakeup.channel import create_linked
from interp_api._wakeup.interpreter_mutex import holding, release_mutex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KEEPERS = 1 << 56  # what a keeper carries, for whoever lists queues; more than what a queue with a slot does

_kept: dict[int, tuple[int, int, object]] = {}  # by keeper: claim, descriptor, what tells of the end of a reference
_sent: set[int] = set()  # keepers that this interpreter made
_registered: set[str] = set()
_add_reference: "Callable[[object], bool]"


def register(add_reference: "Callable[[object], bool]") -> set[str]:
    """Have the classes that are loaded reduced as described; called whenever something of the kind may be there.

    Args:
        add_reference: adds a reference to the payload that is being encoded; False if this thread encodes none.

    Returns:
        The modules whose class is registered.
    """
    global _add_reference
    _add_reference = add_reference
    for module, name, reduce in (
        ("multiprocessing.connection", "Connection", _reduce_connection),
        ("socket", "socket", _reduce_socket),
    ):
        if module not in _registered and (kind := getattr(sys.modules.get(module), name, None)) is not None:
            if sys.platform != "win32":  # there are handles, and sockets that only multiprocessing can share
                register_reducer(kind, reduce)
            _registered.add(module)
    return _registered


def _reduce_connection(connection: "Any") -> "Any":
    kept = keep(connection)
    if kept is None:
        return object.__reduce_ex__(connection, 4)
    return rebuild_connection, (*kept, connection.readable, connection.writable)


def _reduce_socket(socket: "Any") -> "Any":
    kept = keep(socket)
    if kept is None:
        return object.__reduce_ex__(socket, 4)  # which says that it cannot be pickled
    return rebuild_socket, (*kept, int(socket.family), int(socket.type), socket.proto)


def rebuild_connection(keeper: int, claim: int, descriptor: int, readable: bool, writable: bool) -> object:
    """Make a Connection of a duplicate."""
    from multiprocessing.connection import Connection

    return _given(Connection, duplicate_received(keeper, claim, descriptor), readable, writable)


def rebuild_socket(keeper: int, claim: int, descriptor: int, family: int, kind: int, proto: int) -> object:
    """Make a socket of a duplicate."""
    from socket import socket

    def make(duplicate: int) -> object:
        return socket(family, kind, proto, fileno=duplicate)

    return _given(make, duplicate_received(keeper, claim, descriptor))


def _given(make: "Callable[..., object]", duplicate: int, *args: object) -> object:
    """Give a descriptor to a new object, or close it."""
    try:
        return make(duplicate, *args)
    except BaseException:
        os.close(duplicate)
        raise


def keep(sender: "Any") -> tuple[int, int, int] | None:
    """Duplicate an object's descriptor for the payload that is being encoded; None if there is no such payload.

    Raises:
        OSError: the object is closed, or there are no more descriptors.
    """
    if not _add_reference(None):
        return None
    for keeper in [*_sent]:
        _close_if_unreachable(keeper)
    descriptor = sender.fileno()
    if descriptor < 0:
        raise OSError(f"cannot send {sender!r}: it is closed")
    duplicate = os.dup(descriptor)
    claim = queue_create(0, UNBOUND_OP_REPLACE)
    release_mutex(claim)
    keeper = create_linked(_KEEPERS + claim)
    _sent.add(keeper)
    _note(keeper, claim, duplicate)
    _add_reference(_watched(keeper))
    return keeper, claim, duplicate


def duplicate_received(keeper: int, claim: int, descriptor: int) -> int:
    """Duplicate the descriptor of a payload that was received.

    Raises:
        OSError: it is closed, because its sender's interpreter or the payload is gone.
    """
    duplicate: int | None = None
    while duplicate is None:
        try:
            duplicate = holding(claim, os.dup, descriptor)
        except QueueNotFoundError:
            raise OSError(
                "cannot receive a connection or socket: its sender's interpreter, or the message it came with, is gone"
            ) from None
        except QueueError:
            pass  # somebody else is just duplicating it
    _note(keeper, claim, descriptor)
    _watched(keeper)
    return duplicate


def _note(keeper: int, claim: int, descriptor: int) -> None:
    if not queue_refs_released:
        queue_refs_released.append(_close_if_unreachable)
        atexit.register(_close_what_was_sent)
    _kept.setdefault(keeper, (claim, descriptor, None))


def _watched(keeper: int) -> object:
    """Return a reference to a keeper, the end of which is noticed."""
    reference: Any = queue_ref(keeper)
    if not type(reference).__module__.startswith("interp_api."):
        # The standard library's class has one object for each queue; that object's end is not told otherwise.
        claim, descriptor, _ = _kept[keeper]
        _kept[keeper] = claim, descriptor, weak_ref(reference, lambda _: _close_if_unreachable(keeper))
    return reference


def _close_if_unreachable(keeper: int) -> None:
    """Close the descriptor of a payload if that has vanished in all interpreters."""
    if keeper in _kept:
        try:
            queue_count(keeper)
        except QueueError:
            _close(keeper)


def _close(keeper: int) -> None:
    claim, descriptor, _ = _kept.pop(keeper, (0, -1, None))
    _sent.discard(keeper)
    while True:
        try:
            queue_get(claim)
        except QueueNotFoundError:
            return  # somebody else has closed it
        except QueueError:
            continue  # somebody is just duplicating it
        os.close(descriptor)
        queue_destroy(claim)
        return


def _close_what_was_sent() -> None:
    for keeper in [*_sent]:
        _close(keeper)
