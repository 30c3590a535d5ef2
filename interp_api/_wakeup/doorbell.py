"""Wake a thread that is blocked in any interpreter of this process.

Owns the one primitive that crosses interpreters and blocks without polling: a descriptor that a thread reads and
anybody writes. Knows nothing of queues. A bell's address is a plain int, valid in every interpreter, because
descriptors belong to the process.

A bell is sticky: a ring to somebody who does not wait ends the next wait at once, and several rings are one.

Invariant: nobody rings an address after its bell was closed. That is the care of whoever publishes it, see
`_wakeup.seats`.
"""

import os
import sys
from _thread import allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RING = (1).to_bytes(8, sys.byteorder)  # an eventfd takes exactly eight bytes, in the machine's order
_ALARM = bytes(8)  # eight bytes that no ring sends: the pipe's own time-out
_MOST_READ = 1 << 16  # bytes: as many rings as a pipe holds
_LONGEST_POLL = 86_400.0  # seconds; poll() takes a C int of milliseconds

KIND: str = os.environ.get("INTERP_API_DOORBELL") or ("eventfd" if sys.platform == "linux" else "pipe")
"""How bells are made: "eventfd" (Linux), "pipe", or "pipe-alarm" (a pipe on a system that cannot poll one)."""

if KIND not in ("eventfd", "pipe", "pipe-alarm"):
    raise ImportError(f"INTERP_API_DOORBELL must be eventfd, pipe or pipe-alarm, got {KIND!r}")


def _open() -> tuple[int, int]:
    """Return the descriptors to read and to write."""
    if sys.platform == "linux" and KIND == "eventfd":
        both = os.eventfd(0, os.EFD_CLOEXEC)
        return both, both
    reader, address = os.pipe()
    if sys.platform != "win32":
        os.set_blocking(address, False)  # a pipe that is full of rings is rung
    return reader, address


class Doorbell:
    """One thread's bell. Not thread-safe: only its owner waits; any thread of any interpreter may ring its address."""

    __slots__ = ("address", "reader")

    def __init__(self) -> None:
        self.reader, self.address = _open()

    def wait(self, timeout: float | None) -> bool:
        """Block until the bell rings or `timeout` seconds have passed; return whether it rang.

        An exception raised by a signal handler leaves the ring unread.
        """
        if timeout is None:
            os.read(self.reader, _MOST_READ)
            return True
        return _timed_read(self.reader, self.address, timeout)

    def renew(self) -> None:
        """In a forked child: take a descriptor of the child's own under the same number."""
        reader, address = _open()
        os.dup2(reader, self.reader, inheritable=False)
        if address != reader:
            os.dup2(address, self.address, inheritable=False)
            os.close(address)
        os.close(reader)

    def __del__(self, close: "Callable[[int], None]" = os.close) -> None:
        try:
            close(self.reader)
            if self.reader != self.address:
                close(self.address)
        except (AttributeError, OSError):
            pass  # never opened


def ring(address: int) -> None:
    """End the current or the next wait of the bell at this address. Never blocks."""
    try:
        os.write(address, RING)
    except BlockingIOError:
        pass  # it is full of rings


def wait_at(reader: int) -> None:
    """Block until the bell with this reader rings: one that another interpreter has made, and keeps open meanwhile."""
    os.read(reader, _MOST_READ)


def _alarm_read(reader: int, address: int, timeout: float) -> bool:
    """Time out a read that cannot be polled: a second thread writes an alarm into the same pipe.

    1. The alarm thread waits for `answered` with the time limit. 2. The reader reads what is there. 3. It releases
    `answered` and joins the thread through `ended`. The alarm can have been written between 2 and 3, or 2 can have been
    interrupted: then the pipe is read up to the alarm, and a ring that nobody waits for any more is put back.
    """
    answered, ended = allocate_lock(), allocate_lock()
    answered.acquire()
    ended.acquire()
    fired = False

    def alarm() -> None:
        nonlocal fired
        try:
            if not answered.acquire(timeout=min(timeout, _LONGEST_POLL)):
                fired = True
                os.write(address, _ALARM)
        finally:
            ended.release()

    started: list[int] = []
    got, was_interrupted = b"", True
    try:
        started.extend(map(start_new_thread, (alarm,), ((),)))  # one C call: whatever strikes, it is answered
        got = os.read(reader, _MOST_READ)
        was_interrupted = False
    finally:
        if started:
            answered.release()
            ended.acquire()
        while fired and _ALARM not in _records(got):
            got += os.read(reader, _MOST_READ)
        if was_interrupted and RING in _records(got):
            ring(address)
    return RING in _records(got)


def _records(got: bytes) -> list[bytes]:
    return [got[start : start + 8] for start in range(0, len(got), 8)]


if sys.platform == "win32":
    _timed_read = _alarm_read
else:

    def _poll_read(reader: int, _address: int, timeout: float) -> bool:
        import select  # a built-in, wanted only by timed waits
        from math import ceil

        poll = select.poll()
        poll.register(reader, select.POLLIN)
        if not poll.poll(ceil(min(timeout, _LONGEST_POLL) * 1000)):
            return False
        os.read(reader, _MOST_READ)
        return True

    _timed_read = _alarm_read if KIND == "pipe-alarm" else _poll_read
