"""Out-of-band buffers of a pickle: how each crosses, and what the receiver makes of it.

A shared one is the sender's memory. Any other is the receiver's own copy in the end, made from what
`_runtime.cpython.zero_copy` says carries immutable data with the fewest copies.
"""

from interp_api._pickling.large import copy_bytearray, copy_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

type AnyView = memoryview[Any]
type Chunk = bytes | AnyView
type Buffer = tuple[Chunk | bytearray, int]  # with one of:

SHARED, READONLY_COPY, WRITABLE_COPY, RECEIVED = range(4)


def receive(buffer: "Buffer") -> "Chunk | bytearray":
    """Return what the unpickler is to build on."""
    chunk, form = buffer
    if form in (SHARED, RECEIVED):
        return chunk
    if form == WRITABLE_COPY:
        return copy_bytearray(chunk)
    return chunk if isinstance(chunk, bytes) else copy_bytes(chunk)  # bytes are the receiver's own already
