"""Packages with an extension module that cannot be loaded in a worker: a copy of one of the standard library's."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

WITH_FALLBACK = "try:\n    from {package} import {native}\nexcept ImportError:\n    {native} = None\n"
WITHOUT = "from {package} import {native}\n"


def write_package(folder, package, init=WITH_FALLBACK):
    """Write a package around an extension module; return the module's full name."""
    for native in ("_testsinglephase", "readline", "_curses"):
        spec = importlib.util.find_spec(native)
        if spec is not None and spec.has_location:
            break
    else:
        pytest.skip("this Python has no extension module in a file that cannot be loaded in a worker")
    home = Path(folder, package)
    home.mkdir()
    (home / "__init__.py").write_text(init.format(package=package, native=native))
    shutil.copy(spec.origin, home)
    return f"{package}.{native}"
