"""The arena: memory that all interpreters of the process share, and the one exchange in it that is atomic.

Owns where the shared cells are, how an interpreter finds them, and their copy in a forked child. It must not know what
the cells mean, but for the first: that the descriptor it was given is still the arena's.

The memory is a file without a name, which every interpreter maps for itself: it belongs to the process and outlives
each interpreter. Its descriptor is the number that a low-level queue carries (`_wakeup.channel`), which the first
interpreter that loads this file makes. Two may make one at the same moment: ids grow, so both see the older one, which
counts; the maker of the other takes that back. The queue also has one item: who has taken it holds
the mutex, and may exchange.

A cell is written by a plain store of its byte, or its eight: nothing else of it is atomic. So each cell has one writer,
or only ever grows, or is a hint, or is changed by `exchange` alone. What orders the stores of two interpreters is the
runtime's mutex, which every call of a low-level queue takes: a store before such a call is seen by whoever makes one
after it.

    X1  take the mutex; it is not there: somebody is between X1 and X4, for a microsecond: once more
    X2  find the old value, where it is to be
    X3  put the new one there; not found: into the last cell, which is nobody's
    X4  put the mutex back

That is one chain of C calls, in which the interpreter lock is never given away: no exception of a signal handler can
strike inside, and nobody waits for who holds the mutex but for the time these calls take.

A segment, and the tables, are objects whose memory is another one in a forked child (`renew_arena`). So the memory is
never kept in a variable over a call: what a signal handler interrupts may go on in a child.
"""

import mmap
import os
import sys
from _operator import rshift  # pyright: ignore[reportUnknownVariableType]  # it has no type
from itertools import chain

from interp_api._runtime.cpython import (
    QueueError,
    QueueNotFoundError,
    queue_append,
    queue_count,
    queue_destroy,
    queue_get,
    queue_list,
)
from interp_api._runtime.light_imports import exhaust
from interp_api._wakeup.channel import create_linked, linked_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CELL = 8  # bytes
SLOT = 2048  # bytes; what is in one is told in `_wakeup.slot`
SLOTS = 127  # in a segment; the room of one more at its end has the cell that is nobody's
_SEGMENT = (SLOTS + 1) * SLOT  # bytes
_COPIED = 1 << 16  # bytes of the tables that go on in a forked child, and one cell more
ENTRY_SPAN = (1 << 14) - 1  # cells, and as many bytes; the cell at the end of the tables is nobody's
_TABLES = _COPIED + (1 << 17) + (1 << 16)  # bytes; where the segments begin, a multiple of any system's granularity
_MOST_SEGMENTS = 512  # of which only what is used takes memory

_MAGIC = 1 << 58  # added to the descriptor; more than any other number that a queue carries
_MARK = 0x696E74657270  # cell 0 of the tables

# What is where in the tables, by the index of the first cell. `_wakeup.seats`, `_queues.shared_counter`,
# `_interpreters.entry_lock` and `_interpreters.alive` tell what they mean.
GROWTH = 1  # how often the number of slots was doubled
IS_CROWDED = 2
COLUMNS_USED = 3
NEWEST = 4  # id of the queue that was made last, a hint
ROWS, ROW_OWNERS, RINGS_BEGUN, RINGS_ENDED = 256, 256, 512, 768
COLUMNS, COLUMN_OWNERS = 64, 1024
SEATS, SEAT_ADDRESSES, SEAT_READERS, SEAT_PLACES = 960, 2048, 3072, 6144
SEAT_STATES = 4096 * CELL  # the first byte, here
ENTRY_LOCKS = _COPIED // CELL  # that of the main interpreter, whose id is 0, is the first
ENTRY_ENDS = _COPIED + ENTRY_SPAN * CELL  # the first byte

_shifted: "Any" = rshift  # pyright: ignore[reportUnknownVariableType]  # it has no type
_yield: "Callable[[], None]" = getattr(os, "sched_yield", lambda: None)


class Region:
    """A part of the arena as this interpreter has mapped it."""

    __slots__ = ("_offset", "_size", "cells", "find", "memory")

    def __init__(self, offset: int, size: int) -> None:
        self._offset, self._size = offset, size
        self.map()

    def map(self) -> None:
        """Map the file that now has the arena's descriptor."""
        self.memory = _map(self._offset, self._size)
        self.cells: memoryview[int] = memoryview(self.memory).cast("q")
        self.find = self.memory.find

    def renew(self, copied: "list[tuple[int, int]]") -> "Callable[[], None]":
        """In a forked child: return what maps it anew, with the contents of the ranges of bytes that are given."""
        old, contents = self.memory, [(start, self.memory[start:end]) for start, end in copied]
        cells = self.cells

        def go_on() -> None:
            self.map()
            for start, content in contents:
                self.memory[start : start + len(content)] = content
            cells.release()
            old.close()  # a chain of calls that the fork has interrupted fails now, instead of writing to the parent's

        return go_on

    def exchange(self, position: int, end: int, old: bytes, new: int) -> int:
        """Find the first `old` between two positions and put the byte or, if `old` has eight, the cell there to `new`.

        Returns:
            Its position, -1 if there is none: nothing was changed then.
        """
        found: list[int] = []
        self.exchange_recorded(position, end, old, new, found)
        return found[0]

    def exchange_recorded(self, position: int, end: int, old: bytes, new: int, found: list[int]) -> None:
        """Do the same, and record the position in the list given, whatever strikes afterwards."""
        held: list[object] = []
        while not found:
            target: Any = found
            put: Any = self.memory.__setitem__
            if len(old) == CELL:
                target, put = map(_shifted, found, (3,)), self.cells.__setitem__
            steps = chain(
                map(held.append, map(queue_get, (_mutex,))),  # X1
                map(found.append, map(self.memory.find, (old,), (position,), (end,))),  # X2
                map(put, target, (new,)),  # X3
                map(queue_append, (_mutex,), (None,)),  # X4
                map(held.pop, (0,)),
            )
            try:
                exhaust(steps)
            except QueueNotFoundError:
                _have_mutex_again()
            except QueueError:
                _yield()
            finally:
                if held:
                    _put_back(held)

    def swap(self, index: int, old: int, new: int) -> bool:
        """Put a cell to `new` if it is `old`; return whether it was."""
        return (
            self.exchange(index * CELL, index * CELL + CELL, old.to_bytes(CELL, sys.byteorder, signed=True), new) >= 0
        )

    def add(self, index: int, number: int) -> None:
        """Add to a cell that is changed by nothing else."""
        while not self.swap(index, old := self.cells[index], old + number):
            pass


