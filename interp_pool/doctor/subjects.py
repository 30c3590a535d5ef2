"""What is examined: a module, a function, a script or a distribution, found without importing anything of it.

Owns how what the user names is found, and which modules and files it has. It must not know what is found out about
them. Invariant: no code of the target runs in this process.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from itertools import islice
from pathlib import Path

__all__ = ["Source", "Subject", "TargetError", "find_installed", "find_required", "find_target"]

_NOT_EXAMINED = ("test", "tests", "__pycache__")  # folders
_MOST_SOURCES = 2000  # files of a package
_MOST_INNER = 50  # modules of a distribution that are imported besides the roots
_PROGRAMS = ("__main__", "conftest", "setup")  # modules
_OURS = ("interp_pool", "interp_api")


class TargetError(Exception):
    """There is no such target."""


@dataclass(frozen=True)
class Source:
    """A file of Python.

    Attributes:
        path: where it is.
        module: what it is called when it is imported.
        is_package: whether relative imports start in it.
    """

    path: str
    module: str
    is_package: bool = False


@dataclass(frozen=True)
class Subject:
    """One thing that is examined in a process of its own.

    Attributes:
        name: as it is shown.
        kind: "module", "function", "script" or "distribution".
        roots: the modules it is made of, which are imported.
        function: the name of the function in its module, or "".
        script: the path of the script, or "".
        inner: modules in these, which are imported if the roots can be.
        extensions: extension modules that belong to it; they are imported if the roots can be.
        sources: its files, which are read.
        version: of the distribution, or "".
    """

    name: str
    kind: str
    roots: tuple[str, ...] = ()
    function: str = ""
    script: str = ""
    inner: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    version: str = ""

    @property
    def route(self) -> tuple[str, ...]:
        """What sends all its functions, as far as they are known, somewhere else."""
        if self.kind == "function":
            return (f"{self.roots[0]}:{self.function}",)
        if self.kind == "distribution":
            return ("module:function",)  # whatever uses it
        return ("__main__.*",) if self.kind == "script" else tuple(f"{root}.*" for root in self.roots)


def find_target(text: str) -> Subject:
    """Find a script by its path, or a module, or a function of one, by name.

    Raises:
        TargetError: there is none.
    """
    if text.endswith((".py", ".pyw")) or os.sep in text or os.path.isfile(text):
        if not os.path.isfile(text):
            raise TargetError(f"there is no script {text!r}")
        return Subject(text, "script", script=os.path.abspath(text), sources=(Source(text, "__main__"),))
    module, colon, function = text.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        raise TargetError(f"{text!r} is neither a script nor the name of a module")
    if colon and not all(part.isidentifier() for part in function.split(".")):
        raise TargetError(f"{text!r} names no function: it must be MODULE:FUNCTION")
    spec = _find_spec(module)
    if spec is None:
        raise TargetError(f"there is no module {module!r}")
    if colon:
        origin = spec.origin or ""
        own = (Source(origin, module, bool(_places(spec))),) if _is_source(origin) else ()
        return Subject(text, "function", (module,), function, sources=own)
    sources = tuple(_sources(spec))
    inner = tuple(source.module for source in sources if _is_imported(source) and source.module != module)
    return Subject(text, "module", (module,), inner=inner, extensions=_extensions(spec), sources=sources)


def find_required(path: str) -> list[Subject]:
    """Find the distributions that a file of requirements names, and those that it includes.

    A requirement with a condition, as in `; python_version < "3.9"`, may not be installed.

    Raises:
        TargetError: there is no such file, or something is not installed.
    """
    found: dict[str, Subject] = {}
    missing: list[str] = []
    for name, is_conditional in _requirements(path, set()):
        try:
            subject = _of_distribution(distribution(name))
        except PackageNotFoundError:
            if not is_conditional:
                missing.append(name)
            continue
        if subject.roots:
            found[subject.name] = subject
    if missing:
        raise TargetError(f"{path}: not installed: {', '.join(missing)}")
    return [*found.values()]


def find_installed() -> list[Subject]:
    """Find the distributions that are installed, but for this one."""
    found = {subject.name: subject for subject in map(_of_distribution, distributions()) if subject.roots}
    return sorted(found.values(), key=lambda subject: subject.name.lower())


def _requirements(path: str, seen: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield each name with whether it has a condition."""
    if path in seen:
        return
    seen.add(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise TargetError(f"cannot read {path!r}: {exc}") from exc
    for line in text.replace("\\\n", " ").splitlines():
        if included := re.match(r"\s*(?:-r|--requirement)[\s=]+(\S+)", line):
            yield from _requirements(os.path.join(os.path.dirname(path), included[1]), seen)
        elif named := re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:$|[\[<>=!~;@#,( ])", line):
            yield named[1], ";" in line


def _of_distribution(dist: Distribution) -> Subject:
    name: str = dist.metadata["Name"] or "?"
    roots: dict[str, dict[str, None]] = {}  # and what is in them, of this distribution
    extensions: list[str] = []
    sources: list[Source] = []
    for file in dist.files or ():
        parts = _module_parts(file.parts)
        if parts is None or parts[0] in _OURS:
            continue
        if file.name.endswith(tuple(EXTENSION_SUFFIXES)):
            if not set(_NOT_EXAMINED) & set(parts):
                extensions.append(".".join(parts))
        elif not set(_NOT_EXAMINED) & set(parts):
            path = str(dist.locate_file(file))
            sources.append(Source(path, ".".join(parts), file.name == "__init__.py"))
        if not parts[0].startswith("_") and parts[0] not in _NOT_EXAMINED:
            roots.setdefault(parts[0], {})[".".join(parts[:2])] = None
    found = tuple(each for root, inner in roots.items() for each in _importable(root, inner))
    # Of all that is installed not everything is imported: what is public and not deep.
    inner = [source.module for source in sources if source.module.count(".") == 1 and _is_imported(source)]
    public = [module for module in inner if "._" not in module and module not in found][:_MOST_INNER]
    return Subject(
        name,
        "distribution",
        found,
        inner=tuple(public),
        extensions=tuple(extensions),
        sources=tuple(sources),
        version=dist.version or "",
    )


def _module_parts(parts: tuple[str, ...]) -> list[str] | None:
    """Return the parts of the name of the module that a file is; None if it is none."""
    last = parts[-1]
    suffix = next((suffix for suffix in (*EXTENSION_SUFFIXES, ".py") if last.endswith(suffix)), None)
    if suffix is None:
        return None
    names = [*parts[:-1], last.removesuffix(suffix)]
    names = names[:-1] if names[-1] == "__init__" else names
    return names if names and all(name.isidentifier() for name in names) else None


def _is_imported(source: Source) -> bool:
    """Return whether a module is one to import: no program, and no test."""
    last = source.module.rpartition(".")[2]
    return last not in _PROGRAMS and not last.startswith("test_") and not last.endswith("_test")


def _importable(root: str, inner: Iterable[str]) -> list[str]:
    """Return what stands for a top-level module: itself, or what is in it, if several distributions share it."""
    spec = _find_spec(root)
    if spec is None:
        return []
    return [root] if spec.origin is not None else [name for name in inner if not name.partition(".")[2].startswith("_")]


def _find_spec(name: str) -> ModuleSpec | None:
    """Do what importlib.util.find_spec does without importing the packages that a module is in."""
    places: list[str] | None = None
    spec = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = _ask_finders(".".join(parts[:count]), places)
        if spec is None:
            return None
        places = _places(spec)
        if not places and count < len(parts):
            return None
    return spec


def _ask_finders(name: str, places: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, places)
        except (ImportError, KeyError, AttributeError):
            continue  # a finder that wants the package to be loaded
        if spec is not None:
            return spec
    return None


def _places(spec: ModuleSpec) -> list[str]:
    """Return the folders of a package; none if it is a module, or nobody can say without importing its parent."""
    places = spec.submodule_search_locations
    if places is None:
        return []
    try:
        return [*places]
    except KeyError:
        return [*getattr(places, "_path", ())]  # a namespace package in another package


def _is_source(origin: str | None) -> bool:
    return origin is not None and origin.endswith(".py") and os.path.isfile(origin)


def _sources(spec: ModuleSpec) -> Iterator[Source]:
    """Yield the files of a module, or of a package with all that is in it."""
    if not _places(spec):
        if spec.origin is not None and _is_source(spec.origin):
            yield Source(spec.origin, spec.name)
        return
    for path, parts in islice(_files(spec, (".py",)), _MOST_SOURCES):
        yield Source(path, ".".join(parts), path.endswith("__init__.py"))


def _extensions(spec: ModuleSpec) -> tuple[str, ...]:
    return tuple(".".join(parts) for _, parts in _files(spec, tuple(EXTENSION_SUFFIXES)))


def _files(spec: ModuleSpec, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    for place in _places(spec):
        for folder, folders, files in os.walk(place):
            folders[:] = sorted(name for name in folders if name not in _NOT_EXAMINED and name.isidentifier())
            for file in sorted(files):
                relative = Path(folder, file).relative_to(place).parts
                parts = _module_parts((*spec.name.split("."), *relative)) if file.endswith(suffixes) else None
                if parts is not None:
                    yield os.path.join(folder, file), parts
