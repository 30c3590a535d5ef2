"""What was found out, as text for people and as a document for programs.

Owns the words and the shape of the JSON document, which docs/howto/doctor.md describes. It must not know how anything
is found out. Invariant: every function is pure.
"""

from collections.abc import Sequence
from dataclasses import asdict

from interp_pool._commands.layout import plural
from interp_pool.doctor.idioms import Idiom
from interp_pool.doctor.verdict import (
    CRASHES,
    FALLS_BACK,
    LOADS,
    MUST_BE_NAMED,
    NOWHERE,
    REFUSED,
    REPLACED,
    SECOND,
    STAYS,
    Diagnosis,
    Module,
)

__all__ = ["as_document", "as_text", "status_of"]

_MOST_SHOWN = 8  # names
_ROUTING = {
    STAYS: "its functions run in interpreters",
    FALLS_BACK: 'what imports that at the top of a module cannot be loaded in a worker: fallback="process" sends it '
    "to processes",
    MUST_BE_NAMED: "that shows when a task runs: the function you hand to the pool must be named in route=[...]",
    NOWHERE: "it does not work in the main interpreter either, so nothing is known about workers",
}


def status_of(diagnoses: Sequence[Diagnosis], idioms: Sequence[Idiom], *, is_survey: bool = False) -> int:
    """Return the exit status: 0 if all works in interpreters, otherwise 1.

    Args:
        diagnoses: of all subjects.
        idioms: of their files.
        is_survey: whether the subjects are what is installed: what cannot be imported anywhere is no fault then.
    """
    failed = [each for each in diagnoses if not each.works and not (is_survey and each.routing == NOWHERE)]
    return 1 if failed or any(idiom.breaks for idiom in idioms) else 0


def as_document(
    python: str, target: str, diagnoses: Sequence[Diagnosis], idioms: Sequence[Idiom], status: int
) -> object:
    """Return the JSON document."""
    return {
        "python": python,
        "target": target,
        "works": status == 0,
        "subjects": [_subject(each) for each in diagnoses],
        "idioms": [asdict(idiom) for idiom in idioms],
    }


def _subject(each: Diagnosis) -> dict[str, object]:
    measured = None
    if each.seconds is not None:
        measured = {"worker": each.seconds[0], "main": each.seconds[1], "factor": each.factor}
    return {
        "name": each.subject.name,
        "kind": each.subject.kind,
        "version": each.subject.version,
        "works": each.works,
        "modules": [asdict(module) for module in each.modules],
        "errors": [*each.errors],
        "routing": each.routing,
        "write": each.write,
        "measured": measured,
        "not_measured": each.not_measured,
    }


def as_text(diagnoses: Sequence[Diagnosis], idioms: Sequence[Idiom], python: str, *, is_survey: bool = False) -> str:
    """Return the report: what does not work first, what works in short."""
    bad = [each for each in diagnoses if not each.works and each.routing != NOWHERE]
    nowhere = [each for each in diagnoses if each.routing == NOWHERE]
    good = [each for each in diagnoses if each.works]
    paragraphs = [_paragraph(each) for each in bad]
    if is_survey or len(diagnoses) > 1:
        if good:
            paragraphs.append(f"All of these work in interpreters: {', '.join(each.subject.name for each in good)}.")
        if nowhere:
            names = ", ".join(each.subject.name for each in nowhere)
            paragraphs.append(
                f"These do not work in the main interpreter either, nothing is known about them: {names}."
            )
    else:
        paragraphs += [_paragraph(each) for each in good + nowhere]
    if idioms:
        paragraphs.append("\n".join(line for idiom in idioms for line in _idiom(idiom)))
    count = len(bad)
    what = "1 of 1 does" if len(diagnoses) == count == 1 else f"{count} of {len(diagnoses)} do"
    last = f"{what} not work in interpreters" if count else "Nothing was found that does not work in interpreters"
    last = "Nothing is known" if len(diagnoses) == len(nowhere) == 1 else last
    breaking = sum(idiom.breaks for idiom in idioms)
    last += f", and {plural(breaking, 'idiom')} of processes" if breaking else ""
    paragraphs.append(f"{last} ({python}).")
    return "\n\n".join(paragraphs)


def _paragraph(each: Diagnosis) -> str:
    version = f" {each.subject.version}" if each.subject.version else ""
    lines = [f"{each.subject.name}{version}"]
    for module in each.modules:
        if module.verdict != LOADS:
            lines += _module(module)
    loaded = [module.name for module in each.modules if module.verdict == LOADS]
    if loaded:
        more = f" and {len(loaded) - _MOST_SHOWN} more" if len(loaded) > _MOST_SHOWN else ""
        lines.append(f"  loads: {', '.join(loaded[:_MOST_SHOWN])}{more}")
    elif each.works:
        lines.append("  it needs no extension module but the standard library's")
    lines += [f"  {error}" for error in each.errors]
    if each.seconds is not None and each.factor is not None:
        ours, theirs = (f"{seconds * 1000:.4g} ms" for seconds in each.seconds)
        lines.append(
            f"  measured: {ours} in a worker, {theirs} in the main interpreter, {each.factor:.3g} times as long"
        )
    elif each.not_measured:
        lines.append(f"  not measured: {each.not_measured}")
    lines.append(f"  routing: {_ROUTING[each.routing]}")
    if each.write:
        lines.append(f"  write:   {each.write}")
    return "\n".join(lines)


def _module(module: Module) -> list[str]:
    words = {
        REFUSED: "refused: it does not support subinterpreters",
        REPLACED: f"silently replaced: {module.user} goes on without it",
        SECOND: "breaks on the second interpreter: only one of a process can have it",
        CRASHES: "crashes or hangs the process that loads it in a worker",
    }
    lines = [f"  {module.name}", f"    {words[module.verdict]}"]
    if len(module.chain) > 1:
        lines.append(f"    needed by: {' -> '.join(module.chain)}")
    if module.functions:
        more = f" and {len(module.functions) - _MOST_SHOWN} more" if len(module.functions) > _MOST_SHOWN else ""
        names = ", ".join(module.functions[:_MOST_SHOWN]) + more
        if module.is_late:
            lines.append(f"    imported when functions of that package are called, which these may do: {names}")
        else:
            lines.append(f"    imported in the body of: {names}")
    if module.cost:
        lines.append(f"    cost: {module.cost}")
    if module.pure_wheel:
        lines.append(f"    a wheel without extension modules exists: {module.pure_wheel}")
    return lines


def _idiom(idiom: Idiom) -> list[str]:
    return [
        f"{idiom.file}:{idiom.line}: {idiom.kind}: {idiom.found}",
        f"    {'instead' if idiom.breaks else 'note'}: {idiom.replacement}",
    ]
