"""What is done inside a worker, and in the main interpreter beside it: import, look, measure.

Owns how the modules of a subject are imported and what is noted of them. Workers import this file; it imports next to
nothing itself. What it returns is made of what JSON knows.
"""

import os
import sys
from functools import partial
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

    from interp_pool.doctor.requests import Error, Findings, Measured, Noted, Request

_ENOUGH = 0.5  # seconds of calls
_MOST_CALLS = 5
_LONGEST = 500  # characters of an error


def look(request: "Request", where: str) -> "Findings":
    """Import what the subject imports; return what that has led to.

    Args:
        request: what to import.
        where: which interpreter this is, for the log.
    """
    sys.path[:0] = [each for each in request["path"] if each not in sys.path]
    _watch(request["log"], where)
    roots: dict[str, Error] = {}
    if request["script"]:
        _keep_error(roots, "__main__", partial(load_script, request["script"]))
    for name, names in request["roots"]:
        _keep_error(roots, name, partial(_import, name, names))
    inner: dict[str, Error] = {}
    for name in request["inner"] if not roots else ():
        _keep_error(inner, name, partial(_import, name, ()))
    extensions: dict[str, Error] = {}
    for name, users in request["extensions"] if not roots else ():
        for user in users:  # it may be one that goes on without
            if not _is_met(name):
                _keep_error({}, user, partial(_import, user, ()))
        if not _is_met(name):
            _keep_error(extensions, name, partial(_import, name, ()))
    noted = _noted()
    bodies: dict[str, Error] = {}
    noted_in_bodies: dict[str, list[Noted]] = {}
    for key, name, names in request["bodies"] if not roots else ():
        same = next((other for other, *what in request["bodies"] if what == [name, names]), key)
        if same == key:
            _keep_error(bodies, key, partial(_import, name, names))
        elif same in bodies:  # to try it again may take long
            bodies[key] = bodies[same]
        before = [*noted, *(each for several in noted_in_bodies.values() for each in several)]
        noted_in_bodies[key] = [each for each in _noted() if each not in before]
    return {
        "roots": roots,
        "inner": inner,
        "extensions": extensions,
        "bodies": bodies,
        "noted": noted,
        "noted_in_bodies": noted_in_bodies,
        "loaded": sorted(name for name, module in [*sys.modules.items()] if _is_extension(name, module)),
        "files": _files(),
    }


def load_script(path: str) -> None:
    """Load a script as a worker does: under the name of multiprocessing's convention, without its guarded part."""
    import runpy

    runpy.run_path(path, run_name="__mp_main__")


def measure(request: "Request") -> "Measured":
    """Call the function of the subject, without arguments; return the seconds of its fastest call, or why not."""
    from inspect import Parameter, signature
    from time import perf_counter

    function: Any = import_module(request["roots"][0][0])
    try:
        for part in request["function"].split("."):
            function = getattr(function, part)
    except AttributeError:
        return {"missing": True}
    try:
        needed = [
            parameter.name
            for parameter in signature(function).parameters.values()
            if parameter.default is Parameter.empty
            and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        needed = []
    if needed:
        return {"why_not": f"it takes arguments: {', '.join(needed)}"}
    if _is_coroutine(function):
        return {"why_not": "it is a coroutine function"}
    started, seconds = perf_counter(), list[float]()
    try:
        function()  # it may import
        while len(seconds) < _MOST_CALLS and (not seconds or perf_counter() - started < _ENOUGH):
            begun = perf_counter()
            function()
            seconds.append(perf_counter() - begun)
    except BaseException as exc:
        return {"error": _error(exc), "noted": _noted()}
    return {"seconds": min(seconds), "noted": _noted()}


def _is_coroutine(function: "Any") -> bool:
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function)


def _is_met(name: str) -> bool:
    return name in sys.modules or any(each["module"] == name for each in _noted())


def _import(name: str, names: "Sequence[str]") -> None:
    module: ModuleType = import_module(name)
    for each in names:
        if not hasattr(module, each) and hasattr(module, "__path__"):
            import_module(f"{name}.{each}")


def _keep_error(errors: "dict[str, Error]", key: str, action: "Callable[[], object]") -> None:
    try:
        action()
    except BaseException as exc:  # a module may exit, or raise whatever it likes
        errors[key] = _error(exc)


def _error(exc: BaseException) -> "Error":
    from interp_pool._wire.refused import find_refusal

    try:
        text = str(exc).strip()[:_LONGEST]
        found = find_refusal(exc, "loading")
    except Exception:
        text, found = "", None  # an exception whose own text cannot be made
    kind = type(exc).__name__
    if found is None:
        return {"type": kind, "text": text, "module": "", "chain": [], "is_refusal": False}
    (_, module, chain, _), _, known = found
    return {"type": kind, "text": known, "module": module, "chain": [*chain], "is_refusal": True}


def _noted() -> "list[Noted]":
    """Return the refusals that the worker has noted, and what has gone on without."""
    from interp_pool._wire.refused import find_replaced
    from interp_pool._worker.baseline import refused

    noted: dict[str, Noted] = {}
    for each in refused:
        replaced = find_replaced([each])
        user = replaced[0][1] if replaced else ""
        (_, module, chain, _), _, _ = each
        if module not in noted or not noted[module]["user"]:
            noted[module] = {"module": module, "chain": [*chain], "user": user}
    return [*noted.values()]


def _files() -> dict[str, str]:
    origins = (
        (name, getattr(getattr(module, "__spec__", None), "origin", None)) for name, module in [*sys.modules.items()]
    )
    return {name: origin for name, origin in origins if origin and origin.endswith(".py") and _is_foreign(name)}


def _is_foreign(name: str) -> bool:
    return name.partition(".")[0] not in {*sys.stdlib_module_names, "interp_pool", "interp_api", "__mp_main__"}


def _is_extension(name: str, module: object) -> bool:
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return type(loader).__name__ == "ExtensionFileLoader" and _is_foreign(name)


def _watch(log: str, where: str) -> None:
    """Have a line written to the log before and after an extension module is loaded: it may crash the process."""
    loader: Any = sys.modules["_frozen_importlib_external"].ExtensionFileLoader
    for method in (loader.create_module, loader.exec_module):

        def load(self: "Any", given: "Any", method: "Any" = method) -> object:
            write(log, f"begin {where} {self.name}")
            try:
                return method(self, given)
            finally:
                write(log, f"end {where} {self.name}")

        setattr(loader, method.__name__, load)


def write(log: str, line: str) -> None:
    """Append a line, whoever else does so."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
