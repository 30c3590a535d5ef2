"""Extension modules that cannot be loaded in a subinterpreter: found behind an exception, and told to the user.

Owns by which texts such a refusal is known, which module it is, who imports it, and the words for all that. The worker
finds it, the pool words it; a worker imports this file when a task has failed. It must not know tasks, futures or how a
failure is sent.

What is told is a Refusal. A task that catches the error and goes on has not failed. A module that does so while it is
imported goes on without what it wanted, mostly with slower Python: that is found in what the worker has noted.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType
    from typing import Any

    from interp_pool._wire.messages import Failure, Noted, Place, Refusal, Replacement, When

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
# What CPython says where code needs the main interpreter, or threads of another kind; the last two are ours.
NO_SIGNALS = " only works in main thread of the main interpreter"
NO_DAEMONS = "daemon threads are disabled in this "
NO_FORK = "fork not supported for "
NO_EXEC = "exec not supported for "
NO_PREEXEC = "preexec_fn not supported within subinterpreters"
NO_TRACING = "tracemalloc traces no worker interpreter"
NO_CHANGES = "in a worker would change the whole program"
_UNSUPPORTED = (NO_DAEMONS, NO_FORK, NO_EXEC, NO_PREEXEC, NO_TRACING, NO_CHANGES)
_NO_SLOWER = frozenset(("joblib",))  # packages that look whether NumPy is there, and work as well without
_MOST_LINKS = 100  # exceptions that are looked at; a chain can be a ring
_FIRST, _LAST = 3, 4  # names of a long chain that are told
_LONGEST = 100  # characters of a name
_warned: set[str] = set()  # packages that something goes on without
_NOT_TOLD = (
    *("interp_api", "importlib", "_frozen_importlib", "_frozen_importlib_external", "runpy"),
    *("interp_pool._worker.loop", "interp_pool._worker.running", "interp_pool._worker.baseline"),
    *("interp_pool._worker.carried", "interp_pool._worker.joblib_calls"),
    *("interp_pool._wire.failures", "interp_pool._executor.chunks", "interp_pool.doctor"),
)
_BELOW = "interp_pool._worker."  # a task was called from there


def find_refusal(
    exc: BaseException, when: "When", function: object = None
) -> "tuple[Refusal, tuple[Place, ...], str] | None":
    """Find the module that refuses to be loaded, if that is what an exception comes from.

    Args:
        exc: the exception.
        when: it came: while the task was unpickled, before any function of the user's was called; while it ran; while
            its result was pickled.
        function: of the task, if it ran.

    Returns:
        The refusal, the lines that led to it, the innermost last, and the line of text it was known by.
    """
    path = _path(exc, set())
    if not path:
        return _unsupported(exc, function) if when == "running" else None
    known = _known_line(path[-1])
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
    subject = _subject(module) if module else f"an extension module that {importer!r} imports"
    route = None if when == "loading" else _begun(function, entries) if when == "running" else ""
    refusal = subject, module, _shortened(chain), route
    places = tuple((frame.f_code.co_filename, line, frame.f_code.co_name) for frame, _, line in entries)
    return refusal, places, known[: 3 * _LONGEST]


def _unsupported(exc: BaseException, function: object) -> "tuple[Refusal, tuple[Place, ...], str] | None":
    """Return what a task has tried that only the main interpreter of a process can, None if it failed otherwise."""
    text = str(exc)
    if not any(known in text for known in (*_UNSUPPORTED, NO_SIGNALS)):
        return None
    entries = _joined([exc])
    refusal = f"{type(exc).__qualname__}: {text[: 3 * _LONGEST]}", "", (), _begun(function, entries)
    return refusal, (), text


def find_unsupported(failure: "Failure", *, has_signals: bool) -> "Refusal | None":
    """Return what a worker could not do because it is no main interpreter, None if a failure is another one.

    Args:
        failure: of the worker.
        has_signals: whether setting a signal handler counts.
    """
    if failure[-1] is not None and failure[-1][2]:
        return failure[-1]
    texts = (*_UNSUPPORTED, NO_SIGNALS) if has_signals else _UNSUPPORTED
    if any(text in failure[5] for text in texts):
        return f"{failure[2]}: {failure[5]}", "", (), None
    return None


def note_refusal(module: str, exc: BaseException, frame: "FrameType | None") -> "Noted | None":
    """Note a module whose loader has just raised, if it refuses; it is not known yet whether anybody minds.

    Args:
        module: its full name.
        exc: what was raised.
        frame: who called the loader.
    """
    if not _is_refusal(exc):
        return None
    if isinstance(exc, ImportError) and exc.name is None:
        exc.name = module  # for who catches it, too: the text may have the last part alone
    chain, importing, outermost = [module], list[str](), None
    while frame is not None and not frame.f_globals.get("__name__", "").startswith(_BELOW):
        name = _name(frame)
        if name:
            outermost = frame
            if chain[-1] != name:
                chain.append(name)
                if frame.f_code.co_name == "<module>":
                    importing.append(str(frame.f_globals["__name__"]))
        frame = frame.f_back
    chain.reverse()
    return (_subject(module), module, _shortened(chain), None), tuple(importing), _route(outermost)


def find_replaced(noted: "Iterable[Noted]") -> "list[Replacement]":
    """Return what modules have gone on without: they were being imported when it was refused, and are there.

    What the standard library has left out is not told: it is no slower for that. Nor is joblib without NumPy, whose
    arrays a worker has not anyway. One entry for each package.
    """
    import sys

    found: dict[str, Replacement] = {}
    for refusal, importing, route in noted:
        package = refusal[1].partition(".")[0]
        user = next((name for name in importing if _is_loaded(sys.modules.get(name))), None)
        if user is None or package in sys.stdlib_module_names or user.partition(".")[0] in _NO_SLOWER:
            continue
        first = found.get(package)
        if first is None:
            found[package] = refusal, user, route, ()
        elif refusal[1] != first[0][1] and refusal[1] not in first[3]:
            found[package] = *first[:3], (*first[3], refusal[1])
    return [*found.values()]


def describe_refusal(refusal: "Refusal", needed_by: str) -> str:
    """Return what cannot be loaded, who needs it, through what, and what to do; a second line if that is more."""
    from interp_pool._wire.known_packages import pure_wheel_of

    _, module, chain, route = refusal
    if not chain:
        own = f', route=["{route}"]' if route else ""
        return f'{_describe(refusal, needed_by)}: to run it in a process from the start, fallback="process"{own}'
    wheel = next((found for name in (module, *chain) if (found := pure_wheel_of(name))), "")
    told = f"{_describe(refusal, needed_by)}: run this task in a ThreadPoolExecutor or ProcessPoolExecutor"
    if wheel:
        told += f", or install the wheel without extension modules, {wheel}"
    if route is None:
        return f'{told}, or give the executor fallback="process"'
    if not route:
        return told
    return (
        f"{told}\nthe import is in a function's own body, where no fallback can help any more: "
        f'fallback="process" with route=["{route}"] runs it in a process from the start'
    )


def describe_route(refusal: "Refusal", needed_by: str, where: str) -> str:
    """Return one line that says what cannot be loaded, who needs it, and where that runs instead."""
    return f"{_describe(refusal, needed_by)}: it runs {where} instead, as all that need it do from now on"


def _describe(refusal: "Refusal", needed_by: str) -> str:
    subject, _, chain, _ = refusal
    if not chain:
        return f"{needed_by} cannot run in a worker interpreter ({subject})"
    through = f" ({' -> '.join(chain)})" if len(chain) > 1 else ""
    return f"{subject} does not support subinterpreters, and {needed_by} needs it{through}"


def warn(text: str) -> None:
    """Log a line where the standard library's executors log, and so by default on stderr."""
    from logging import getLogger

    getLogger("concurrent.futures").warning("%s", text)


