"""Telling somebody's large data from the opcodes of a pickle, in what a pickler has written.

Owns the knowledge of how CPython's C pickler writes: opcodes in frames, each ended soon after 64 KiB, and objects from
64 KiB up as they are, uncopied, by a write of their own behind their header. Taking a `bytes` or a `bytearray` out
leaves NEXT_BUFFER in its place: the receiver makes the object, and the pickle is small.

What is written is data if and only if the frame before ends, behind its opcodes, with a header that has the data's
length; so no content, whatever it is, can be taken for a header.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PROTO = 0x80
_FRAME = 0x95
_FRAME_HEADER = 9
_NEXT_BUFFER = b"\x97"
_BINBYTES, _BINBYTES8, _BYTEARRAY8 = b"B", b"\x8e", b"\x96"
_HEADERS = ((_BINBYTES, 4), (_BINBYTES8, 8), (_BYTEARRAY8, 8))


def take_data_out(written: "Sequence[bytes | bytearray]") -> "tuple[bytes, list[tuple[int, bytes | bytearray]]]":
    """Split what a pickler wrote.

    Returns:
        The pickle, and the data in their order, each with the number of its write.
    """
    frames: list[bytes | bytearray] = []
    data: list[tuple[int, bytes | bytearray]] = []
    is_frame = False  # whether that was written before
    for number, block in enumerate(written):
        header = _header_of(frames[-1], len(block)) if is_frame else 0
        if header:
            frames[-1] = frames[-1][:-header] + _NEXT_BUFFER
            data.append((number, block))
            is_frame = False
        else:
            is_frame = not _is_text(frames[-1], len(block)) if is_frame else True
            frames.append(block)
    return b"".join(frames), data


def _rest(frame: "bytes | bytearray") -> "bytes | bytearray":
    """Return what follows the opcodes of a frame: at most a few opcodes and a header."""
    start = 2 if frame[0] == _PROTO else 0
    if len(frame) > start and frame[start] == _FRAME:
        start += _FRAME_HEADER + int.from_bytes(frame[start + 1 : start + _FRAME_HEADER], "little")
    return frame[start:]


def _header_of(frame: "bytes | bytearray", size: int) -> int:
    """Return the length of the header of `size` bytes of data at the end of a frame, 0 if there is none."""
    rest = _rest(frame)
    for opcode, width in _HEADERS:
        if size < 1 << 8 * width and rest.endswith(opcode + size.to_bytes(width, "little")):
            return 1 + width
    return 0


def _is_text(frame: "bytes | bytearray", size: int) -> bool:
    """Return whether a frame ends with the header of a `str` of `size` bytes, which stays in the pickle."""
    rest = _rest(frame)
    return rest.endswith(b"\x8d" + size.to_bytes(8, "little")) or (
        size < 1 << 32 and rest.endswith(b"X" + size.to_bytes(4, "little"))
    )
