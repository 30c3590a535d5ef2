"""What follows from what a child has told: a verdict for each module, where the functions will run, what to write.

Owns these decisions. Invariant: every function is pure.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interp_pool._wire.known_packages import cost_of, pure_wheel_of
from interp_pool.doctor.child import Probe
from interp_pool.doctor.imports import BodyImport
from interp_pool.doctor.requests import Error, Findings, Measured
from interp_pool.doctor.subjects import Subject

__all__ = ["Diagnosis", "Module", "diagnose"]

LOADS, REFUSED, REPLACED = "loads", "refused", "silently replaced"
SECOND, CRASHES = "breaks on the second interpreter", "crashes"
STAYS, FALLS_BACK, MUST_BE_NAMED, NOWHERE = "interpreters", "fallback", "route", "nowhere"
_WORST = (CRASHES, SECOND, REFUSED, REPLACED, LOADS)
_MOST_ROUTES = 8  # of more only the packages are named
_MATTERS = 1.2  # times as long; below that it is noise


@dataclass(frozen=True)
class Module:
    """One extension module.

    Attributes:
        name: in full.
        verdict: one of the words above.
        chain: who imports whom, down to it.
        user: the module that goes on without, if it is replaced.
        cost: what that costs, as far as it is known, in words.
        pure_wheel: a wheel of the package that has no extension modules, if one is known.
        functions: what to name in `route=[...]`: the functions in whose bodies it is imported, or those that are known
            if it is imported by a function of another package; empty if it is imported with the module.
        is_late: whether a function of another package imports it.
    """

    name: str
    verdict: str
    chain: tuple[str, ...] = ()
    user: str = ""
    cost: str = ""
    pure_wheel: str = ""
    functions: tuple[str, ...] = ()
    is_late: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What is found out about a subject.

    Attributes:
        subject: it.
        works: whether all of it works in interpreters.
        modules: the extension modules that were met, the worst first.
        errors: what went wrong otherwise, in words.
        routing: "interpreters", "fallback" (goes to processes with fallback="process"), "route" (must be named), or
            "nowhere": it cannot be imported in the main interpreter either.
        write: a line of code, or "".
        factor: how many times as long the function takes in a worker; None if that was not measured.
        seconds: of the function in a worker and in the main interpreter.
        not_measured: why not, or "".
    """

    subject: Subject
    works: bool
    modules: tuple[Module, ...]
    errors: tuple[str, ...]
    routing: str
    write: str
    factor: float | None = None
    seconds: tuple[float, float] | None = None
    not_measured: str = ""


def diagnose(
    subject: Subject,
    probe: Probe,
    bodies: Sequence[BodyImport],
    tasks: Sequence[str],
    alone: Probe | None = None,
    late: int = 0,
) -> Diagnosis:
    """Judge a subject.

    Args:
        subject: what was examined.
        probe: what its child has told.
        bodies: the imports in its functions, in the order of the request, with routes as their functions.
        tasks: routes of the functions that its own files hand to a pool.
        alone: what a child has told that imported in the main interpreter only, if one was asked.
        late: how many of the bodies, the last ones, are in functions of other packages.
    """
    answer = probe.answer
    first, main, second = answer.get("first"), answer.get("main"), answer.get("second")
    reasons = _reasons_anywhere(probe, alone)
    if reasons:
        return Diagnosis(subject, False, (), reasons, NOWHERE, "")
    inside, in_main = answer.get("measured_inside", {}), answer.get("measured_in_main", {})
    modules, errors = _at_import(first, main, second)
    in_call, failure = _in_call(subject, inside, in_main)
    found = [*modules, *_in_bodies(first, main, bodies, late, tasks or subject.route), *in_call]
    errors += failure
    if probe.reason:
        errors.append(f"the process that tried it: {probe.reason}, {_PLACES[probe.where]}")
        found += [Module(probe.culprit, CRASHES)] if probe.culprit else []
        found += [Module(name, LOADS) for name in probe.ended if first is None and name != probe.culprit]
    seconds, factor = _times(inside, in_main)
    merged = tuple(_merged(found, subject, factor))
    bad = [module for module in merged if module.verdict != LOADS]
    works = not errors and not bad
    falls = first is not None and any(error["is_refusal"] for error in first["roots"].values())
    routes = [name for module in bad for name in module.functions]
    if not falls and (errors or any(module.verdict != REFUSED and not module.functions for module in bad)):
        routes += tasks or subject.route
    routing = MUST_BE_NAMED if routes else STAYS if works else FALLS_BACK
    return Diagnosis(
        subject,
        works,
        merged,
        tuple(dict.fromkeys(errors)),
        routing,
        _line(subject, routing, tuple(dict.fromkeys(routes))),
        factor,
        seconds,
        _why_not(inside, in_main),
    )


