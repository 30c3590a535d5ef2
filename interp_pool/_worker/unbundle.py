"""The inside of `_workers.bundle`: runs in a new interpreter, before that has any module of ours.

It must not import what is not loaded in every interpreter from its beginning. It stands in for the import statement
while our modules load, as the import system itself takes longer to find a module than most take to run.
"""

import builtins
import marshal
import sys
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import SOURCE_SUFFIXES, FileFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    # Where the source is, where the compiled file would be, where its submodules are if it is a package, and from
    # where to where its marshalled code is.
    type Entry = tuple[str, str | None, list[str] | None, int, int]


class _Bundle:
    """Loads modules that are in the bundle, as if they had been found in the file system."""

    def __init__(self, entries: "dict[str, Entry]", codes: memoryview) -> None:
        self._entries, self._codes = entries, codes
        self._import_other = builtins.__import__

    def import_module(
        self,
        name: str,
        names: "Any" = None,
        other_names: "Any" = None,
        fromlist: "Any" = (),
        level: int = 0,
    ) -> "ModuleType":
        """Do what `builtins.__import__` does."""
        if name not in self._entries:
            return self._import_other(name, names, other_names, fromlist, level)
        module = self._have(name)
        for each in fromlist or ():
            submodule = f"{name}.{each}"
            if submodule in self._entries and not hasattr(module, each):
                self._have(submodule)
        return module if fromlist else sys.modules[name.partition(".")[0]]

    def _have(self, name: str) -> "ModuleType":
        if name not in sys.modules:
            return self._load(name)
        if sys.modules[name] is None:  # pyright: ignore[reportUnnecessaryComparison]  # as a program says "not this one"
            self._import_other(name)  # which raises what that means
        return sys.modules[name]

    def _load(self, name: str) -> "ModuleType":
        parent_name, _, own_name = name.rpartition(".")
        parent = self._have(parent_name) if parent_name else None
        origin, cached, places, start, end = self._entries[name]
        spec = ModuleSpec(name, SourceFileLoader(name, origin), origin=origin)
        spec.submodule_search_locations = places
        spec.cached = cached
        spec.has_location = True
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            exec(marshal.loads(self._codes[start:end]), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        for place in places or ():  # what is not loaded yet is found there, should a task spoil `sys.path_hooks`
            sys.path_importer_cache.setdefault(place, FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)))
        if parent is not None:
            setattr(parent, own_name, module)
        return module


def load(entries: "dict[str, Entry]", codes: memoryview, names: tuple[str, ...]) -> None:
    """Import modules, and take what is in the bundle from there."""
    bundle: Any = _Bundle(entries, codes)
    import_other = builtins.__import__
    builtins.__import__ = bundle.import_module
    try:
        for name in names:
            bundle.import_module(name)
    finally:
        builtins.__import__ = import_other
