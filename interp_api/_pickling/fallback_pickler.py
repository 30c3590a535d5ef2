"""Pickling what the plain C pickler refuses or cannot tell apart: views, buffers and functions by value.

Owns the second, slower attempt of `codec.encode`; imported when the first one failed, met a buffer, or named what of
the sender's main module the receiver may not find (`_pickling.main_names`). When this attempt fails too, or meets such
an object, functions and classes go by value through cloudpickle, if that is installed; what of the main module the
receiver finds goes by name all the same, so that it is the receiver's own. Otherwise the error names cloudpickle.
"""

from copyreg import dispatch_table
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType

from interp_api._pickling.buffers import READONLY_COPY, SHARED, WRITABLE_COPY
from interp_api._pickling.cached import CachedFunction, reduce_cached
from interp_api._pickling.cloud import advise, cloud_pickler
from interp_api._pickling.functions import by_value, find_reference, reduce_stateless
from interp_api._pickling.large import copy_bytes
from interp_api._pickling.main_globals import share_globals
from interp_api._pickling.main_names import MAINS, finds_none, is_found_in_main
from interp_api._runtime.cpython import zero_copy
from interp_api._runtime.light_imports import PickleBuffer, Pickler, PicklingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from interp_api._pickling.buffers import AnyView, Buffer, Chunk

else:
    from _typing import TypeVar  # typing itself imports much more

_PROTOCOL = 5
# What cloudpickle sends by value beside functions and classes, and no other pickler.
_EMPTY: dict[str, str] = {}
_BY_NAME_OR_VALUE: "list[Any]" = [CachedFunction, TypeVar]
_BY_VALUE: "list[Any]" = [
    CellType,
    CodeType,
    MappingProxyType,
    ModuleType,
    *_BY_NAME_OR_VALUE,
    classmethod,
    property,
    staticmethod,
    type(_EMPTY.items()),
    type(_EMPTY.keys()),
    type(_EMPTY.values()),
]
_LONGEST = 300  # characters of an error's text before the remedy: who quotes it cuts it after some more
_DEFINE = "define it at the top level of a module"


class _NotFoundError(Exception):
    """Ends an attempt: the receiver may not find something of the main module, and cloudpickle can send it by value."""


def dump_by_fallback(
    obj: object, sink: "list[bytes]", share: bool, reducers: "Mapping[type, Callable[[Any], Any]]"
) -> "list[tuple[int, Buffer]]":
    """Pickle an object into `sink`; return its out-of-band buffers as `_pickling.codec` describes them.

    Each comes with the number of writes before it. `reducers` are for classes that have none of their own.

    Raises:
        Exception: what pickling raised.
    """
    rules = _Rules(sink, share)
    try:
        return _dump(Pickler, obj, rules, reducers)
    except _NotFoundError:
        base = cloud_pickler()
    except Exception as exc:
        base = cloud_pickler()
        if base is None:
            if rules.missed is not None and type(exc) in (AttributeError, PicklingError, TypeError):
                text = str(exc)
                exc.args = (advise(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...", _DEFINE),)
            raise
    assert base is not None
    sink.clear()
    return _dump(base, obj, _Rules(sink, share), reducers)


def _dump(
    base: "type[Pickler]", obj: object, rules: "_Rules", reducers: "Mapping[type, Callable[[Any], Any]]"
) -> "list[tuple[int, Buffer]]":
    pickler = _pickler_class(base)(rules.sink, _PROTOCOL, buffer_callback=rules.take)
    if reducers:
        pickler.dispatch_table = {**reducers, **getattr(pickler, "dispatch_table", dispatch_table)}
    pickler.rules = rules
    pickler.dump(obj)
    return rules.buffers


class _Rules:
    """What becomes of each buffer the pickler meets."""

    def __init__(self, sink: "list[bytes]", share: bool) -> None:
        self.share = share
        self.sink = sink
        self.buffers: list[tuple[int, Buffer]] = []
        self.missed: object = None  # what was met last, if only cloudpickle can send it
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
        self.buffers.append((len(self.sink), (chunk, form)))

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


def _reduce_own(obj: object, registry: "Mapping[Any, Any]") -> "str | tuple[Any, ...] | None":
    """Return what the object's own reduce method, or the one registered for its class, says; None if it has none."""
    kind = type(obj)
    if issubclass(kind, type):
        return None
    registered = registry.get(kind)
    if registered is not None:
        return registered(obj)  # type: ignore[no-any-return]  # as it should
    if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__:
        return None
    return obj.__reduce_ex__(_PROTOCOL)


def _reduce_named(obj: "Any", rules: _Rules) -> "Any":
    """Return how to pickle a function or class: NotImplemented by its name, in vain if that is not found."""
    is_function = type(obj) is FunctionType
    module = find_reference(obj)
    if module is None:
        rules.missed = obj
        return (is_function and reduce_stateless(obj)) or NotImplemented
    if module in MAINS and not is_found_in_main(obj.__qualname__):
        stand_in: Any = by_value(obj) if is_function else obj
        if stand_in is not obj:
            return stand_in.__reduce__()
        if cloud_pickler() is not None:
            raise _NotFoundError
    return NotImplemented


def _reduce_by_value(obj: "Any", *, is_named: bool) -> "Any":
    """Return how to pickle what cloudpickle is not to send its own way; None for the others."""
    kind: Any = type(obj)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if is_named or kind is CachedFunction:
        module = find_reference(obj)
        if module in MAINS and is_found_in_main(obj.__qualname__):
            return NotImplemented
        if module is None and kind is FunctionType:
            return reduce_stateless(obj)
        if kind is CachedFunction and (module is None or module in MAINS):
            return reduce_cached(obj)
    return None


_classes: "dict[type[Pickler], type[Any]]" = {}


def _pickler_class(base: "type[Pickler]") -> "type[Any]":
    """Return a pickler class with the transfer rules on top of `base`."""
    if base not in _classes:
        is_cloud = base is not Pickler

        class FallbackPickler(base):  # type: ignore[misc, valid-type]  # chosen at run time
            rules: _Rules

            def reducer_override(self, obj: "Any", /) -> "Any":
                kind = type(obj)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
                self.rules.missed = None
                if kind is memoryview:
                    return self.rules.reduce_view(obj)
                is_named = kind is FunctionType or issubclass(kind, type)
                if is_cloud:
                    reduced = _reduce_by_value(obj, is_named=is_named)
                    if reduced is not None:
                        return reduced
                    reduced = super().reducer_override(obj)
                    return share_globals(obj, reduced) if kind is FunctionType and finds_none() else reduced
                if is_named:
                    return _reduce_named(obj, self.rules)
                if kind in _BY_VALUE:
                    self.rules.missed = obj
                reduced = _reduce_own(obj, getattr(self, "dispatch_table", dispatch_table))
                if reduced is None:
                    return NotImplemented
                self.rules.own(reduced)
                if (
                    type(reduced) is str
                    and kind in _BY_NAME_OR_VALUE
                    and obj.__module__ in MAINS
                    and not is_found_in_main(reduced)
                    and cloud_pickler()
                ):
                    raise _NotFoundError
                return reduced

        _classes[base] = FallbackPickler
    return _classes[base]