def _reasons_anywhere(probe: Probe, alone: Probe | None) -> tuple[str, ...]:
    """Return why the subject does not even work in the main interpreter; nothing if it does."""
    if probe.where == "call in main":
        return (f"the process that called it: {probe.reason}, in the main interpreter",)
    if alone is None:
        return ()
    if "main" not in alone.answer:
        return (f"the process that imported it: {alone.reason}, in the main interpreter",)
    return tuple(f"{name}: {_told(error)}" for name, error in alone.answer["main"]["roots"].items())


_PLACES = {
    "": "before anything was imported",
    "first": "in a worker",
    "main": "in the main interpreter, when a worker had it",
    "second": "in a second worker",
    "call in first": "in a worker, when it was called",
    "closing": "while its interpreters were closed",
}


def _at_import(
    first: Findings | None, main: Findings | None, second: Findings | None
) -> tuple[list[Module], list[str]]:
    """Judge what is imported with the subject's modules."""
    if first is None:
        return [], []
    found = [Module(name, LOADS) for name in first["loaded"]]
    errors: list[str] = []
    for where, findings in (("", first), (" in a second worker", second)):
        if findings is None:
            continue
        is_second = bool(where)
        for name, error in {**findings["extensions"], **findings["inner"], **findings["roots"]}.items():
            if is_second and name in {**first["extensions"], **first["inner"], **first["roots"]}:
                continue
            if error["is_refusal"]:
                verdict = SECOND if is_second else REFUSED
                found.append(Module(error["module"] or "an extension module", verdict, tuple(error["chain"])))
            elif name not in findings["extensions"] and not _fails_too(main, name):
                errors.append(f"{name} cannot be imported{where or ' in a worker'}: {_told(error)}")
        refused = {module.name for module in found if module.verdict in (REFUSED, SECOND)}
        for noted in findings["noted"]:
            if noted["module"] not in refused and noted["user"]:
                verdict = SECOND if is_second and noted["module"] in first["loaded"] else REPLACED
                found.append(Module(noted["module"], verdict, tuple(noted["chain"]), noted["user"]))
    for name, error in (main["roots"] if main else {}).items():
        if name not in first["roots"]:  # and alone it can be imported
            errors.append(f"{name} cannot be imported in the main interpreter once a worker has it: {_told(error)}")
    return found, errors


def _fails_too(main: Findings | None, name: str) -> bool:
    return main is not None and (name in main["roots"] or name in main["inner"])


