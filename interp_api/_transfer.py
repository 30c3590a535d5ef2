"""Objects to what crosses between interpreters, and back: pickle protocol 5 and the transfer rules.

Owns the payload, which is either one `bytes` (a pickle that needs nothing else) or the tuple

    (chunks, buffers, refs, main)

chunks   the pickle in pieces, bytes or memoryview; the pieces from 64 KiB up are whole objects that were not copied
buffers  what the pickle's out-of-band buffers are made of, in order: (memoryview or bytes, what to make of it)
refs     references that keep queues alive while the payload is on its way
main     how to load the sender's main module, None if nothing of it is named

The rules. A `memoryview`, and a `pickle.PickleBuffer` that the user put in, is shared and writable when the sender
allows sharing. Buffers that a class's own `__reduce_ex__` hands out, and everything that must not be shared, arrive as
a copy made by the receiver. Large bytes cross as a view of the sender's object and are copied once, by the unpickler.
A large bytearray is copied once when it is sent, because its owner may change it, and once when it is received.

Must not know what a call or a queue item is. It is imported by every worker: no pickle, no typing.
"""

from _pickle import PickleBuffer, Pickler, PicklingError, Unpickler, loads
from _thread import _local  # pyright: ignore[reportPrivateUsage]  # threading.local, without threading

from interp_api._buffers import Buffer, Chunk, receive
from interp_api._cpython import lend, queue_ref
from interp_api._function_head import PREFIX, TAIL, function_head
from interp_api._main_module import MainInPlace, alias_main, main_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_api._main_module import MainSpec

PROTOCOL = 5
LARGE = 64 * 1024  # bytes; what the C pickler hands to `write` uncopied (its FRAME_SIZE_TARGET)

_PLAIN_TYPES = frozenset((type(None), bool, float, str, bytes, memoryview))
_MAX_INT = (1 << 31) - 1  # beyond, the size of C's long decides; such an int is pickled

type Envelope = tuple[tuple[Chunk, ...], tuple[Buffer, ...], tuple[object, ...], MainSpec | tuple[()] | None]
type Payload = bytes | Envelope

_UNLOADABLE_TEXT = (
    "the __main__ it is defined in has no file that a worker could load: "
    "define it in a module, or install cloudpickle to send it by value"
)
_UNLOADABLE: tuple[()] = ()  # in place of a MainSpec: the sender's main module has no file


class _Sink(list[bytes]):
    """What a pickler writes to: the list of its pieces."""

    __slots__ = ()
    write = list[bytes].append if TYPE_CHECKING else list.append


class _Own:
    """What one thread reuses, and what it is just doing."""

    __slots__ = ("buffers", "dump", "forget", "function", "head", "is_busy", "refs", "sink")

    def __init__(self) -> None:
        self.sink = _Sink()
        self.buffers: list[PickleBuffer] = []
        pickler = Pickler(self.sink, PROTOCOL, buffer_callback=self.buffers.append)
        self.dump, self.forget = pickler.dump, pickler.clear_memo
        self.is_busy = False
        self.refs: list[object] | None = None  # the queue references of the object being pickled
        self.function: object = None  # sent last
        self.head: bytes | None = None  # its


class _ThreadState(_local):
    def __init__(self) -> None:
        self.own = _Own()


_state = _ThreadState()


def is_plain(obj: "Any") -> bool:
    """Return whether an object crosses as it is, without being pickled: a scalar, a memoryview, or a tuple of these."""
    kind = type(obj)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if kind is int:
        return bool(-_MAX_INT <= obj <= _MAX_INT)
    if kind is tuple:
        return all(map(is_plain, obj))
    return kind in _PLAIN_TYPES


def keep_in_transit(ids: "Iterable[int]") -> None:
    """Called by an object's `__reduce__`: let the payload being made keep these low-level queues alive."""
    refs = _state.own.refs
    if refs is not None:
        refs.extend(map(queue_ref, ids))


def encode(obj: object, *, share: bool) -> "Payload":
    """Pickle an object into something directly shareable.

    Args:
        obj: anything picklable, with memoryviews and PickleBuffers anywhere in it.
        share: whether those are shared with the receiver; otherwise it gets copies.

    Raises:
        Exception: what pickling raised; nothing was sent.

    Thread safety: any thread. Runs the object's own reduce methods.
    """
    own = _state.own
    if own.is_busy:  # a reduce method sends something itself
        return _encode_carefully(obj, share)
    own.is_busy = True
    sink, outer, own.refs = own.sink, own.refs, []
    try:
        own.dump(obj)
        if not own.buffers:
            if len(sink) == 1 and not own.refs and len(sink[0]) < LARGE and b"__m" not in sink[0]:
                return sink[0]  # nearly always
            payload = _pack(sink, (), own.refs)
            if type(payload) is bytes or payload[3] != _UNLOADABLE:
                return payload
        return _encode_carefully(obj, share)
    except Exception:
        return _encode_carefully(obj, share)
    finally:
        own.forget()
        sink.clear()
        own.buffers.clear()
        own.refs = outer
        own.is_busy = False


