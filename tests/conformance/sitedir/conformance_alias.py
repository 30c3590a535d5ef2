"""Puts interp_api and interp_pool in the place of the standard library's modules, in this interpreter.

Owns the mapping from the standard library's module names to ours. Must not know any test. Imports only what
every interpreter has loaded anyway: the real work starts when one of the names is imported.

What test code sees under a standard name is a stand-in whose public attributes come from our packages; a
name we lack is an AttributeError, never the standard library's own. Our packages themselves need the real
modules (on 3.14+ their exceptions are the standard library's), so the two sets take turns in `sys.modules`:

1. A finder sees every import of a standard name and of our packages.
2. While a module of ours is being executed the real modules are in `sys.modules` and on their parent
   packages.
3. At every other time the stand-ins are. An attribute of a stand-in is looked up in our package at each
   access.
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

if sys.version_info >= (3, 14):
    INTERPRETERS = "concurrent.interpreters"
    QUEUES = "concurrent.interpreters._queues"
    EXECUTOR = "concurrent.futures.interpreter"
else:
    INTERPRETERS = "test.support.interpreters"
    QUEUES = "test.support.interpreters.queues"
    EXECUTOR = "concurrent.futures.interpreter"

# The layer's `_crossinterp` is not here: it holds private constants of the C level, which the tests read
# for their low-level half, so the real one is used.
STANDARD_NAMES = (INTERPRETERS, QUEUES, EXECUTOR)

_real: dict[str, ModuleType] = {}
_stand_ins: dict[str, ModuleType] = {}
_depth = 0


def install() -> None:
    """Install the finder, once per interpreter."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type, unused-ignore]


def _put(name: str, module: ModuleType | None) -> None:
    """Make `module` what an import of `name` gives, or nothing at all."""
    parent_name, _, child = name.rpartition(".")
    parent = sys.modules.get(parent_name)
    if module is None:
        sys.modules.pop(name, None)
        if parent is not None:
            parent.__dict__.pop(child, None)
    else:
        sys.modules[name] = module
        if parent is not None:
            setattr(parent, child, module)


class _RealModules:
    """While entered, the standard names mean the standard library's own modules."""

    def __enter__(self) -> None:
        global _depth
        _depth += 1
        if _depth == 1:
            for name in STANDARD_NAMES:
                if name in sys.modules:
                    _stand_ins[name] = sys.modules[name]
                _put(name, _real.get(name))

    def __exit__(self, *_: object) -> None:
        global _depth
        _depth -= 1
        if _depth == 0:
            for name in STANDARD_NAMES:
                if name in sys.modules:
                    _real[name] = sys.modules[name]
                _put(name, None)
            for name, module in _stand_ins.items():
                _put(name, module)


def _spec_from_others(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if not isinstance(finder, _Finder):
            spec = finder.find_spec(name, path)
            if spec is not None:
                return spec
    return None


class _Finder:
    def find_spec(self, name: str, path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        if name in STANDARD_NAMES:
            return None if _depth else _stand_in_spec(name, path)
        if name.partition(".")[0] in OURS:
            return _with_loader(_spec_from_others(name, path), _OurLoader)
        if name == "concurrent.futures" and sys.version_info < (3, 14):
            return _with_loader(_spec_from_others(name, path), _FuturesLoader)
        return None


def _with_loader(spec: ModuleSpec | None, wrapper: Callable[[Any], Any]) -> ModuleSpec | None:
    if spec is not None and spec.loader is not None:
        spec.loader = wrapper(spec.loader)
    return spec


class _OurLoader:
    """The module's own loader, with the real modules in place while it executes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._inner.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # From here on the module looks as it would without the alias.
        module.__loader__ = module.__spec__.loader = self._inner
        with _RealModules():
            self._inner.exec_module(module)


class _FuturesLoader(_OurLoader):
    """3.13 only: `concurrent.futures` gains the lazy names 3.14 has."""

    def exec_module(self, module: Any) -> None:
        super().exec_module(module)
        own_getattr = module.__getattr__

        def with_interpreter_pool(name: str) -> Any:
            return _executor_attribute(name) if name == "InterpreterPoolExecutor" else own_getattr(name)

        module.__getattr__ = with_interpreter_pool


def _stand_in_spec(name: str, path: Sequence[str] | None) -> ModuleSpec:
    from importlib.machinery import ModuleSpec

    real = _spec_from_others(name, path)
    spec = ModuleSpec(name, _StandInLoader())  # type: ignore[arg-type]
    if real is not None:
        spec.origin = real.origin
        # Keeps the private modules beside it importable.
        spec.submodule_search_locations = real.submodule_search_locations
    return spec


class StandIn(type(sys)):  # type: ignore[misc]
    """A module whose public names are ours; the runner knows it by its type."""


class _StandInLoader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: Any) -> None:
        name: str = module.__name__
        if name == QUEUES and sys.version_info >= (3, 14):
            # The C level imports this name to have the queue types registered. The real module does that,
            # and may not do it after ours has.
            with _RealModules():
                __import__(name)
        module.__dict__["__getattr__"] = _LOOKUPS[name]
        if name == QUEUES and sys.version_info < (3, 14):
            _accept_names_of_313()


def _ours(package: str, name: str, standard_name: str) -> Any:
    if name.startswith("_") and name != "__all__":
        raise AttributeError(name)
    module = __import__(package)
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"{package} has no {name!r}, which {standard_name} has") from None


def _interpreters_attribute(name: str) -> Any:
    return _ours("interp_api", name, INTERPRETERS)


def _executor_attribute(name: str) -> Any:
    return _ours("interp_pool", name, EXECUTOR)


def _queues_attribute(name: str) -> Any:
    if name == "list_all":
        return _list_queues
    if name == "create":
        return (
            _ours("interp_api", "create_queue", QUEUES) if sys.version_info >= (3, 14) else _create_as_in_313
        )
    return _ours("interp_api", name, QUEUES)


def _list_queues() -> list[Any]:
    """List the queues users made: a queue of ours is several at the low level."""
    return list(__import__("interp_api._queue", fromlist=["list_all_queues"]).list_all_queues())


_LOOKUPS = {INTERPRETERS: _interpreters_attribute, QUEUES: _queues_attribute, EXECUTOR: _executor_attribute}


# 3.13's unreleased layer spelled two arguments differently. Documented today: `unbounditems`, and no
# `syncobj` at all (it chose between copying by sharing and by pickling).


def _create_as_in_313(maxsize: int = 0, *, syncobj: bool = False, **kwargs: Any) -> Any:
    return _ours("interp_api", "create_queue", QUEUES)(maxsize, **kwargs)


def _accept_names_of_313() -> None:
    queue: Any = __import__("interp_api").Queue
    if getattr(queue.put, "accepts_names_of_313", False):
        return

    def translated(method: Callable[..., None]) -> Callable[..., None]:
        def call(self: Any, obj: object, *args: Any, syncobj: object = None, **kwargs: Any) -> None:
            if "unbound" in kwargs:
                kwargs["unbounditems"] = kwargs.pop("unbound")
            method(self, obj, *args, **kwargs)

        setattr(call, "accepts_names_of_313", True)  # noqa: B010
        return call

    queue.put = translated(queue.put)
    queue.put_nowait = translated(queue.put_nowait)
