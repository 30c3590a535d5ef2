"""What programs for processes do that is otherwise, or fails, in interpreters: found in the text of a file.

Owns which idioms these are and what replaces them. Few false alarms matter more than finding all: what is not certain
from the file alone is not told. It runs nothing.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

from interp_pool.doctor.handed import Function, Handed, calls_in
from interp_pool.doctor.imports import is_main_guard

__all__ = ["Idiom", "find_idioms"]


@dataclass(frozen=True)
class Idiom:
    """One place.

    Attributes:
        file: as it was given.
        line: where.
        kind: what it is, in a word.
        found: what stands there.
        replacement: what to write.
        breaks: whether it fails, or gives other results; otherwise it works, and there is something better.
    """

    file: str
    line: int
    kind: str
    found: str
    replacement: str
    breaks: bool = True


_SHARED = {
    *("Value", "Array", "RawValue", "RawArray", "Lock", "RLock", "Event", "Condition", "Semaphore", "BoundedSemaphore"),
    *("Barrier", "Queue", "JoinableQueue", "SimpleQueue"),
}
_LOGGING = {"print", "debug", "info", "warning", "error", "exception", "critical", "log", "write"}
_OPENING = {"open", "Path", "mkdir", "makedirs", "connect", "to_csv", "savefig", "FileHandler"}
_NAMED = ("path", "file", "name", "dir", "tmp", "temp", "socket", "lock")
_FILE = re.compile(r"/|\.[a-z]\w*$|\A[._-]")
_APART = ("get_native_id", "get_ident", "uuid1", "uuid4", "mkstemp", "mkdtemp")
_COMPOUND = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try),
    *(ast.TryStar, ast.Match),
)
_CHANGES = {"update", "setdefault", "pop", "clear", "popitem"}


def find_idioms(tree: ast.Module, file: str, handed: Handed) -> list[Idiom]:
    """Find the idioms of a file, by what it hands to pools."""
    inside = handed.reached(handed.tasks)
    starting = handed.reached(handed.initializers)
    found = [
        *(_managers(tree, handed) if handed.has_pool else ()),
        *_globals(tree, handed, inside, starting),
        *_signals(handed, inside, starting),
        *_lambdas(handed),
        *(idiom for name in sorted(inside | starting) for idiom in _process_wide(handed.functions[name], handed)),
        *(idiom for name in sorted(inside) for idiom in _names_by_pid(handed.functions[name], handed)),
    ]
    return sorted(
        (Idiom(file, line, kind, what, instead, breaks) for line, kind, what, instead, breaks in dict.fromkeys(found)),
        key=lambda idiom: idiom.line,
    )


type _Found = tuple[int, str, str, str, bool]


def _managers(tree: ast.Module, handed: Handed) -> Iterator[_Found]:
    for call in calls_in(tree):
        if handed.names.full(call.func) in ("multiprocessing.Manager", "multiprocessing.get_context.Manager"):
            instead = (
                "works, but each access is a message to another process; queues: interp_api.create_queue(), numbers: a "
                "memoryview of a bytearray as an argument"
            )
            yield call.lineno, "Manager", ast.unparse(call), instead, False


def _globals(tree: ast.Module, handed: Handed, inside: set[str], starting: set[str]) -> Iterator[_Found]:
    at_top, guarded = _bindings(tree)
    read = {name: _read_in(handed.functions[name]) for name in inside}
    set_inside = {name for each in inside | starting for name in _set_by_global(handed.functions[each])}
    for name, node in at_top.items():
        made = isinstance(node.value, ast.Call) and _is_primitive(handed.names.full(node.value.func))
        users = sorted(each for each in inside if name in read[each])
        if made and users:
            what = f"{ast.unparse(node)}, which {users[0]}() reads"
            instead = (
                "each worker makes one of its own: make it with multiprocessing.get_context('spawn') in the program, "
                f"and hand it on with initializer= and initargs=({name},)"
            )
            yield node.lineno, "shared global", what, instead, True
    set_outside: dict[str, ast.stmt] = dict(guarded)
    for other, function in handed.functions.items():
        if other not in inside | starting:
            set_outside |= _set_by_global(function)
    for name, place in set_outside.items():
        users = sorted(each for each in inside if name in read[each])
        if not users or name in set_inside:
            continue
        what = f"{name} is set here, in the program alone, and {users[0]}() reads it"
        instead = (
            f"workers do not inherit it: pass it as an argument, or set it with initializer= and initargs=({name},)"
        )
        yield place.lineno, "inherited global", what, instead, True


def _is_primitive(name: str) -> bool:
    """Return whether a call of this makes one of multiprocessing's shared objects."""
    return (
        name.startswith("multiprocessing.")
        and name.removeprefix("multiprocessing.get_context.").removeprefix("multiprocessing.") in _SHARED
    )


