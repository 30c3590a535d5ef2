"""The house: where each file stands, what it may import, and that the tests see the installed packages."""

from __future__ import annotations

import ast
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

import pytest

import interp_api
import interp_pool

# A file imports only from files above it. A new file takes its place here first.
ORDER = {
    "interp_api": [
        "_light_imports",
        "_cpython_313",
        "_cpython_314",
        "_cpython",
        "_errors",
        "_doorbell",
        "_channel",
        "_simple_queue",
        "_token",
        "_tally",
        "_gate",
        "_tracing",
        "_guards",
        "_main_module",
        "_large",
        "_buffers",
        "_callables",
        "_careful_pickler",
        "_function_head",
        "_pieces",
        "_transfer",
        "_unbound",
        "_watch",
        "_queue",
        "_remote",
        "_interpreter",
        "__init__",
    ],
    "interp_pool": [
        "_interrupted",
        "_errors",
        "_lifecycle",
        "_backlog",
        "_messages",
        "_places",
        "_failures",
        "_thread_state",
        "_worker_control",
        "_worker_main",
        "_options",
        "_task_options",
        "_warm",
        "_worker",
        "_ledger",
        "_timer",
        "_stopping",
        "_lazy_future",
        "_future",
        "_reader",
        "_work",
        "_exit",
        "_hooks",
        "_warm_up",
        "_dispatch",
        "_settling",
        "_control",
        "_ending",
        "_statistics",
        "_sizing",
        "_pool",
        "_batching",
        "_map",
        "_view",
        "_executor",
        "__init__",
        "_commands.*",  # among themselves in any order, as the next two
        "demo.*",
        "bench.*",
        "__main__",
    ],
}
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
CHECKOUT = Path(__file__).parents[1]
FILES = sorted(file for package in ORDER for file in (SITE_PACKAGES / package).rglob("*.py"))


def _rank(package: str, module: str) -> int | None:
    for rank, pattern in enumerate(ORDER[package]):
        if fnmatch(module, pattern):
            return rank
    return None


def _module(file: Path) -> tuple[str, str]:
    """Split interp_pool/demo/cli.py into its package, interp_pool, and its name in ORDER, demo.cli."""
    package, *rest = file.relative_to(SITE_PACKAGES).with_suffix("").parts
    return package, ".".join(rest)


class _Imports(ast.NodeVisitor):
    """Collects the dotted names a file takes from our packages, at any depth, with their lines."""

    def __init__(self, file: Path) -> None:
        self.found: list[tuple[int, str]] = []
        self._parents = file.relative_to(SITE_PACKAGES).parts[:-1]
        self._aliases: dict[str, str] = {}
        self.visit(ast.parse(file.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node, alias.name)
            self._aliases[alias.asname or alias.name.partition(".")[0]] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        parents = self._parents[: len(self._parents) - node.level + 1] if node.level else ()
        source = ".".join([*parents, *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            self._add(node, f"{source}.{alias.name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in self._aliases:
            self._add(node, f"{self._aliases[node.value.id]}.{node.attr}")
        self.generic_visit(node)

    def _add(self, node: ast.stmt | ast.expr, name: str) -> None:
        if name.partition(".")[0] in ORDER:
            self.found.append((node.lineno, name))


def _target(name: str) -> tuple[str, str, bool]:
    """Find the file a dotted name comes from, and whether it is a public name of the package itself."""
    package, *rest = name.split(".")
    for length in range(len(rest), 0, -1):
        path = SITE_PACKAGES.joinpath(package, *rest[:length])
        if path.with_suffix(".py").exists():
            return package, ".".join(rest[:length]), False
        if (path / "__init__.py").exists():
            return package, ".".join([*rest[:length], "__init__"]), False
    return package, "__init__", not any(part.startswith("_") and not part.endswith("__") for part in rest)


def _contents(root: Path) -> dict[str, bytes]:
    files = (file for package in ORDER for file in (root / package).rglob("*") if file.suffix in {".py", ".typed"})
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def _objection(package: str, module: str, name: str) -> str | None:
    """Say why this file may not import this name; None when it may."""
    target_package, target, is_public = _target(name)
    if target_package != package:
        if package == "interp_api":
            return "interp_api knows nothing of interp_pool"
        return None if is_public else "interp_pool uses the public names of interp_api"
    here, there = _rank(package, module), _rank(package, target)
    if here is None or there is None or there < here:
        return None
    if here == there and ORDER[package][here].endswith(".*"):
        return None
    return f"{target} does not stand above {module} in ORDER"


@pytest.mark.parametrize("package", [interp_api, interp_pool])
def test_package_under_test_is_the_installed_one(package):
    assert Path(package.__file__).is_relative_to(SITE_PACKAGES)


def test_installed_files_are_those_of_the_checkout():
    """A stale installation would test yesterday's code."""
    assert _contents(SITE_PACKAGES) == _contents(CHECKOUT), "not these sources are installed; run `make setup`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.relative_to(SITE_PACKAGES).parts))
def test_file_imports_only_from_files_above_it(file):
    package, module = _module(file)
    assert _rank(package, module) is not None, f"give {module} its place in ORDER[{package!r}] of test_layout.py"
    objections = {
        f"line {line} imports {name}": objection
        for line, name in _Imports(file).found
        if (objection := _objection(package, module, name))
    }
    assert not objections
