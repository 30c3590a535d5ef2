"""Telling somebody's large data from the opcodes of a pickle, in what a pickler has written.

Owns the knowledge of how CPython's C pickler writes: opcodes in frames, each ended soon after 64 KiB, and objects from
64 KiB up as they are, uncopied, in a piece of their own behind their header. Taking a `bytes` or a `bytearray` out
leaves NEXT_BUFFER in its place: the receiver makes the object, and the pickle is small.

A piece is data if and only if the piece before ends, behind its frame, with a header that has the data's length; so no
content, whatever it is, can be taken for a header.
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


def take_data_out(pieces: "Sequence[bytes | bytearray]") -> "tuple[bytes, list[tuple[int, bytes | bytearray]]]":
    """Split what a pickler wrote.

    Returns:
        The pickle, and the data in their order, each with the number of its piece.
    """
    opcodes: list[bytes | bytearray] = []
    data: list[tuple[int, bytes | bytearray]] = []
    is_opcodes = False  # whether the piece before was opcodes
    for number, piece in enumerate(pieces):
        header = _header_of(opcodes[-1], len(piece)) if is_opcodes else 0
        if header:
            opcodes[-1] = opcodes[-1][:-header] + _NEXT_BUFFER
            data.append((number, piece))
            is_opcodes = False
        else:
            is_opcodes = not _is_text(opcodes[-1], len(piece)) if is_opcodes else True
            opcodes.append(piece)
    return b"".join(opcodes), data


def _rest(opcodes: "bytes | bytearray") -> "bytes | bytearray":
    """Return what follows the frame of a piece: at most a few opcodes and a header."""
    start = 2 if opcodes[0] == _PROTO else 0
    if len(opcodes) > start and opcodes[start] == _FRAME:
        start += _FRAME_HEADER + int.from_bytes(opcodes[start + 1 : start + _FRAME_HEADER], "little")
    return opcodes[start:]


def _header_of(opcodes: "bytes | bytearray", size: int) -> int:
    """Return the length of the header of `size` bytes of data at the end of the opcodes, 0 if there is none."""
    rest = _rest(opcodes)
    for opcode, width in _HEADERS:
        if size < 1 << 8 * width and rest.endswith(opcode + size.to_bytes(width, "little")):
            return 1 + width
    return 0


def _is_text(opcodes: "bytes | bytearray", size: int) -> bool:
    """Return whether the opcodes end with the header of a `str` of `size` bytes, which stays in the pickle."""
    rest = _rest(opcodes)
    return rest.endswith(b"\x8d" + size.to_bytes(8, "little")) or (
        size < 1 << 32 and rest.endswith(b"X" + size.to_bytes(4, "little"))
    )