def _bindings(tree: ast.Module) -> tuple[dict[str, ast.Assign], dict[str, ast.stmt]]:
    """Return the names that a file binds at its top, and those under its `if __name__ == "__main__":`."""
    at_top: dict[str, ast.Assign] = {}
    guarded: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            at_top |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif is_main_guard(node) and isinstance(node, ast.If):
            guarded |= {
                target.id: each
                for each in node.body
                if isinstance(each, ast.Assign)
                for target in each.targets
                if isinstance(target, ast.Name)
            }
    return at_top, guarded


def _read_in(function: Function) -> set[str]:
    """Return the global names that a function reads."""
    own = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
    read = set[str]()
    declared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not function:
            own.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            own |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            own.add(node.name)
    return read - (own - declared)


def _set_by_global(function: Function) -> dict[str, ast.stmt]:
    declared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    return {
        target.id: node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for each in node.targets
        for target in ast.walk(each)
        if isinstance(target, ast.Name) and target.id in declared
    }


def _signals(handed: Handed, inside: set[str], starting: set[str]) -> Iterator[_Found]:
    for name in sorted(inside | starting):
        for call in calls_in(handed.functions[name]):
            full = handed.names.full(call.func)
            if full in ("signal.alarm", "signal.setitimer"):
                instead = "a worker gets no signals: executor.options(timeout=seconds), or future.interrupt()"
                yield call.lineno, "signal", ast.unparse(call), instead, True
            elif full == "signal.signal" and len(call.args) == 2:
                handler = handed.names.full(call.args[1])
                if handler in ("signal.SIG_IGN", "signal.SIG_DFL"):
                    continue
                instead = (
                    "a worker gets no signals, and this raises: drop it; tasks are stopped with future.interrupt()"
                )
                yield call.lineno, "signal", ast.unparse(call), instead, True


def _lambdas(handed: Handed) -> Iterator[_Found]:
    for node in handed.lambdas:
        own = {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)}
        used = {each.id for each in ast.walk(node.body) if isinstance(each, ast.Name)} - own - set(dir(builtins))
        if used:
            instead = (
                "a function at the top of the module, with functools.partial for what it needs; or install cloudpickle"
            )
            yield node.lineno, "lambda", f"{ast.unparse(node)}, which needs {', '.join(sorted(used))}", instead, True


def _process_wide(function: Function, handed: Handed) -> Iterator[_Found]:
    chdir = "the working directory is the process's, for all tasks at once: use absolute paths, or subprocess with cwd="
    environ = (
        "child processes of all tasks see it, other workers do not: pass it as an argument, or subprocess with env="
    )
    for call in calls_in(function):
        full = handed.names.full(call.func)
        if full in ("os.chdir", "os.fchdir", "contextlib.chdir"):
            yield call.lineno, "os.chdir", ast.unparse(call), chdir, True
        elif full in ("os.putenv", "os.unsetenv") or (
            full.startswith("os.environ.") and full.rpartition(".")[2] in _CHANGES
        ):
            yield call.lineno, "os.environ", ast.unparse(call), environ, False
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store | ast.Del)
            and handed.names.full(node.value) == "os.environ"
        ):
            yield node.lineno, "os.environ", ast.unparse(node), environ, False


def _names_by_pid(function: Function, handed: Handed) -> Iterator[_Found]:
    """Find names of files and the like that are made with the number of the process.

    They are known by what takes them, by what they are called, or by a dot or slash in them.
    """
    instead = "it is one for all workers: add threading.get_native_id(), or use tempfile"
    for statement in _simple_parts(function):
        called = " ".join(ast.unparse(call.func).rpartition(".")[2] for call in calls_in(statement))
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        bound = " ".join(map(ast.unparse, targets)).lower()
        if set(called.split()) & _LOGGING or not _has_pid(statement, handed):
            continue
        texts = [
            each.value for each in ast.walk(statement) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        is_name = set(called.split()) & _OPENING or any(part in bound for part in _NAMED)
        if is_name or any(_FILE.search(text) for text in texts):
            yield statement.lineno, "os.getpid", ast.unparse(statement), instead, True


def _simple_parts(function: Function) -> Iterator[ast.stmt | ast.expr]:
    """Yield the statements that have no others in them, and what is opened by `with`."""
    for node in ast.walk(function):
        if isinstance(node, ast.With | ast.AsyncWith):
            yield from (item.context_expr for item in node.items)
        elif isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND):
            yield node


def _has_pid(statement: ast.stmt | ast.expr, handed: Handed) -> bool:
    """Return whether a statement makes a text with it, and with nothing else that tells workers apart."""
    names = {handed.names.full(call.func) for call in calls_in(statement)}
    if "os.getpid" not in names or any(name.endswith(_APART) for name in names):
        return False
    return any(
        isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add))
        or (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("format", "join", "str"))
        for node in ast.walk(statement)
    )
