"""The tables of what an interpreter forgets name things that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import interp_api
import interp_pool
from interp_pool._worker import reset, standard_library


def test_what_is_set_back_exists():
    """A name that is wrong would silently have every interpreter closed."""
    for module, names in reset._LASTING_EXIT_FUNCTIONS:
        found = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
        assert callable(found)
    for module, *names in standard_library._ORIGINALS:
        assert all(callable(getattr(importlib.import_module(module), name)) for name in names)
    for module, name, _ in standard_library._VALUES:
        assert hasattr(importlib.import_module(module), name)
    for module, step in standard_library._STEPS:
        assert importlib.import_module(module)
        assert callable(step)


@pytest.mark.parametrize("package", [interp_api, interp_pool])
def test_exit_functions_of_our_own_are_not_run_before_the_end(package):
    """One that is missing in the table would end a part of the interpreter while that goes on."""
    root = Path(package.__file__).parents[1]
    for file in root.joinpath(package.__name__).rglob("*.py"):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        for name in re.findall(r"atexit\.register\((\w+)\)", file.read_text(encoding="utf-8")):
            if file.name != "reset.py":
                assert (module, name) in reset._LASTING_EXIT_FUNCTIONS
