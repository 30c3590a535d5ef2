"""Objects to what crosses between interpreters, and back: pickle protocol 5 and the transfer rules.

Owns the payload, which is either one `bytes` (a pickle that needs nothing else) or the tuple

    (pickle, buffers, refs, main)

pickle   bytes, or from 64 KiB up a memoryview
buffers  what the pickle's out-of-band buffers are made of, in order: (memoryview or bytes, what to make of it); each
         `bytes` and `bytearray` from 64 KiB up is one
refs     references that keep queues alive while the payload is on its way
main     how to load the sender's main module, None if nothing of it is named

The rules. A `memoryview`, and a `pickle.PickleBuffer` that the user put in, is shared and writable when the sender
allows sharing. Buffers that a class's own `__reduce_ex__` hands out, and everything that must not be shared, arrive as
a copy made by the receiver. Large bytes cross as a view of the sender's object and are copied once, by the receiver.
A large bytearray is copied once when it is sent, because its owner may change it, and once when it is received.

Must not know what a call or a queue item is. It is imported by every worker: no pickle, no typing.
"""

from _operator import itemgetter
from _thread import _local  # pyright: ignore[reportPrivateUsage]  # threading.local, without threading
from sys import modules

from interp_api._pickling.buffers import READONLY_COPY, RECEIVED, SHARED, WRITABLE_COPY, AnyView, Buffer, Chunk, receive
from interp_api._pickling.cloud import advise
from interp_api._pickling.frames import take_data_out
from interp_api._pickling.function_head import PREFIX, TAIL, function_head
from interp_api._pickling.large import copy_bytes
from interp_api._pickling.main_module import MainInPlace, alias_main, is_main_loaded, load_main, main_spec
from interp_api._runtime.cpython import queue_ref, zero_copy
from interp_api._runtime.light_imports import PickleBuffer, Pickler, PicklingError, dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from interp_api._pickling.main_note import MainSpec

PROTOCOL = 5
LARGE = 64 * 1024  # bytes; what the C pickler hands to `write` uncopied (its FRAME_SIZE_TARGET)

_SCALARS = frozenset((type(None), bool, int, float))
_PLAIN_TYPES = frozenset((type(None), bool, float, str, bytes, memoryview))
_MAX_INT = (1 << 31) - 1  # beyond, the size of C's long decides; such an int is pickled

type Envelope = tuple[Chunk, tuple[Buffer, ...], tuple[object, ...], MainSpec | tuple[()] | None]
type Payload = bytes | Envelope

_UNLOADABLE_TEXT = "the __main__ it is defined in has no file that a worker could load"
_DEFINE = "define it in a module"
_CONNECTION = "multiprocessing.connection"
_UNDEFINED_TEXT = (
    "define it outside of the part that only the program itself runs, and before the file ends, or in a module"
)
_first = itemgetter(0)
_UNLOADABLE: tuple[()] = ()  # in place of a MainSpec: the sender's main module has no file


# What the plain pickler raises for what the fallback pickler can send: views, buffers, functions and classes by value.
# Other errors come from the object's own code, or from a signal handler, and go to the caller.
_REFUSALS = (TypeError, AttributeError, ValueError, BufferError, PicklingError)
# What objects of multiprocessing say, as a RuntimeError, that only a child could use.
_INHERITED = "through inheritance"


class _Sink(list[bytes]):
    """What a pickler writes to: the list of its frames, and of data it leaves uncopied."""

    __slots__ = ()
    write = list[bytes].append if TYPE_CHECKING else list.append


class _Tools:
    """What encoding reuses."""

    __slots__ = ("buffers", "dump", "forget", "sink")

    def __init__(self) -> None:
        self.sink = _Sink()
        self.buffers: list[PickleBuffer] = []
        pickler = Pickler(self.sink, PROTOCOL, buffer_callback=self.buffers.append)
        self.dump, self.forget = pickler.dump, pickler.clear_memo


class _Own:
    """What belongs to one thread."""

    __slots__ = ("function", "head", "refs", "tools")

    def __init__(self) -> None:
        self.tools: _Tools | None = None  # None while they are in use; an exception loses them
        self.refs: list[object] | None = None  # the queue references of the object being pickled
        self.function: object = None  # sent last
        self.head: bytes | None = None  # its


class _ThreadState(_local):
    own: _Own | None = None


_state = _ThreadState()


def _make_own() -> _Own:
    """Make what belongs to this thread; a finalizer that runs meanwhile may have sent something, and made it."""
    own: _Own = _state.__dict__.setdefault("own", _Own())
    return own


_connection_is_registered = False


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
    refs = (_state.own or _make_own()).refs
    if refs is not None:
        refs.extend(map(queue_ref, ids))


