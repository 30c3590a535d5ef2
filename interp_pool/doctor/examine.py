"""One subject from its files to its diagnosis.

Owns what is asked of the child, and what is read in the subject's files.
"""

import ast
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from interp_pool.doctor.callers import sources_beside, tasks_that_reach
from interp_pool.doctor.child import Probe, ask
from interp_pool.doctor.handed import Handed, Names, functions_of, read_file
from interp_pool.doctor.idioms import Idiom, find_idioms
from interp_pool.doctor.imports import BodyImport, body_imports, has_guard, own_imports
from interp_pool.doctor.late import late_imports
from interp_pool.doctor.subjects import Source, Subject, TargetError
from interp_pool.doctor.verdict import Diagnosis, diagnose

if TYPE_CHECKING:
    from interp_pool.doctor.requests import Request

__all__ = ["examine"]

_MOST_FILES = 200  # of the program's own that are read
_MOST_USERS = 3  # modules that are imported for one extension module


@dataclass(frozen=True)
class _Read:
    """What the files of a subject say."""

    bodies: list[BodyImport]
    tasks: list[str]
    idioms: list[Idiom]
    roots: list[tuple[str, list[str]]]
    script: str


def examine(subject: Subject, timeout: float) -> tuple[Diagnosis, list[Idiom]]:
    """Examine a subject in child processes that have so many seconds each.

    Raises:
        TargetError: its module has no such function.

    Blocks:
        Until the children are gone.
    """
    read = _read(subject)
    request: Request = {
        "path": [*([str(Path(subject.script).parent)] if subject.script else []), *filter(None, sys.path)],
        "roots": read.roots,
        "script": read.script,
        "function": subject.function,
        "inner": [*subject.inner],
        "extensions": [(name, _users(name, subject)) for name in subject.extensions],
        "bodies": _bodies(read.bodies),
        "log": "",
        "only_main": False,
    }
    probe = ask(request, timeout)
    if probe.reason and request["inner"]:  # one of them may be a program, which runs when it is imported
        request["inner"] = []
        probe = ask(request, timeout)
    if probe.answer.get("measured_in_main", {}).get("missing"):
        raise TargetError(f"there is no function {subject.function!r} in module {subject.roots[0]!r}")
    late = _late(subject, probe)
    if late:
        read.bodies.extend(late)
        request["bodies"] = _bodies(read.bodies)
        probe = ask(request, timeout)
    alone = ask({**request, "only_main": True}, timeout) if _is_in_doubt(probe) else None
    return diagnose(subject, probe, read.bodies, read.tasks, alone, late=len(late)), read.idioms


def _bodies(bodies: list[BodyImport]) -> list[tuple[str, str, list[str]]]:
    return [(str(number), each.module, [*each.names]) for number, each in enumerate(bodies)]


def _late(subject: Subject, probe: Probe) -> list[BodyImport]:
    """Return what other packages import when their functions are called, if the subject's modules can be loaded."""
    first = probe.answer.get("first")
    if first is None or first["roots"] or subject.kind == "distribution":
        return []
    own = {source.module for source in subject.sources}
    files = {name: file for name, file in first["files"].items() if name not in own}
    return late_imports(files, {*first["loaded"], *(each["module"] for each in first["noted"])})


def _is_in_doubt(probe: Probe) -> bool:
    """Return whether the subject cannot be imported in the main interpreter, which may be for a worker has it."""
    main = probe.answer.get("main")
    return bool(main["roots"]) if main is not None else bool(probe.reason)


def _read(subject: Subject) -> _Read:
    read = _Read([], [], [], [(root, []) for root in subject.roots], subject.script)
    modules = {source.module for source in subject.sources}
    files: dict[str, Handed] = {}
    elsewhere: list[tuple[str, str]] = []
    bodies: list[BodyImport] = []
    for source in subject.sources if subject.kind != "distribution" else ():
        tree = _tree(source)
        if tree is None:
            continue  # a template, or for another Python; who imports it says so
        handed = files[source.module] = read_file(tree, subject.function, _package(source))
        read.idioms.extend(find_idioms(tree, _shown(source.path), handed))
        read.tasks.extend(f"{source.module}:{name}" for name in sorted(handed.tasks))
        elsewhere += [(module, name) for module, _, name in (each.rpartition(".") for each in sorted(handed.elsewhere))]
        bodies += _bodies_of(tree, source)
        if subject.script and not has_guard(tree):
            # A worker that loads it would run the whole program: its imports are tried alone.
            read = replace(read, roots=[(name, [*names]) for name, names in own_imports(tree)], script="")
    beside = _read_beside(subject, files) if subject.kind in ("script", "function") else {}
    read.tasks.extend(f"{module}:{name}" for module, name in elsewhere if module in modules or module in beside)
    bodies += [body for several in beside.values() for body in several]
    reached = tasks_that_reach(files, subject.route if subject.function else read.tasks)
    for body in bodies:
        module = body.function.partition(":")[0]
        if module in beside or subject.function:
            names = reached.get(body.function, ())
        else:
            names = reached.get(body.function, (body.function,))
        read.bodies.extend(replace(body, function=name) for name in names)
    return read


def _read_beside(subject: Subject, files: dict[str, Handed]) -> dict[str, list[BodyImport]]:
    """Read the files of the program that its own import; return the imports in their functions, by module."""
    found: dict[str, list[BodyImport]] = {}
    open_ = [*subject.sources]
    root = str(Path(subject.sources[0].path).resolve().parent) if subject.sources else ""
    if subject.function and subject.sources:
        own = subject.sources[0]
        root = str(Path(own.path).resolve().parents[own.module.count(".") + own.is_package])
    while open_ and len(files) < _MOST_FILES:
        source = open_.pop()
        if source.module not in files:
            continue
        for other in sources_beside(source, files[source.module], root):
            tree = None if other.module in files else _tree(other)
            if tree is not None:
                files[other.module] = Handed(Names(tree, _package(other)), functions_of(tree))
                found[other.module] = _bodies_of(tree, other)
                open_.append(other)
    return found


def _tree(source: Source) -> ast.Module | None:
    try:
        return ast.parse(Path(source.path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _package(source: Source) -> str:
    return source.module if source.is_package else source.module.rpartition(".")[0]


def _bodies_of(tree: ast.Module, source: Source) -> list[BodyImport]:
    bodies = body_imports(tree, source.module, is_package=source.is_package)
    return [replace(each, function=f"{source.module}:{each.function}") for each in bodies]


def _users(extension: str, subject: Subject) -> list[str]:
    """Return modules of the subject that seem to import one of its extension modules."""
    last = re.escape(extension.rpartition(".")[2]).encode()
    statement = re.compile(rb"^[ \t]*(?:from|import)\b[^\n]*\b" + last + rb"\b", re.MULTILINE)
    found: list[str] = []
    for source in subject.sources:
        try:
            text = Path(source.path).read_bytes()
        except OSError:
            continue
        if statement.search(text):
            found.append(source.module)
    return found[:_MOST_USERS]


def _shown(path: str) -> str:
    """Return a path as the user would write it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