def encode_call(function: "Callable[..., object]", args: tuple[object, ...], kwargs: dict[str, object]) -> "Payload":
    """Encode (function, args, kwargs) in one pickle, so that what they have in common stays so.

    A stateless function of `__main__` goes by value: it then works where `__main__` cannot be loaded or lacks its
    guard.

    Raises:
        Exception: what pickling raised; nothing was sent.
    """
    own = _state.own
    if function is not own.function:
        own.head = function_head(function)
        own.function = function
    if own.head is not None and not kwargs:
        return _with_head(own.head, encode(args, share=True))
    if getattr(function, "__module__", None) in ("__main__", "__mp_main__"):
        from interp_api._callables import by_value

        return encode((by_value(function), args, kwargs), share=True)
    return encode((function, args, kwargs), share=True)


def _with_head(head: bytes, payload: "Payload") -> "Payload":
    """Turn the pickle of arguments into that of a call."""
    if isinstance(payload, bytes):
        return head + payload[PREFIX:-1] + TAIL
    pieces, *rest = payload
    # A pickle ends with a STOP in a frame; what is lent is somebody's data.
    *pieces, last = pieces[0][PREFIX:], *pieces[1:]
    return ((head, *pieces, bytes(last[:-1]) + TAIL), *rest)


def _encode_carefully(obj: object, share: bool) -> "Payload":
    """Encode what the plain pickler refuses or cannot tell apart: views, buffers, functions by value."""
    from interp_api._careful_pickler import dump_carefully

    sink = _Sink()
    own = _state.own
    outer, own.refs = own.refs, []
    try:
        return _pack(sink, dump_carefully(obj, sink, share), own.refs)
    finally:
        own.refs = outer


def _pack(pieces: "Iterable[bytes]", buffers: "Iterable[Buffer]", refs: list[object]) -> "Payload":
    main: MainSpec | tuple[()] | None = None
    chunks: list[Chunk] = []
    for piece in pieces:
        # A bytearray is copied now: its owner may change it. Opcodes come in frames that end soon after 64 KiB, so
        # anything much larger is somebody's data and names nothing.
        chunk = piece if type(piece) is bytes else bytes(piece)
        if main is None and len(chunk) < 2 * LARGE and (b"__main__" in chunk or b"__mp_main__" in chunk):
            main = main_spec() or _UNLOADABLE
        chunks.append(chunk if len(chunk) < LARGE else lend(chunk))
    buffers = tuple(buffers)
    if len(chunks) == 1 and main is None and not buffers and not refs and type(chunks[0]) is bytes:
        return chunks[0]
    return (tuple(chunks), buffers, tuple(refs), main)


def decode(payload: "Payload") -> object:
    """Unpickle what `encode` made, in any interpreter.

    Raises:
        Exception: what unpickling raised.
    """
    if isinstance(payload, bytes):
        return loads(payload)
    main = payload[3]
    if main is None:
        return _load(payload)
    alias_main()
    try:
        return _load(payload)
    except AttributeError as exc:
        if "'__main__'" not in str(exc) and "'__mp_main__'" not in str(exc):
            raise
        if not main:
            raise PicklingError(f"{exc}; {_UNLOADABLE_TEXT}") from exc
    except ModuleNotFoundError as exc:
        if exc.name != "__mp_main__" or not main:
            raise
    with MainInPlace(main):
        return _load(payload)


def _load(payload: "Envelope") -> object:
    chunks, lent, _, _ = payload
    buffers = [receive(buffer) for buffer in lent]
    if len(chunks) == 1:
        return loads(chunks[0], buffers=buffers)
    return Unpickler(_Reader(chunks), buffers=buffers).load()


class _Reader:
    """The pieces of a pickle as the file an Unpickler reads; `readinto` is where large data is copied."""

    __slots__ = ("_chunks", "_offset", "_view")

    def __init__(self, chunks: tuple[Chunk, ...]) -> None:
        self._chunks = iter(chunks)
        self._view = memoryview(b"")
        self._offset = 0

    def readinto(self, target: "bytearray | memoryview[int]") -> int:
        """Fill the target; return how much of it."""
        room = memoryview(target)
        done = 0
        while done < len(room):
            if self._offset == len(self._view):
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._view, self._offset = memoryview(chunk), 0
                continue
            piece = self._view[self._offset : self._offset + len(room) - done]
            room[done : done + len(piece)] = piece
            done += len(piece)
            self._offset += len(piece)
        return done

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        end = self._offset + size
        if end <= len(self._view):
            piece = bytes(self._view[self._offset : end])
            self._offset = end
            return piece
        target = bytearray(size)
        return bytes(memoryview(target)[: self.readinto(target)])

    def readline(self) -> bytes:
        """Refuse: protocol 5 pickles have no lines."""
        raise NotImplementedError("protocol 5 pickles have no lines")
