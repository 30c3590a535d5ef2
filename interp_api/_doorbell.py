"""Wake a thread that is blocked in any interpreter of this process.

Owns the one primitive that crosses interpreters and blocks without polling: a descriptor that a thread reads and
anybody writes. Knows nothing of queues. A bell's address is a plain int, valid in every interpreter, because
descriptors belong to the process.

Invariant: nobody rings an address after its bell was closed. Whoever publishes an address takes it back, or waits for
the ring, before letting the bell go; `_channel` does both.
"""

import os
import sys
from _thread import _local, allocate_lock, start_new_thread  # pyright: ignore[reportPrivateUsage]  # threading.local, without threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RING = (1).to_bytes(8, sys.byteorder)  # an eventfd takes exactly eight bytes, in the machine's order
_ALARM = bytes(8)  # eight bytes that no ring sends: the pipe's own time-out
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
    return os.pipe()


class Doorbell:
    """One thread's bell. Not thread-safe: only its owner waits; any thread of any interpreter may ring its address."""

    __slots__ = ("address", "is_in_use", "reader")

    def __init__(self) -> None:
        self.is_in_use = False  # by a wait that a signal handler, or a finalizer, has interrupted
        self.reader, self.address = _open()

    def wait(self, timeout: float | None) -> bool:
        """Block until the bell rings or `timeout` seconds have passed; return whether it rang.

        Each ring ends one wait. An exception raised by a signal handler leaves the ring unread.
        """
        if timeout is None:
            os.read(self.reader, 8)
            return True
        return _timed_read(self.reader, self.address, timeout)

    def __del__(self, close: "Callable[[int], None]" = os.close) -> None:
        try:
            close(self.reader)
            if self.reader != self.address:
                close(self.address)
        except (AttributeError, OSError):
            pass  # never opened


def ring(address: int) -> None:
    """End the current or the next wait of the bell at this address. Never blocks."""
    os.write(address, RING)


def _alarm_read(reader: int, address: int, timeout: float) -> bool:
    """Time out a read that cannot be polled: a second thread writes an alarm into the same pipe.

    1. The alarm thread waits for `answered` with the time limit. 2. The reader reads eight bytes. 3. It releases
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

    start_new_thread(alarm, ())
    got = b""
    try:
        got = os.read(reader, 8)
    finally:
        answered.release()
        ended.acquire()
        rung = got == RING
        while fired and got != _ALARM:
            had, got = got, os.read(reader, 8)
            if not had and got == RING:
                os.write(address, RING)
    return rung


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
        os.read(reader, 8)
        return True

    _timed_read = _alarm_read if KIND == "pipe-alarm" else _poll_read


class _ThreadBells(_local):
    """The bell of each thread, made at its first wait and closed with the thread."""

    bell: Doorbell | None = None


_bells = _ThreadBells()


def own_bell() -> Doorbell:
    """Return the calling thread's bell; another one while a wait further up uses that."""
    bell = _bells.bell
    if bell is None:
        bell = _bells.bell = Doorbell()
    return Doorbell() if bell.is_in_use else bell


def abandon(bell: Doorbell) -> None:
    """Leave a bell open for ever, and give its thread a new one at its next wait.

    For a waiter that was interrupted where it cannot know whether its address is still published.
    """
    _abandoned.append(bell)
    if _bells.bell is bell:
        _bells.bell = None


_abandoned: list[Doorbell] = []


def _after_fork_in_child() -> None:
    # The descriptor is shared with the parent: a ring here would wake a thread there.
    _bells.bell = None


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
