"""What a file imports, and where: read from its text.

Owns which imports stand in the body of a function, where routing cannot see them, and which of a script's are done by
a worker that loads it. It runs nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BodyImport", "body_imports", "has_guard", "is_main_guard", "own_imports"]

_HANDLED = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_NEVER = {
    "antigravity",
    "this",
    "__main__",
    "__future__",
}  # which do something when they are imported, or are no module

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class BodyImport:
    """An import in the body of a function.

    Attributes:
        module: what is imported.
        names: what of it; each may be a submodule.
        function: the function of the file, or method, that it is in.
        line: where.
        is_guarded: whether the function goes on without.
    """

    module: str
    names: tuple[str, ...]
    function: str
    line: int
    is_guarded: bool


def body_imports(tree: ast.Module, module: str, *, is_package: bool = False) -> list[BodyImport]:
    """Return the imports in the functions of a file."""
    package = module if is_package else module.rpartition(".")[0]
    return [
        BodyImport(name, names, function, node.lineno, is_guarded)
        for node, function, is_guarded in _walk(tree.body, "", False)
        if function
        for name, names in _imported(node, package)
    ]


def own_imports(tree: ast.Module) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a script imports when a worker loads it, without its `if __name__ == "__main__":`."""
    return [
        found
        for node, function, is_guarded in _walk(tree.body, "", False)
        if not function and not is_guarded
        for found in _imported(node, "")
    ]


def has_guard(tree: ast.Module) -> bool:
    """Return whether a script has `if __name__ == "__main__":`."""
    return any(is_main_guard(node) for node in tree.body)


def _walk(
    body: list[ast.stmt], function: str, is_guarded: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str, bool]]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, function.removesuffix("."), is_guarded
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = function if function and not function.endswith(".") else f"{function}{node.name}"
            yield from _walk(node.body, inner, is_guarded and bool(function.rstrip(".")))
        elif isinstance(node, ast.ClassDef):
            inside = _walk(node.body, function or f"{node.name}.", is_guarded)
            # What stands in the body of a class is imported with the file.
            yield from ((each, name if "." in name or function else "", guard) for each, name, guard in inside)
        elif isinstance(node, ast.If):
            if not _is_for_types(node) and not is_main_guard(node):
                yield from _walk(node.body, function, is_guarded)
            yield from _walk(node.orelse, function, is_guarded)
        elif isinstance(node, ast.Try | ast.TryStar):
            guarded = is_guarded or any(map(_handles, node.handlers))
            yield from _walk(node.body, function, guarded)
            for handler in node.handlers:
                yield from _walk(handler.body, function, is_guarded)
            yield from _walk(node.orelse + node.finalbody, function, is_guarded)
        elif isinstance(node, ast.With | ast.AsyncWith):
            yield from _walk(node.body, function, is_guarded or any(map(_suppresses, node.items)))
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            yield from _walk(node.body + node.orelse, function, is_guarded)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                yield from _walk(case.body, function, is_guarded)


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]]
    if isinstance(node, ast.Import):
        found = [(alias.name, ()) for alias in node.names]
    else:
        parts = package.split(".") if package else []
        base = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        found = [(module, tuple(alias.name for alias in node.names if alias.name != "*"))]
    yield from ((name, names) for name, names in found if name and name.partition(".")[0] not in _NEVER)


def is_main_guard(node: ast.stmt) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    is_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return is_name and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def _is_for_types(node: ast.If) -> bool:
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _handles(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind).rpartition(".")[2] in _HANDLED for kind in kinds)


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    return (
        isinstance(call, ast.Call)
        and ast.unparse(call.func).rpartition(".")[2] == "suppress"
        and any(ast.unparse(kind).rpartition(".")[2] in _HANDLED for kind in call.args)
    )
