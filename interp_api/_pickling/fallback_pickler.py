"""Pickling what the plain C pickler refuses or cannot tell apart: views, buffers and functions by value.

Owns the second, slower attempt of `codec.encode`; imported when the first one failed or met a buffer. When
cloudpickle is installed and this attempt fails too, or the sender's main module cannot be loaded elsewhere, functions
and classes go by value through it.
"""

from copyreg import dispatch_table
from types import FunctionType

from interp_api._pickling.buffers import READONLY_COPY, SHARED, WRITABLE_COPY
from interp_api._pickling.functions import find_reference, reduce_stateless
from interp_api._pickling.large import copy_bytes
from interp_api._pickling.main_module import main_spec
from interp_api._runtime.cpython import zero_copy
from interp_api._runtime.light_imports import PickleBuffer, Pickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from interp_api._pickling.buffers import AnyView, Buffer, Chunk

_PROTOCOL = 5


def dump_by_fallback(obj: object, sink: "list[bytes]", share: bool) -> "list[tuple[int, Buffer]]":
    """Pickle an object into `sink`; return its out-of-band buffers as `_pickling.codec` describes them.

    Each comes with the number of writes before it.

    Raises:
        Exception: what pickling raised.
    """
    by_value = main_spec() is None
    try:
        if not by_value:
            return _dump(Pickler, obj, sink, share)
    except Exception:
        cloud = _cloud_pickler()
        if cloud is None:
            raise
    else:
        cloud = _cloud_pickler() or Pickler
    sink.clear()
    return _dump(cloud, obj, sink, share)


def _cloud_pickler() -> "type[Pickler] | None":
    try:
        from cloudpickle import Pickler as CloudPickler  # type: ignore[import-not-found]  # an extra, without types
    except ImportError:
        return None
    return CloudPickler  # type: ignore[no-any-return]  # the package has no types


def _dump(base: "type[Pickler]", obj: object, sink: "list[bytes]", share: bool) -> "list[tuple[int, Buffer]]":
    rules = _Rules(sink, share)
    pickler = _pickler_class(base)(sink, _PROTOCOL, buffer_callback=rules.take)
    pickler.rules = rules
    pickler.dump(obj)
    return rules.buffers


class _Rules:
    """What becomes of each buffer the pickler meets."""

    def __init__(self, sink: "list[bytes]", share: bool) -> None:
        self.share = share
        self.buffers: list[tuple[int, Buffer]] = []
        self._sink = sink
        # By id; the buffers are kept so that the ids stay theirs.
        self._views: dict[int, tuple[PickleBuffer, AnyView]] = {}  # stand-ins for memoryviews
        self._owned: dict[int, PickleBuffer] = {}  # handed out by a class's reduce method

    def take(self, buffer: PickleBuffer) -> None:
        """Decide about a buffer that the pickler met; called in the order in which the unpickler will want them."""
        if id(buffer) in self._views:
            self._add(self._views[id(buffer)][1], SHARED)
        elif self.share and id(buffer) not in self._owned:
            self._add(memoryview(buffer), SHARED)
        else:
            raw = buffer.raw()
            data = raw.obj if type(raw.obj) is bytes and len(raw.obj) == raw.nbytes else copy_bytes(raw)
            self._add(zero_copy(data), READONLY_COPY if raw.readonly else WRITABLE_COPY)

    def _add(self, chunk: "Chunk", form: int) -> None:
        # A frame is written before the data that follow it, so what was met in it comes first.
        self.buffers.append((len(self._sink), (chunk, form)))

    def reduce_view(self, view: "AnyView") -> "tuple[Callable[..., AnyView], tuple[object, ...]]":
        """Return how to pickle a memoryview."""
        if not self.share:
            return rebuild_view, (view.tobytes(), view.format, view.shape, view.readonly)
        # The pickler takes contiguous buffers only, so an empty one, as writable as the view, stands in for it.
        stand_in = PickleBuffer(b"" if view.readonly else bytearray())
        self._views[id(stand_in)] = stand_in, view
        return memoryview, (stand_in,)

    def own(self, reduced: "Any") -> None:
        """Remember the buffers a reduce method handed out: arguments, state, and what lies directly in them."""
        if type(reduced) is str:
            return
        for part in reduced[1:3]:
            for value in _members(part):
                if type(value) is PickleBuffer:
                    self._owned[id(value)] = value


def _members(part: "Any") -> "Iterable[Any]":
    kind = type(part)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if kind is dict:
        members: Iterable[Any] = part.values()
        return members
    return part if kind in (tuple, list) else (part,)


def rebuild_view(data: bytes, format: str, shape: tuple[int, ...], readonly: bool) -> "AnyView":  # noqa: A002  # its name
    """Return a memoryview over a copy of its own."""
    view: AnyView = memoryview(data if readonly else bytearray(data))
    if format == "B" and shape == (len(data),):
        return view
    return view.cast(format, shape)  # type: ignore[call-overload, no-any-return]  # any format a view has


def _reduce_own(obj: object) -> "str | tuple[Any, ...] | None":
    """Return what the object's own reduce method, or the one registered for its class, says; None if it has none."""
    kind = type(obj)
    if issubclass(kind, type):
        return None
    registered = dispatch_table.get(kind)
    if registered is not None:
        return registered(obj)
    if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__:
        return None
    return obj.__reduce_ex__(_PROTOCOL)


_classes: "dict[type[Pickler], type[Any]]" = {}


def _pickler_class(base: "type[Pickler]") -> "type[Any]":
    """Return a pickler class with the transfer rules on top of `base`."""
    if base not in _classes:

        class FallbackPickler(base):  # type: ignore[misc, valid-type]  # chosen at run time
            rules: _Rules

            def reducer_override(self, obj: "Any", /) -> "Any":
                kind = type(obj)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
                if kind is memoryview:
                    return self.rules.reduce_view(obj)
                if kind is FunctionType and find_reference(obj) is None and (by_value := reduce_stateless(obj)):
                    return by_value
                if base is not Pickler:
                    return super().reducer_override(obj)
                reduced = _reduce_own(obj)
                if reduced is None:
                    return NotImplemented
                self.rules.own(reduced)
                return reduced

        _classes[base] = FallbackPickler
    return _classes[base]
