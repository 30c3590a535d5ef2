"""A thread that answers lines on a Unix socket, for this user and root alone.

Owns the socket, the thread and its end. What is asked it hands on; who is heard when is `connections`'.

    the thread   W1  wait for the listener, the connections that are to be heard, and the bell
                 W2  the bell: end. A connection: read or write what goes without waiting
                 W3  answer who has asked and does not rest; then W1
    stop         S1  write into the bell; S2  wait for the thread

What waits in the bell is not read: a thread that begins after S1 would end at once, so each has a bell of its own.
"""

import os
import selectors
import socket
import struct
import sys
from time import monotonic

from interp_pool._process.background import start_background
from interp_pool._seeing.connections import Connection, next_to_close
from interp_pool._seeing.runtime_directory import own_uid, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from interp_pool._process.background import Background

_LATER = 1.0  # seconds until another try to take a connection
_BACKLOG = 64  # connections that wait to be taken: where there are more, those who do not wait get an error
_CHUNK = 64 * 1024  # bytes to read or write at once

_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)  # no descriptor


class LineServer:
    """Answers lines on a Unix socket. All methods but the thread's are called by one thread at a time."""

    def __init__(self, path: "Path", answer: "Callable[[bytes], bytes]", name: str) -> None:
        """Listen.

        Args:
            path: of the socket, which must not be there.
            answer: called with each line, in the server's thread; returns the line to send back. Must not raise.
            name: of the thread.

        Raises:
            OSError: the socket cannot be made.
        """
        self.path = path
        self._answer, self._name = answer, name
        self._connections: dict[int, Connection] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._bell: tuple[int, int] | None = None
        self._thread: Background | None = None
        self._accepts_from = 0.0  # on the monotonic clock
        self._listener = unix_socket()
        try:
            self._listener.setblocking(False)
            self._listener.bind(os.fspath(path))
            path.chmod(0o600)  # nobody else has reached it before: the directory is the user's alone
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            raise

    def start(self) -> None:
        """Start the thread, unless there is one.

        Raises:
            RuntimeError: no more threads can be started.
            OSError: no more descriptors can be had.
        """
        if self._thread is not None:
            return
        self._bell = os.pipe()
        try:
            self._thread = start_background(self._serve, self._name)
        except BaseException:
            self._close_bell()
            raise

    def stop(self, patience: float | None = None) -> bool:
        """End the thread; return whether it has ended. Connections stay, and wait.

        Blocks: until then, at most so many seconds; mostly no longer than an answer takes.
        """
        thread, bell = self._thread, self._bell
        if thread is None or bell is None:
            return True
        os.write(bell[1], b"\n")  # S1
        try:
            thread.join(patience)  # S2
        except RuntimeError:
            return False
        self._thread = None
        self._close_bell()
        return True

    def close(self) -> None:
        """Close everything, once the thread has ended, or in a forked child, where there is none."""
        self._thread = None
        self._close_bell()
        for number in [*self._sockets]:
            self._drop(number)
        self._listener.close()

    def _close_bell(self) -> None:
        bell, self._bell = self._bell, None
        for end in bell or ():
            os.close(end)

    # The thread's.

    def _serve(self) -> None:
        bell = self._bell
        assert bell is not None
        while self._wait(bell[0]):  # W1
            now = monotonic()
            for number, each in [*self._connections.items()]:
                if each.is_asking and each.rests_until <= now:
                    each.answer(self._answer(each.next_line()), monotonic())  # W3
                if each.is_done:
                    self._drop(number)

    def _wait(self, bell: int) -> bool:
        """Wait until there is something to do, and read and write; return whether to go on."""
        with _Selector() as selector:
            selector.register(bell, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(self._register(selector))]
        if bell in ready:  # W2
            return False
        for number in ready:
            if number == self._listener.fileno():
                self._accept()
            elif number in self._sockets:
                self._exchange(number)
        return True

    def _register(self, selector: selectors.BaseSelector) -> float | None:
        """Register what is to be waited for; return for how many seconds at most, None for no limit."""
        now = monotonic()
        times: list[float] = []
        if self._accepts_from <= now:
            selector.register(self._listener, selectors.EVENT_READ)
        else:
            times.append(self._accepts_from)
        for number, each in self._connections.items():
            if each.is_writing:
                selector.register(number, selectors.EVENT_WRITE)
            elif each.is_reading:
                selector.register(number, selectors.EVENT_READ)
            elif each.is_asking:
                times.append(each.rests_until)
        return max(0.0, min(times) - now) if times else None

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has gone again, or there is no descriptor left: others are heard all the same
            self._accepts_from = monotonic() + _LATER
            return
        if not _is_welcome(connection):
            connection.close()
            return
        number = next_to_close(self._connections)
        if number is not None:
            self._drop(number)
        connection.setblocking(False)
        self._sockets[connection.fileno()] = connection
        self._connections[connection.fileno()] = Connection(monotonic())

    def _exchange(self, number: int) -> None:
        connection, each = self._sockets[number], self._connections[number]
        try:
            if each.is_writing:
                each.note_sent(connection.send(each.unsent[:_CHUNK]))
            else:
                each.take(connection.recv(_CHUNK), monotonic())
        except BlockingIOError:
            pass  # it said otherwise a moment ago
        except OSError:
            self._drop(number)  # it has gone

    def _drop(self, number: int) -> None:
        self._connections.pop(number, None)
        self._sockets.pop(number).close()


def _is_welcome(connection: socket.socket) -> bool:
    """Return whether the process at the other end is this user's, or root's; where nobody can tell, the mode does."""
    uid = 0
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        try:
            _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        except OSError:
            return False
    return uid in (0, own_uid())