def describe_replacement(replacement: "Replacement") -> str:
    """Return one line that says what a module does without in workers, what that costs if it is known, what to do."""
    from interp_pool._wire.known_packages import cost_of

    (subject, name, chain, _), user, route, others = replacement
    package = name.partition(".")[0]
    also = f" (nor do {len(others)} more of {package})" if others else ""
    cost = cost_of(name) or "what takes its place is mostly slower"
    return (
        f"{subject} does not support subinterpreters{also}, and {user!r} goes on without it in workers "
        f"({' -> '.join(chain)}): {cost}; to have it, send the task to a process: "
        f'fallback="process", route=["{route}"]'
    )


def warn_of_replacement(replacement: "Replacement") -> None:
    """Log it, once for each package in the life of the process."""
    package = replacement[0][1].partition(".")[0]
    if package in _warned:
        return
    _warned.add(package)
    warn(describe_replacement(replacement))


def _is_loaded(module: object) -> bool:
    return module is not None and getattr(getattr(module, "__spec__", None), "_initializing", False) is not True


def _route(outermost: "FrameType | None") -> str:
    """Return how to name, in a list of routes, the function or module that has led to a refusal."""
    if outermost is None:
        return "module:function"
    module, code = str(outermost.f_globals["__name__"]).replace("__mp_main__", "__main__"), outermost.f_code
    return f"{module}.*" if code.co_name == "<module>" else f"{module}:{code.co_qualname}"


