"""Modules that the program has and no worker finds on `sys.path`: loaded from a file by their location. Runs INSIDE.

pytest loads test modules so with `--import-mode=importlib`, and other programs their plugins. A forked child has them.
A worker looks for them, by asking the program, from when a task could not be unpickled for want of one: programs that
try to import what may not be installed pay nothing.
"""

import sys

from interp_pool._worker.parent import LOCATION, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any


def find_like_program(name: str | None) -> bool:
    """Have modules looked for in the program that are not found otherwise; return whether that one would be."""
    finder = _Finder()
    if not name or finder.find_spec(name) is None:
        return False
    if not any(type(each) is _Finder for each in sys.meta_path):
        sys.meta_path.append(finder)
    return True


class _Finder:
    """The last finder: what the others do not find is loaded from where the program has it from."""

    def find_spec(self, name: str, *_where: object) -> "ModuleSpec | None":
        from importlib.machinery import ModuleSpec
        from importlib.util import spec_from_file_location

        found: Any = ask(LOCATION + name)
        if found is None:
            return None
        file, places = found
        locations: list[str] | None = None if places is None else [*places]
        if file is not None:
            return spec_from_file_location(name, file, submodule_search_locations=locations)
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = locations
        return spec
