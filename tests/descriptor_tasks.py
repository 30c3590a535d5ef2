"""Tasks about what belongs to the process: descriptors, standard streams, shared memory."""

from __future__ import annotations

import os
import sys


def streams():
    """Tell which standard streams there are, as the interpreter made them and as they are now."""
    return [
        (getattr(sys, name) is not None, getattr(sys, f"__{name}__") is not None)
        for name in ("stdin", "stdout", "stderr")
    ]


def chat(text="chatter"):
    """Print to both streams, as far as they are there."""
    print(text)
    print(text, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def fill(name, position):
    """Write into shared memory that somebody else has made."""
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(name=name)
    block.buf[position] = position
    block.close()


def make_block(size):
    """Make shared memory for others."""
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(create=True, size=size)
    block.buf[0] = 1
    block.close()
    return block.name


def unlink_block(name):
    """Remove shared memory that somebody else has made."""
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(name=name)
    block.close()
    block.unlink()


def increment(items):
    """Add one to each number of a ShareableList."""
    for position, value in enumerate(items):
        items[position] = value + 1
    items.shm.close()


def use_lock():
    """Make and use a named semaphore of multiprocessing."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Lock():
        return True


def tracker():
    """Return the descriptor of the resource tracker, and whether this interpreter believes to have made it."""
    from multiprocessing.resource_tracker import _resource_tracker, getfd

    return getfd(), _resource_tracker._pid is not None


def has_tracker():
    """Tell whether the module of the tracker was imported."""
    return "multiprocessing.resource_tracker" in sys.modules


def send_and_close(connection, value="hi"):
    """Use a Connection and close it, as a child process does."""
    connection.send(value)
    connection.close()


def descriptors_of(*connections):
    """Return the descriptors and keep them open for a moment."""
    return [connection.fileno() for connection in connections]


def identity(connection):
    """Return what the descriptor of a connection refers to."""
    found = os.fstat(connection.fileno())
    return found.st_dev, found.st_ino


def open_pipe():
    """Return one end of a pipe of which a message is in the other."""
    import multiprocessing

    here, there = multiprocessing.Pipe()
    there.send("from the worker")
    there.close()
    return {"connection": here}


def open_socketpair():
    """Return one socket of a pair; the other has sent something and is closed."""
    import socket

    here, there = socket.socketpair()
    there.sendall(b"bytes")
    there.close()
    return here


def answer_on(sockets):
    """Send something on each socket and close it."""
    for each in sockets:
        each.sendall(b"bytes")
        each.close()


_kept = []


def keep(*objects):
    """Be an initializer that keeps what it is given."""
    _kept[:] = objects


def send_on_kept(value):
    """Use the connection that the initializer was given."""
    _kept[0].send(value)


def drop_kept():
    """Close what the initializer was given."""
    _kept.pop().close()


class Refuses:
    """Can be sent, and fails to be received."""

    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise ValueError("refused")


class Boom:
    """Fails to be sent."""

    def __reduce__(self):
        raise ValueError("not to be sent")


def put_and_return(queue, items):
    """Put items and return how many."""
    for item in items:
        queue.put(item)
    return len(items)


def unsendable_pipe():
    """Return a connection and what cannot be sent."""
    import multiprocessing

    here, there = multiprocessing.Pipe()
    there.close()
    return here, Boom()
