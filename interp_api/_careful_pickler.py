"""Pickling what the plain C pickler refuses or cannot tell apart: views, buffers and functions by value.

Owns the second, slower attempt of `_transfer.encode`; imported when the first one failed or met a buffer. When
cloudpickle is installed and this attempt fails too, or the sender's main module cannot be loaded elsewhere, functions and
classes go by value through it.
"""

from _pickle import PickleBuffer, Pickler
from copyreg import dispatch_table
from types import FunctionType

from interp_api._callables import find_reference, reduce_stateless
from interp_api._cpython import lend
from interp_api._main_module import main_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PROTOCOL = 5


def dump_carefully(
    obj: object, sink: "list[bytes]", share: bool
) -> "list[tuple[bytes | memoryview, bool]]":
    """Pickle an object into `sink`; return its out-of-band buffers as `_transfer` describes them.

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
        from cloudpickle import Pickler as CloudPickler
    except ImportError:
        return None
    return CloudPickler


def _dump(
    base: "type[Pickler]", obj: object, sink: "list[bytes]", share: bool
) -> "list[tuple[bytes | memoryview, bool]]":
    rules = _Rules(share)
    pickler = _pickler_class(base)(sink, _PROTOCOL, buffer_callback=rules.take)
    pickler.rules = rules
    pickler.dump(obj)
    return rules.buffers


class _Rules:
    """What becomes of each buffer the pickler meets."""

    def __init__(self, share: bool) -> None:
        self.share = share
        self.buffers: list[tuple[bytes | memoryview, bool]] = []
        self.owned: dict[int, PickleBuffer] = {}  # handed out by a class's reduce method, kept so that ids stay theirs

    def take(self, buffer: PickleBuffer) -> None:
        if self.share and id(buffer) not in self.owned:
            self.buffers.append((memoryview(buffer), True))
        else:
            self.buffers.append((_snapshot(buffer), False))

    def reduce_view(self, view: memoryview) -> "tuple[Callable[..., memoryview], tuple[object, ...]]":
        if self.share:
            return memoryview, (PickleBuffer(view),)
        return rebuild_view, (view.tobytes(), view.format, view.shape, view.readonly)

    def own(self, reduced: object) -> None:
        """Remember the buffers a reduce method handed out: arguments, state, and what lies directly in them."""
        if isinstance(reduced, tuple):
            for part in reduced[1:3]:
                for value in part if isinstance(part, tuple) else (part,):
                    if type(value) is PickleBuffer:
                        self.owned[id(value)] = value


def _snapshot(buffer: PickleBuffer) -> "bytes | memoryview":
    raw = buffer.raw()
    if type(raw.obj) is bytes:
        return raw
    data = bytes(raw)
    return lend(data) if raw.readonly else memoryview(bytearray(data))


def rebuild_view(data: bytes, format: str, shape: tuple[int, ...], readonly: bool) -> memoryview:
    """Return a memoryview over a copy of its own."""
    view = memoryview(data if readonly else bytearray(data))
    return view if format == "B" and shape == (len(data),) else view.cast("B").cast(format, shape)


def _has_own_reduce(kind: type) -> bool:
    return kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__


_classes: "dict[type[Pickler], type[Any]]" = {}


def _pickler_class(base: "type[Pickler]") -> "type[Any]":
    """Return a pickler class with the transfer rules on top of `base`."""
    if base not in _classes:

        class CarefulPickler(base):  # type: ignore[misc, valid-type]
            rules: _Rules

            def reducer_override(self, obj: object, /) -> "Any":
                kind = type(obj)
                if kind is memoryview:
                    return self.rules.reduce_view(obj)
                if kind is FunctionType and find_reference(obj) is None:
                    reduced = reduce_stateless(obj)
                    if reduced is not None:
                        return reduced
                if base is not Pickler:
                    return super().reducer_override(obj)
                if _has_own_reduce(kind) and kind is not type and kind not in dispatch_table:
                    reduced = obj.__reduce_ex__(_PROTOCOL)
                    self.rules.own(reduced)
                    return reduced
                return NotImplemented

        _classes[base] = CarefulPickler
    return _classes[base]
