"""Out-of-band buffers of a pickle: how each crosses, and what the receiver makes of it.

A shared one is the sender's memory. Any other is the receiver's own copy in the end, made from what `_cpython.lend`
says carries immutable data with the fewest copies.
"""

from interp_api._large import copy_bytearray, copy_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

type AnyView = memoryview[Any]
type Chunk = bytes | AnyView
type Buffer = tuple[Chunk, int]  # with one of:

SHARED, READONLY_COPY, WRITABLE_COPY = range(3)


def receive(buffer: "Buffer") -> "Chunk | bytearray":
    """Return what the unpickler is to build on."""
    chunk, form = buffer
    if form == SHARED:
        return chunk
    if form == WRITABLE_COPY:
        return copy_bytearray(chunk)
    return chunk if type(chunk) is bytes else copy_bytes(chunk)  # bytes are the receiver's own already