def add_reference(reference: object) -> bool:
    """Let the payload being made keep what something refers to; return whether one is being made."""
    refs = (_state.own or _make_own()).refs
    if refs is not None and reference is not None:
        refs.append(reference)
    return refs is not None


def _register_descriptors() -> None:
    """Have connections and sockets sent as `_pickling.descriptors` says, if there can be any."""
    global _connection_is_registered
    if _CONNECTION in modules or "socket" in modules:
        from interp_api._pickling.descriptors import register

        _connection_is_registered = _CONNECTION in register(add_reference)


def encode(obj: object, *, share: bool) -> "Payload":
    """Pickle an object into something directly shareable.

    Args:
        obj: anything picklable, with memoryviews and PickleBuffers anywhere in it.
        share: whether those are shared with the receiver; otherwise it gets copies.

    Raises:
        Exception: what pickling raised; nothing was sent.

    Thread safety: any thread. Runs the object's own reduce methods.
    """
    return _encode(obj, share, None)


def encode_call(function: "Callable[..., object]", args: tuple[object, ...], kwargs: dict[str, object]) -> "Payload":
    """Encode (function, args, kwargs) in one pickle, so that what they have in common stays so.

    A stateless function of `__main__` goes by value: it then works where `__main__` cannot be loaded or lacks its
    guard.

    Raises:
        Exception: what pickling raised; nothing was sent.
    """
    own = _state.own or _make_own()
    head = own.head if function is own.function else function_head(function)
    if head is not None:
        own.function, own.head = function, head  # a function of a module: keeping it keeps nothing else
        if not kwargs:
            if _SCALARS.issuperset(map(type, args)):  # 0.63 us for abs(-1) instead of 0.95 (CPython 3.14)
                return head + dumps(args, PROTOCOL)[PREFIX:-1] + TAIL
            return _encode(args, True, head)
    return _encode((portable(function), args, kwargs), True, None)


def portable(function: "Callable[..., object]") -> object:
    """Return what to pickle for a function: in place of a stateless one of `__main__` what makes it by its value."""
    if getattr(function, "__module__", None) not in ("__main__", "__mp_main__"):
        return function
    from interp_api._pickling.functions import by_value

    return by_value(function)


def _encode(obj: object, share: bool, head: bytes | None) -> "Payload":
    """Encode an object, or with a head the call of its function with the object as its arguments."""
    own = _state.own or _make_own()
    tools = own.tools or _Tools()
    own.tools = None  # a reduce method that sends something itself makes others
    sink, buffers = tools.sink, tools.buffers
    outer, own.refs = own.refs, []
    if _CONNECTION in modules and not _connection_is_registered:
        _register_descriptors()
    try:
        tools.dump(obj)
        if not buffers:
            if len(sink) == 1 and not own.refs and len(sink[0]) < LARGE and b"__m" not in sink[0]:
                return sink[0] if head is None else head + sink[0][PREFIX:-1] + TAIL  # nearly always
            payload = _pack(sink, [], own.refs, head)
            if type(payload) is bytes or payload[3] is None or _is_main_found():
                return payload
        return _encode_by_fallback(obj, share, head)
    except _REFUSALS:
        encoded = _encode_views(tools, obj, own.refs, head) if share and head is not None else None
        return _encode_by_fallback(obj, share, head) if encoded is None else encoded
    except RuntimeError as exc:
        if not any(type(arg) is str and _INHERITED in arg for arg in exc.args):
            raise
        from interp_api._pickling.inheritance import inheriting

        with inheriting() as reducers:
            return _encode_by_fallback(obj, share, head, reducers)
    finally:
        own.refs = outer
        tools.forget()
        sink.clear()
        buffers.clear()
        own.tools = tools


def _is_main_found() -> bool:
    from interp_api._pickling.main_names import finds_all

    return finds_all()


class _SharedView:
    """Stands in for a memoryview among the arguments of a call, which the plain pickler refuses."""

    __slots__ = ("buffer",)

    def __init__(self, view: "AnyView") -> None:
        # The pickler takes contiguous buffers only, so an empty one, as writable as the view, stands in for it.
        self.buffer = PickleBuffer(b"" if view.readonly else bytearray())

    def __reduce__(self) -> "tuple[type[AnyView], tuple[PickleBuffer]]":
        return memoryview, (self.buffer,)


def _encode_views(tools: _Tools, args: "Any", refs: "list[object]", head: bytes) -> "Payload | None":
    """Encode arguments some of which are memoryviews to share; None if that is not all that is special with them.

    It takes 4 us where the fallback pickler takes 8 (CPython 3.15).
    """
    views = {id(arg): arg for arg in args if type(arg) is memoryview}
    if not views:
        return None
    sink, buffers = tools.sink, tools.buffers
    tools.forget()
    sink.clear()
    buffers.clear()
    refs.clear()
    stand_ins = {each: _SharedView(view) for each, view in views.items()}
    try:
        tools.dump(tuple([stand_ins.get(id(arg), arg) for arg in args]))
    except Exception:
        return None
    if len(sink) > 1 or [*map(id, buffers)] != [id(each.buffer) for each in stand_ins.values()]:
        return None  # large data, or buffers of somebody else
    return _pack(sink, [(0, (view, SHARED)) for view in views.values()], refs, head)


