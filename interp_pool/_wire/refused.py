"""Extension modules that cannot be loaded in a subinterpreter: found behind an exception, and told to the user.

Owns by which texts such a refusal is known, which module it is, who imports it, and the words for all that. The worker
finds it, the pool words it; a worker imports this file when a task has failed. It must not know tasks, futures or how a
failure is sent.

What is told is a Refusal. A task that catches the error and goes on has not failed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from interp_pool._wire.messages import Place, Refusal

_OWN = "does not support loading in subinterpreters"  # CPython, of a module that does not say it can
_AGAIN = "Re-initialisation is not supported"  # Cython, of one it has loaded elsewhere
_PHRASES = (
    _OWN,
    _AGAIN,
    "cannot load module more than once per process",  # NumPy and others, of themselves
    "do not yet support subinterpreters",  # PyO3
    "may only be initialized once per interpreter process",  # PyO3, older
    "can only be loaded into one interpreter",  # Cython
)
_KINDS = (ImportError, RuntimeError, SystemError)
_MOST_LINKS = 100  # exceptions that are looked at; a chain can be a ring
_FIRST, _LAST = 3, 4  # names of a long chain that are told
_LONGEST = 100  # characters of a name
_NOT_TOLD = ("interp_api", "importlib", "runpy", "interp_pool._worker.loop", "interp_pool._wire.failures")


def find_refusal(exc: BaseException) -> "tuple[Refusal, tuple[Place, ...], str] | None":
    """Find the module that refuses to be loaded, if that is what an exception comes from.

    Returns:
        The refusal, the lines that led to it, the innermost last, and the line of text it was known by.
    """
    path = _path(exc, set())
    if not path:
        return None
    text = str(path[-1])
    known = next(line for line in text.splitlines() if any(phrase in line for phrase in _PHRASES)).strip()
    entries = _joined(path)
    chain: list[str] = []
    for frame, _, _ in entries:
        name = _name(frame)
        if name and (not chain or chain[-1] != name):
            chain.append(name)
    module = _named(path[-1], known) or _last_import(entries)
    if module and (not chain or chain[-1] != module):
        chain.append(module)
    importers = [frame for frame, _, _ in entries if _name(frame)]
    importer = importers[-1].f_globals.get("__name__", "?") if importers else "?"
    subject = f"module {module[:_LONGEST]!r}" if module else f"an extension module that {importer!r} imports"
    refusal = subject, module, _shortened(chain)
    places = tuple((frame.f_code.co_filename, line, frame.f_code.co_name) for frame, _, line in entries)
    return refusal, places, known[: 3 * _LONGEST]


def describe_refusal(refusal: "Refusal", needed_by: str) -> str:
    """Return one line that says what cannot be loaded, who needs it, through what, and what to do."""
    subject, _, chain = refusal
    through = f" ({' -> '.join(chain)})" if len(chain) > 1 else ""
    return (
        f"{subject} does not support subinterpreters, and {needed_by} needs it{through}: "
        "run this task in a ThreadPoolExecutor or ProcessPoolExecutor"
    )


def warn_of_refusal(refusal: "Refusal", needed_by: str) -> None:
    """Log it, where the standard library's executors log and so by default on stderr."""
    from logging import getLogger

    getLogger("concurrent.futures").warning("%s", describe_refusal(refusal, needed_by))


def _path(exc: BaseException, seen: set[int]) -> list[BaseException]:
    """Return the exceptions from this one to the innermost refusal behind it; empty if there is none."""
    if id(exc) in seen or len(seen) >= _MOST_LINKS:
        return []
    seen.add(id(exc))
    inner: list[BaseException | None] = [exc.__context__ if exc.__cause__ is None else exc.__cause__]
    if isinstance(exc, BaseExceptionGroup):
        group: Any = exc  # pyright: ignore[reportUnknownVariableType]  # whatever is in it
        inner.extend(group.exceptions)
    for each in inner:
        if each is not None and (path := _path(each, seen)):
            return [exc, *path]
    return [exc] if isinstance(exc, _KINDS) and any(phrase in str(exc) for phrase in _PHRASES) else []


