"""Which names of the main module another interpreter finds, when it has loaded that module from its file.

All of them, if the module has a guard and binds none of them behind it. Not what is bound under the guard: the copy
does not run that. None, if there is no guard, since loading such a module runs the whole program again, or if somebody
sits at a prompt, who defines what no file has. What is not found goes by value where cloudpickle is installed.

The guard is looked for in the text, which takes microseconds; only a module that defines something behind the guard is
parsed. A worker does not decide: what it has of the main module it has from the copy.
"""

import sys

from interp_api._pickling.main_module import is_main_copied, note_main
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Container, Iterable, Iterator
    from typing import TypeGuard

MAINS = ("__main__", "__mp_main__")
_GUARD = rb"^[^\s#].*(?:\b__name__\b.*__main__|__main__.*\b__name__\b)"
_DEFINES = rb"^[ \t]+(?:async[ \t]|def|class)\b|\b(?:namedtuple|Enum|Flag)\("


class _All:
    def __contains__(self, name: object) -> bool:
        return True


_ALL = _All()
_known: "tuple[bytes, Container[str]]" = b"", _ALL  # the source looked at last, and the names found


def finds_all() -> bool:
    """Return whether every name of the main module is found."""
    return _names() is _ALL


def finds_none() -> bool:
    """Return whether no name of the main module is found."""
    return _names() == ()


def is_found_in_main(name: str) -> bool:
    """Return whether an object of the main module is found by its dotted name."""
    return name.partition(".")[0] in _names()


def _names() -> "Container[str]":
    global _known
    if not IS_MAIN_INTERPRETER:
        return _ALL if is_main_copied() else ()
    note = note_main()
    if note is None or hasattr(sys, "ps1"):
        return ()
    source = note[1]
    if source is None:
        return _ALL
    if _known[0] is not source:
        _known = source, _names_in(source)
    return _known[1]


def _names_in(source: bytes) -> "Container[str]":
    import re

    guard = re.search(_GUARD, source, re.MULTILINE)
    if guard is None:
        return ()
    if not re.search(_DEFINES, source[guard.end() :], re.MULTILINE):
        return _ALL
    import ast

    try:
        names = frozenset(_bound(ast.parse(source).body))
        return _ALL if "*" in names else names
    except (SyntaxError, ValueError, RecursionError):
        return _ALL  # a .pyc file, say


def _bound(body: "Iterable[ast.stmt]") -> "Iterator[str]":
    """Yield the names that statements bind in their module, but for those under a guard."""
    import ast

    for statement in body:
        if isinstance(statement, ast.If) and _is_guard(statement.test):
            yield from _bound(statement.orelse)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
        else:
            for part in ast.iter_child_nodes(statement):
                if isinstance(part, ast.stmt):
                    yield from _bound([part])
                elif isinstance(part, ast.ExceptHandler | ast.match_case):
                    yield from _bound(part.body)
                else:
                    yield from (each.id for each in ast.walk(part) if _is_bound(each))


def _is_bound(node: "ast.AST") -> "TypeGuard[ast.Name]":
    import ast

    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _is_guard(test: "ast.expr") -> bool:
    import ast

    parts = [*ast.walk(test)]
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in parts) and any(
        isinstance(part, ast.Constant) and part.value == "__main__" for part in parts
    )
