"""Extension modules that other packages import when their functions are called, read from their files.

Owns how these are found: in a package that was loaded there is an extension module that was not, and a function of a
loaded module imports it in its body, and does not go on without. It runs nothing.
"""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from interp_pool.doctor.imports import BodyImport, body_imports

__all__ = ["late_imports"]


def late_imports(files: Mapping[str, str], met: set[str]) -> list[BodyImport]:
    """Return imports that the functions of loaded modules have in their bodies, of extension modules of their packages.

    Args:
        files: of the loaded modules, by name.
        met: the extension modules that are known already.
    """
    found: list[BodyImport] = []
    for package, file in files.items():
        if "." in package or not file.endswith("__init__.py"):
            continue
        unmet = {name for name in _extensions(package, os.path.dirname(file)) if name not in met}
        last = b"|".join(sorted(re.escape(name.rpartition(".")[2].encode()) for name in unmet))
        statement = re.compile(rb"^[ \t]+(?:from|import)\b[^\n]*\b(?:" + last + rb")\b", re.MULTILINE)
        for module, path in files.items() if unmet else ():
            if module.partition(".")[0] == package:
                found += _imports(module, path, unmet, statement)
    return found


def _extensions(package: str, folder: str) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        inner = Path(place).relative_to(folder).parts
        for file in files:
            suffix = next((suffix for suffix in EXTENSION_SUFFIXES if file.endswith(suffix)), None)
            if suffix is not None:
                yield ".".join((package, *inner, file.removesuffix(suffix)))


def _imports(module: str, path: str, unmet: set[str], statement: re.Pattern[bytes]) -> Iterator[BodyImport]:
    try:
        text = Path(path).read_bytes()
        tree = ast.parse(text) if statement.search(text) else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return
    for body in body_imports(tree, module, is_package=path.endswith("__init__.py")):
        wanted = {body.module, *(f"{body.module}.{name}" for name in body.names)}
        if wanted & unmet and not body.is_guarded:
            yield replace(body, function=f"{module}:{body.function}")