def _entries(exc: BaseException) -> "Iterator[tuple[FrameType, int, int]]":
    entry = exc.__traceback__
    while entry is not None:
        yield entry.tb_frame, entry.tb_lasti, entry.tb_lineno
        entry = entry.tb_next


def _joined(path: list[BaseException]) -> "list[tuple[FrameType, int, int]]":
    """Return the calls of all the exceptions as one: an inner one was raised below a call of the outer one."""
    joined: list[tuple[FrameType, int, int]] = []
    for exc in path:
        entries = list(_entries(exc))
        if not entries:
            continue
        for number, (frame, _, _) in enumerate(joined):
            if frame is entries[0][0]:
                del joined[number:]
                break
        joined.extend(entries)
    while len(joined) > 1 and _is_ours(joined[0][0]):
        del joined[0]
    return joined


def _is_ours(frame: "FrameType") -> bool:
    name: Any = frame.f_globals.get("__name__")
    return type(name) is str and any(name == each or name.startswith(f"{each}.") for each in _NOT_TOLD)


def _name(frame: "FrameType") -> str:
    """Return what to call a frame: its module while that is imported, otherwise its function; "" for none of either."""
    module = frame.f_globals.get("__name__")
    if type(module) is not str or _is_ours(frame):
        return ""
    module = "__main__" if module == "__mp_main__" else module
    code = frame.f_code
    return (module if code.co_name == "<module>" else f"{module}.{code.co_qualname}()")[-_LONGEST:]


def _shortened(chain: list[str]) -> tuple[str, ...]:
    if len(chain) <= _FIRST + _LAST + 1:
        return tuple(chain)
    return *chain[:_FIRST], f"... {len(chain) - _FIRST - _LAST} more ...", *chain[-_LAST:]


def _named(exc: BaseException, text: str) -> str:
    """Return the module that the text or the exception names, "" if they do not."""
    if _OWN in text and text[: text.index(_OWN)].split():
        return text[: text.index(_OWN)].rsplit(maxsplit=1)[-1].strip("'\"")
    if _AGAIN in text and text.count("'") >= 2:  # around the name
        return text.split("'")[1]
    return (exc.name if isinstance(exc, ImportError) else None) or ""


def _last_import(entries: "list[tuple[FrameType, int, int]]") -> str:
    """Return the module that was being imported by the innermost frame, or is the innermost frame; "" if that is open.

    Texts like those of PyO3 and Cython do not name it.
    """
    for frame, offset, _ in reversed(entries):
        if _is_ours(frame):
            if frame.f_code.co_name == "import_module" and frame.f_globals.get("__name__") == "importlib":
                return _absolute(frame.f_locals["name"], frame.f_locals["package"] or "")
            continue
        name = _imported_at(frame, offset)
        if name:
            return name
        return str(frame.f_globals["__name__"]) if frame.f_code.co_name == "<module>" else ""
    return ""


def _imported_at(frame: "FrameType", offset: int) -> str:
    """Return what an import statement imports, "" if there is none at this place of the frame's code."""
    import sys
    from dis import get_instructions

    before: list[Any] = []
    for instruction in get_instructions(frame.f_code):
        if instruction.offset == offset:
            break
        if instruction.opname not in ("EXTENDED_ARG", "CACHE"):
            before.append(instruction.argval)
    else:
        return ""
    if instruction.opname != "IMPORT_NAME" or len(before) < 2:  # level and names
        return ""
    level, names = before[-2:]
    package = frame.f_globals.get("__package__") or frame.f_globals.get("__name__") or ""
    module = _absolute("." * level + instruction.argval, package)
    if module in sys.modules:  # what cannot be loaded is one of its submodules
        missing = [name for name in names or () if not hasattr(sys.modules[module], name)]
        return f"{module}.{missing[0]}" if missing else module
    return module


def _absolute(name: str, package: str) -> str:
    if not name.startswith("."):
        return name
    rest = name.lstrip(".")
    base = package.rsplit(".", len(name) - len(rest) - 1)[0]
    return f"{base}.{rest}" if rest else base