def _encode_by_fallback(
    obj: object, share: bool, head: bytes | None, reducers: "Mapping[type, Callable[[Any], Any]] | None" = None
) -> "Payload":
    """Encode what the plain pickler refuses or cannot tell apart: views, buffers, functions by value.

    Args:
        obj: as for `encode`.
        share: as there.
        head: as for `_encode`.
        reducers: for classes that have none of their own.
    """
    from interp_api._pickling.fallback_pickler import dump_by_fallback

    _register_descriptors()
    sink = _Sink()
    own = _state.own or _make_own()
    outer, own.refs = own.refs, []
    try:
        return _pack(sink, dump_by_fallback(obj, sink, share, reducers or {}), own.refs, head)
    finally:
        own.refs = outer


def _pack(written: "list[bytes]", met: "list[tuple[int, Buffer]]", refs: list[object], head: bytes | None) -> "Payload":
    """Make a payload of what a pickler wrote and the buffers it met, each after so many writes."""
    pickle, large = (written[0], []) if len(written) == 1 else take_data_out(written)
    if head is not None:
        pickle = head + pickle[PREFIX:-1] + TAIL
    # A bytearray is copied now: its owner may change it.
    taken = [
        (
            number,
            (zero_copy(data), READONLY_COPY) if type(data) is bytes else (zero_copy(copy_bytes(data)), WRITABLE_COPY),
        )
        for number, data in large
    ]
    # A buffer that was met after n writes comes before the data in write n.
    buffers = (
        [buffer for _, buffer in sorted([*met, *taken], key=_first)]
        if met and taken
        else [buffer for _, buffer in met or taken]
    )
    main: MainSpec | tuple[()] | None = None
    if b"__main__" in pickle or b"__mp_main__" in pickle:
        main = main_spec() or _UNLOADABLE
    if len(pickle) >= LARGE:
        return (zero_copy(pickle), tuple(buffers), tuple(refs), main)
    if main is None and not buffers and not refs:
        return pickle
    return (pickle, tuple(buffers), tuple(refs), main)


def detach(payload: "Payload") -> "Payload":
    """Return a payload that can be decoded later, when the sender may have gone: in memory of this interpreter.

    What the sender shares stays shared.
    """
    if isinstance(payload, bytes):
        return payload
    pickle, buffers, refs, main = payload
    own = tuple([(chunk if form == SHARED else bytes(chunk), form) for chunk, form in buffers])
    return (bytes(pickle), own, refs, main)


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
    if main and is_main_loaded(main):
        return _load_with_main(payload, main)
    try:
        return _load(payload)
    except Exception as exc:
        names_main = _is_for_want_of_main(exc)
        if not main:
            if names_main and type(exc) is AttributeError:
                raise PicklingError(advise(f"{exc}; {_UNLOADABLE_TEXT}", _DEFINE)) from exc
            raise
        first = exc
    # What was missed may be the main module though the error does not say so: a state that names it as text.
    try:
        load_main(main)
    except RuntimeError:
        if names_main:
            raise
        raise first from None
    return _load_with_main(payload, main)


def _load_with_main(payload: "Envelope", main: "MainSpec") -> object:
    with MainInPlace(main):
        try:
            return _load(payload)
        except AttributeError as exc:
            if "'__mp_main__'" not in str(exc):
                raise
            text = f"{exc}, the main module's file as a worker loads it"
            raise AttributeError(advise(text, _UNDEFINED_TEXT)) from exc


def _is_for_want_of_main(exc: Exception) -> bool:
    if isinstance(exc, AttributeError):
        return "'__main__'" in str(exc) or "'__mp_main__'" in str(exc)
    return isinstance(exc, ModuleNotFoundError) and exc.name == "__mp_main__"


def land(payload: "Payload") -> "Payload":
    """Return a payload that does not depend on its sender any more, but for what is shared; runs nobody's code."""
    if isinstance(payload, bytes):
        return payload
    pickle, buffers, refs, main = payload
    received = [(buffer[0] if buffer[1] == SHARED else receive(buffer), RECEIVED) for buffer in buffers]
    return (pickle if isinstance(pickle, bytes) else copy_bytes(pickle), tuple(received), refs, main)


def _load(payload: "Envelope") -> object:
    pickle, buffers, _, _ = payload
    return loads(pickle, buffers=map(receive, buffers))