def _subject(module: str) -> str:
    return f"module {module[:_LONGEST]!r}"


def _is_refusal(exc: BaseException) -> bool:
    return isinstance(exc, _KINDS) and any(phrase in str(exc) for phrase in _PHRASES)


def _known_line(exc: BaseException) -> str:
    return next(line for line in str(exc).splitlines() if any(phrase in line for phrase in _PHRASES)).strip()


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
    return [exc] if _is_refusal(exc) else []  # pyright: ignore[reportUnknownArgumentType]  # as above


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


def _begun(function: object, entries: "list[tuple[FrameType, int, int]]") -> str:
    """Return how to name what has begun in a list of routes, "" if that is not to be seen.

    That is the task's function by its own name, where it has one that the program can say: what runs first may be a
    decorator's, or a method of the class that is called. Of several that a partial calls, it is the one that runs.
    """
    from interp_pool._wire.names import names_of

    first = _first_function(entries)
    names = [] if function is None else [*names_of(function)]
    if first in names or not names or not _is_name(names[-1]) or names[-1].startswith("interp_pool."):
        return first
    return names[-1].replace("__mp_main__", "__main__")


def _is_name(route: str) -> bool:
    return route.replace(":", ".").replace(".", "").isidentifier()


def _first_function(entries: "list[tuple[FrameType, int, int]]") -> str:
    for frame, _, _ in entries:
        module = frame.f_globals.get("__name__")
        if type(module) is str and not _is_ours(frame):
            module, name = module.replace("__mp_main__", "__main__"), frame.f_code.co_qualname
            return f"{module}:{name}" if _is_name(name) else ""
    return ""


def _shortened(chain: list[str]) -> tuple[str, ...]:
    if len(chain) <= _FIRST + _LAST + 1:
        return tuple(chain)
    return *chain[:_FIRST], f"... {len(chain) - _FIRST - _LAST} more ...", *chain[-_LAST:]


def _named(exc: BaseException, text: str) -> str:
    """Return the module that the text or the exception names, "" if they do not."""
    own = (exc.name if isinstance(exc, ImportError) else None) or ""
    told = own
    if _OWN in text and text[: text.index(_OWN)].split():
        told = text[: text.index(_OWN)].rsplit(maxsplit=1)[-1].strip("'\"")
    elif _AGAIN in text and text.count("'") >= 2:  # around the name
        told = text.split("'")[1]
    return own if own.endswith(f".{told}") else told


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