def _make() -> int:
    """Return the descriptor of a new file without a name, as long as it will ever be; most of it is never written."""
    descriptor = _make_file()
    if descriptor > 2:  # the standard error stream's
        return descriptor
    try:
        return _make()  # a daemon that has closed its standard streams may open them again, under their numbers
    finally:
        os.close(descriptor)


def _make_file() -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("interp_api")
    else:
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    os.ftruncate(descriptor, _TABLES + _MOST_SEGMENTS * _SEGMENT)
    return descriptor


if sys.platform == "win32":

    def _map(offset: int, size: int) -> mmap.mmap:
        return mmap.mmap(-1, size, tagname=f"interp_api-{os.getpid()}-{offset}")  # pyright: ignore[reportCallIssue]  # Windows has it
else:

    def _map(offset: int, size: int) -> mmap.mmap:
        return mmap.mmap(_descriptor, size, offset=offset, trackfd=False)


def _find(descriptor: int | None = None) -> tuple[int, int] | None:
    """Return the oldest queue that carries an arena's descriptor, or this one, and that."""
    for qid in sorted(queue_list()):
        try:
            number = linked_number(qid)
        except QueueError:
            continue  # gone since
        if number is not None and number >= _MAGIC and descriptor in (None, number - _MAGIC):
            return qid, number - _MAGIC
    return None


def _put_back(held: list[object]) -> None:
    try:
        queue_append(_mutex, None)
    except QueueNotFoundError:
        pass  # as below
    held.clear()


def _have_mutex_again() -> None:
    """Find or make another queue with the mutex: somebody has destroyed all that there were, as CPython's tests do."""
    global _mutex
    found = _find(_descriptor)
    if found is None:
        made = create_linked(_MAGIC + _descriptor)
        queue_append(made, None)
        found = _find(_descriptor) or (made, _descriptor)
        if found[0] != made:
            queue_destroy(made)
    _mutex = found[0]


def _open() -> tuple[int, int]:
    """Return the queue with the mutex and the descriptor, making them if there are none."""
    found = _find()
    if found is None:
        descriptor = 0 if sys.platform == "win32" else _make()
        made = create_linked(_MAGIC + descriptor)
        queue_append(made, None)
        found = _find() or (made, descriptor)
        if found[0] != made:
            queue_destroy(made)
            if descriptor:
                os.close(descriptor)
    if found[1] and os.fstat(found[1]).st_size < _TABLES + _MOST_SEGMENTS * _SEGMENT:
        raise ImportError(
            f"descriptor {found[1]}, which interp_api has opened in this process, was closed by something else"
        )
    return found


_mutex, _descriptor = _open()
tables = Region(0, _TABLES)
if not tables.cells[0]:
    tables.cells[0] = _MARK
if tables.cells[0] != _MARK:
    raise ImportError(
        f"descriptor {_descriptor}, which interp_api has opened in this process, was closed by something else"
    )

_segments: dict[int, Region] = {}


def segment(number: int) -> Region:
    """Return a part of the arena that has SLOTS slots.

    Raises:
        QueueError: there are no more.
    """
    known = _segments.get(number)
    if known is None:
        if number >= _MOST_SEGMENTS:
            raise QueueError(f"{SLOTS * _MOST_SEGMENTS} queues exist in this process, there is no room for another one")
        known = _segments.setdefault(number, Region(_TABLES + number * _SEGMENT, _SEGMENT))
    return known


def renew_arena(slots: "list[tuple[int, int]]") -> None:
    """In a forked child: replace the parent's memory by a copy.

    Args:
        slots: those that are copied, by segment and first byte; beside the tables, without the entry locks of other
            interpreters than the main one, as none is in a child.
    """
    ranges: dict[int, list[tuple[int, int]]] = {number: [] for number in _segments}
    for number, start in slots:
        segment(number)
        ranges.setdefault(number, []).append((start, start + SLOT))
    steps = [tables.renew([(0, _COPIED + CELL)])]
    steps += [_segments[number].renew(copied) for number, copied in ranges.items()]
    if sys.platform != "win32":
        own = _make()
        os.dup2(own, _descriptor, inheritable=False)
        os.close(own)
    for step in steps:
        step()
    if not queue_count(_mutex):
        queue_append(_mutex, None)  # a thread of the parent had it