def _in_bodies(
    first: Findings | None, main: Findings | None, bodies: Sequence[BodyImport], late: int, named: Sequence[str]
) -> list[Module]:
    """Judge what functions import in their bodies; who can do without it is told, and who cannot must be named.

    Of what functions of other packages import, the functions that are known must be.
    """
    found: list[Module] = []
    for key, several in (first["noted_in_bodies"] if first else {}).items():
        users = tuple(body.function for body in bodies if body.module == bodies[int(key)].module)
        found += [
            Module(noted["module"], REPLACED, tuple(noted["chain"]), noted["user"], functions=users)
            for noted in several
            if noted["user"]
        ]
    for number, body in enumerate(bodies):
        error = None if first is None else first["bodies"].get(str(number))
        if error is None or not error["is_refusal"] or (main is not None and str(number) in main["bodies"]):
            continue
        if body.is_guarded and body.module.partition(".")[0] in sys.stdlib_module_names:
            continue  # nothing slower takes its place
        verdict = REPLACED if body.is_guarded else REFUSED
        chain = (body.function, *error["chain"])
        user = body.function if body.is_guarded else ""
        is_late = number >= len(bodies) - late
        functions = tuple(named) if is_late else (body.function,)
        name = error["module"] or body.module
        found.append(Module(name, verdict, chain, user, functions=functions, is_late=is_late))
    return found


def _in_call(subject: Subject, inside: Measured, in_main: Measured) -> tuple[list[Module], list[str]]:
    """Judge what the function has met when it was called."""
    found = [
        Module(noted["module"], REPLACED, tuple(noted["chain"]), noted["user"])
        for noted in inside.get("noted", ())
        if noted["user"]
    ]
    error = inside.get("error")
    if error is None or "error" in in_main:
        return found, []
    if error["is_refusal"]:
        module = Module(error["module"] or "?", REFUSED, tuple(error["chain"]), functions=subject.route)
        return [*found, module], []
    return found, [f"{subject.name} fails in a worker: {_told(error)}"]


def _times(inside: Measured, in_main: Measured) -> tuple[tuple[float, float] | None, float | None]:
    ours, theirs = inside.get("seconds"), in_main.get("seconds")
    if ours is None or theirs is None:
        return None, None
    return (ours, theirs), ours / max(theirs, 1e-9)


def _why_not(inside: Measured, in_main: Measured) -> str:
    error = in_main.get("error")
    if error is not None:
        return f"it fails in the main interpreter: {_told(error)}"
    return inside.get("why_not", "") or in_main.get("why_not", "")


def _merged(found: Iterable[Module], subject: Subject, factor: float | None) -> list[Module]:
    """Return one entry for each module, with its worst verdict and all its functions, the worst first."""
    by_name: dict[str, list[Module]] = {}
    for module in found:
        by_name.setdefault(module.name, []).append(module)
    merged: list[Module] = []
    for name, several in by_name.items():
        worst = min(several, key=lambda module: _WORST.index(module.verdict))
        functions = tuple(
            dict.fromkeys(each for module in several if module.verdict == worst.verdict for each in module.functions)
        )
        is_refused = worst.verdict not in (LOADS, REPLACED)
        cost = cost_of(name) if worst.verdict == REPLACED else ""
        if worst.verdict == REPLACED and factor is not None and factor >= _MATTERS:
            cost = f"{subject.name} takes {factor:.3g} times as long"
        chain, wheel = worst.chain, pure_wheel_of(name) if is_refused else ""
        merged.append(Module(name, worst.verdict, chain, worst.user, cost, wheel, functions, worst.is_late))
    return sorted(merged, key=lambda module: (_WORST.index(module.verdict), module.name))


def _told(error: Error) -> str:
    return f"{error['type']}: {error['text'].partition('\n')[0]}" if error["text"] else error["type"]


def _line(subject: Subject, routing: str, routes: Sequence[str]) -> str:
    if routing == NOWHERE:
        return ""
    if routing == STAYS:
        return "InterpreterPoolExecutor()"
    if routing == FALLS_BACK:
        return 'InterpreterPoolExecutor(fallback="process")'
    if len(routes) > _MOST_ROUTES:
        routes = [*dict.fromkeys(f"{route.partition(':')[0].partition('.')[0]}.*" for route in routes)]
    named = ", ".join(f'"{route}"' for route in routes)
    note = f"  # your functions that use {subject.name}" if subject.kind == "distribution" else ""
    return f'InterpreterPoolExecutor(fallback="process", route=[{named}]){note}'
