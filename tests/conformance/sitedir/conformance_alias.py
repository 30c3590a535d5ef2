"""Puts interp_api and interp_pool in the place of the standard library's modules, in this interpreter.

Owns the mapping from the standard library's module names to ours. Must not know any test. Imports only what every
interpreter has loaded anyway: the real work starts when one of the names is imported.

Under a standard name stands a module of our own making, a stand-in. Who asks it for a name decides what it gives:

- Everybody else gets the name of the same meaning from our package. A name we lack is an AttributeError, never the
  standard library's own, so that nothing passes because CPython's code ran.
- Our packages get the real module's: on 3.14 and later our exceptions are the standard library's own classes.

The real module is imported when its stand-in is, because that import has an effect: it registers queue types with the
runtime. Not so on 3.13, where its registration would displace ours.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

OURS = ("interp_api", "interp_pool")
DOCUMENTED = sys.version_info >= (3, 14)

INTERPRETERS = "concurrent.interpreters" if DOCUMENTED else "test.support.interpreters"
QUEUES = f"{INTERPRETERS}._queues" if DOCUMENTED else f"{INTERPRETERS}.queues"
STANDARD_NAMES = (INTERPRETERS, QUEUES, *(("concurrent.futures.interpreter",) if DOCUMENTED else ()))
# The layer's `_crossinterp` is not among them: it holds constants of the C level, which the tests read for their
# low-level half, so the real one is used.

_IMPORT_SYSTEM = ("importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib", __name__)

_real: dict[str, ModuleType] = {}
_importing_real = False


class StandIn(type(sys)):  # type: ignore[misc]
    """A module under a standard name; the runner knows it by its type."""


def install() -> None:
    """Install the finder, once per interpreter."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type, unused-ignore]


class _Finder:
    def find_spec(self, name: str, path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        if name in STANDARD_NAMES and not _importing_real:
            return _stand_in_spec(name, path)
        if name == "concurrent.futures" and not DOCUMENTED:
            spec = _spec_from_others(name, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _FuturesLoader(spec.loader)  # type: ignore[assignment]
            return spec
        return None


def _spec_from_others(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if not isinstance(finder, _Finder):
            spec = finder.find_spec(name, path)
            if spec is not None:
                return spec
    return None


def _stand_in_spec(name: str, path: Sequence[str] | None) -> ModuleSpec:
    from importlib.machinery import ModuleSpec

    real = _spec_from_others(name, path)
    spec = ModuleSpec(name, _StandInLoader())  # type: ignore[arg-type]
    if real is not None:
        spec.origin = real.origin
        # Keeps the private modules beside it importable.
        spec.submodule_search_locations = real.submodule_search_locations
    return spec


class _StandInLoader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: Any) -> None:
        name: str = module.__name__

        def lookup(attribute: str) -> Any:
            # Under "__all__" and the like the import system asks, for whoever imports *.
            if attribute.startswith("_") and attribute != "__all__":
                raise AttributeError(attribute)
            if _asked_by_ours():
                return getattr(_real_module(name), attribute)
            return _ours(name, attribute)

        module.__getattr__ = lookup
        if DOCUMENTED and name in (INTERPRETERS, QUEUES):
            _real_module(name)


def _asked_by_ours() -> bool:
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals.get("__name__") in _IMPORT_SYSTEM:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).partition(".")[0] in OURS


def _real_module(name: str) -> ModuleType:
    """Return the standard library's own module, importing it behind the stand-ins' back the first time."""
    global _importing_real
    if name in _real:
        return _real[name]
    hidden = {other: sys.modules.pop(other) for other in STANDARD_NAMES if other in sys.modules}
    for other, module in _real.items():
        _put(other, module)
    _importing_real = True
    try:
        __import__(name)
    finally:
        _importing_real = False
        _real.update((other, sys.modules.pop(other)) for other in STANDARD_NAMES if other in sys.modules)
        for other in STANDARD_NAMES:
            if other in hidden:
                _put(other, hidden[other])
            elif other in _real:
                # What the real import brought along is there for all to see, as it would be without the alias.
                _put(other, _new_stand_in(other))
    return _real[name]


def _put(name: str, module: ModuleType) -> None:
    parent, _, child = name.rpartition(".")
    sys.modules[name] = module
    setattr(sys.modules[parent], child, module)


def _new_stand_in(name: str) -> ModuleType:
    from importlib.util import module_from_spec

    spec = _stand_in_spec(name, sys.modules[name.rpartition(".")[0]].__path__)
    module = module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module


def _ours(standard_name: str, attribute: str) -> Any:
    """Find what stands for an attribute of a standard module."""
    if standard_name == QUEUES:
        package, ours = "interp_api", {"create": "create_queue"}.get(attribute, attribute)
        if attribute == "list_all":
            return _list_queues
        if not DOCUMENTED:
            _accept_arguments_of_313()
            if attribute == "create":
                return _create_as_in_313
    elif standard_name == INTERPRETERS:
        package, ours = "interp_api", attribute
        if attribute == "Interpreter":
            _accept_private_arguments()
    else:
        package, ours = "interp_pool", attribute
    try:
        return getattr(__import__(package), ours)
    except AttributeError:
        raise AttributeError(f"{package} has no {ours!r} for {standard_name}.{attribute}") from None


def _list_queues() -> list[Any]:
    """List the queues users made: a queue of ours is several at the low level."""
    return list(__import__("interp_api._queues.queue", fromlist=["list_all_queues"]).list_all_queues())


def _accept_private_arguments() -> None:
    """Let `Interpreter` ignore `_whence` and `_ownsref`, which the upstream tests pass for C-API interpreters."""
    interpreter: Any = __import__("interp_api").Interpreter
    original = interpreter.__new__
    if getattr(original, "accepts_private_arguments", False):
        return

    def new(cls: Any, id: Any, /, _whence: object = None, _ownsref: object = None) -> Any:
        return original(cls, id)

    new.accepts_private_arguments = True  # type: ignore[attr-defined]
    interpreter.__new__ = new


# 3.13's layer was not documented and had other arguments: `unbound` is `unbounditems` today, and `syncobj`, which chose
# between sharing and pickling, is gone.


def _create_as_in_313(maxsize: int = 0, *, syncobj: bool = False, **kwargs: Any) -> Any:
    return __import__("interp_api").create_queue(maxsize, **kwargs)


def _accept_arguments_of_313() -> None:
    queue: Any = __import__("interp_api").Queue
    if getattr(queue.put, "accepts_arguments_of_313", False):
        return

    def translated(method: Callable[..., None]) -> Callable[..., None]:
        def call(self: Any, obj: object, *args: Any, syncobj: object = None, **kwargs: Any) -> None:
            if "unbound" in kwargs:
                kwargs["unbounditems"] = kwargs.pop("unbound")
            method(self, obj, *args, **kwargs)

        call.accepts_arguments_of_313 = True  # type: ignore[attr-defined]
        return call

    queue.put = translated(queue.put)
    queue.put_nowait = translated(queue.put_nowait)


class _FuturesLoader:
    """3.13 only: `concurrent.futures` gains the lazy name 3.14 has."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._inner.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._inner.exec_module(module)
        own_lookup = module.__getattr__

        def lookup(name: str) -> Any:
            if name == "InterpreterPoolExecutor":
                return __import__("interp_pool").InterpreterPoolExecutor
            return own_lookup(name)

        module.__getattr__ = lookup
