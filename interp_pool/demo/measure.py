"""The demo's work: measure one Python source file.

This file owns what is measured and how. It must not know executors, progress or reports, and it is imported
INSIDE workers, so it imports only `ast`, `tokenize` and what those two need anyway. Invariant: `measure_file`
never raises for what is in a file or wrong with it; the reason is in the result's `error`.

Cyclomatic complexity is McCabe's, one for a function plus one for each decision point in it: if and elif, a
conditional expression, for, async for, while, an except clause, each operand of and/or after the first, each
for and each filter of a comprehension, each case that can fail to match, and each guard of a case. A decision
belongs to the innermost `def` around it: what is in a lambda or a class body belongs to the function around
that, and decorators, defaults and annotations belong to where they are evaluated, outside the function they
decorate.
"""

import ast
import tokenize
from collections import Counter
from io import BytesIO
from operator import itemgetter

__all__ = ["FileMeasure", "measure_file", "prepare_process", "prepare_worker"]

type Function = tuple[str, int, int, int]
"""One function: qualified name, line of its `def`, length in lines, cyclomatic complexity."""

_ERROR_TEXT_LIMIT = 160  # one line of a wide terminal, however long the offending source line is
_UNINTERESTING = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class FileMeasure:
    """What was measured in one file. Plain values only, so it is cheap to pickle and compares by value.

    Attributes:
        path: The path as it was given.
        error: Why the file could not be measured, one line, and then only `size` is counted; else None.
        size: Length of the file in bytes, 0 when it could not be read.
        lines: Number of lines.
        tokens: (token type name, count) pairs, sorted by name.
        functions: Every function and method, nested ones too, in the order of the file.
        definitions: Number of places for a docstring: the module, each class, each function.
        documented: How many of those have one.
    """

    __slots__ = ("definitions", "documented", "error", "functions", "lines", "path", "size", "tokens")

    def __init__(
        self,
        path: str,
        error: str | None = None,
        size: int = 0,
        lines: int = 0,
        tokens: tuple[tuple[str, int], ...] = (),
        functions: tuple[Function, ...] = (),
        definitions: int = 0,
        documented: int = 0,
    ) -> None:
        self.path = path
        self.error = error
        self.size = size
        self.lines = lines
        self.tokens = tokens
        self.functions = functions
        self.definitions = definitions
        self.documented = documented

    def _values(
        self,
    ) -> tuple[str, str | None, int, int, tuple[tuple[str, int], ...], tuple[Function, ...], int, int]:
        return (
            self.path,
            self.error,
            self.size,
            self.lines,
            self.tokens,
            self.functions,
            self.definitions,
            self.documented,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileMeasure):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[object, ...]:
        # One call with positional values: a third of the bytes and time of the default for __slots__.
        return FileMeasure, self._values()

    def __repr__(self) -> str:
        if self.error is not None:
            return f"<FileMeasure {self.path!r} error={self.error!r}>"
        return f"<FileMeasure {self.path!r} lines={self.lines} functions={len(self.functions)}>"


def measure_file(path: str) -> FileMeasure:
    """Read, parse and tokenize one file and count what is in it.

    Args:
        path: A file of Python source, in whatever encoding it declares.

    Returns:
        The measures; for a file that cannot be read, decoded, parsed or tokenized, one with `error` set.

    Thread safety: no state is shared between calls.
    """
    size = 0
    try:
        with open(path, "rb") as file:
            data = file.read()
        size = len(data)
        functions, definitions, documented = _measure_tree(ast.parse(data))
        tokens = _count_tokens(data)
    except Exception as exc:  # arbitrary input: whatever one file does, it must not cost the other files
        return FileMeasure(path, _describe(exc), size)
    return FileMeasure(path, None, size, len(data.splitlines()), tokens, functions, definitions, documented)


def prepare_worker() -> None:
    """Silence the SyntaxWarnings of the files a worker will parse: they are not about the demo."""
    import warnings

    warnings.simplefilter("ignore", SyntaxWarning)


def prepare_process() -> None:
    """Do `prepare_worker`'s part, and leave Ctrl-C to the parent: the terminal sends it to every process."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_worker()


def _count_tokens(data: bytes) -> tuple[tuple[str, int], ...]:
    kinds = Counter(map(itemgetter(0), tokenize.tokenize(BytesIO(data).readline)))
    return tuple(sorted((tokenize.tok_name[kind], count) for kind, count in kinds.items()))


def _measure_tree(tree: ast.Module) -> tuple[tuple[Function, ...], int, int]:
    """Return the functions, the number of places for a docstring, and how many of them have one.

    One pass without recursion. A scope is a body of statements with the prefix of the names in it and the
    index of the function that owns its decisions; scopes found on the way are appended and walked later.
    """
    functions: list[tuple[str, int, int]] = [("", 0, 0)]  # index 0 owns what is outside every function
    decisions = [0]
    documented = 0
    scopes: list[tuple[list[ast.stmt], str, int]] = [(tree.body, "", 0)]  # grows while it is walked
    for body, prefix, owner in scopes:
        documented += _has_docstring(body)
        stack: list[ast.AST | None] = [*body]
        points = 0
        while stack:
            node = stack.pop()
            if node is None:  # an optional part left out, or the key of `**other` in a dict display
                continue
            kind = type(node)
            singles, lists, is_decision = _SHAPES[kind]
            stack += [getattr(node, name) for name in singles]
            for name in lists:
                stack += getattr(node, name)
            if is_decision:
                points += _weigh(node)
            elif isinstance(node, _DEFINITIONS):
                name = prefix + node.name
                if kind is ast.ClassDef:
                    scopes.append((node.body, name + ".", owner))
                else:
                    scopes.append((node.body, name + ".", len(functions)))
                    functions.append((name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
                    decisions.append(1)
        decisions[owner] += points
    measured = [(*function, count) for function, count in zip(functions[1:], decisions[1:], strict=True)]
    measured.sort(key=itemgetter(1, 0))
    return tuple(measured), len(scopes), documented


def _has_docstring(body: list[ast.stmt]) -> bool:
    first = body[0] if body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str


def _weigh(node: ast.AST) -> int:
    """Return how many decisions a node of one of the kinds in `_DECISIONS` stands for."""
    match node:
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.match_case():
            # `case _` and `case name` match whatever comes: only their guard decides.
            can_fail = not (isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None)
            return can_fail + (node.guard is not None)
        case _:
            return 1


_DECISIONS = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.BoolOp,
    ast.comprehension,
    ast.match_case,
)


def _shape(kind: type[ast.AST]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the fields of a kind that hold one node, those that hold a list, and whether it is a decision.

    Fields that lead to no decision are left out: contexts and operators, and the body of a definition, which
    is a scope of its own. That makes the walk twice as fast as `ast.walk`'s way of asking every field of
    every node.

    Source: `ast.AST._field_types`, documented since 3.13.
    """
    singles: list[str] = []
    lists: list[str] = []
    for name, annotation in kind._field_types.items():
        if name == "body" and issubclass(kind, _DEFINITIONS):
            continue
        choices: tuple[object, ...] = getattr(annotation, "__args__", (annotation,))
        if any(
            isinstance(choice, type) and issubclass(choice, ast.AST) and not issubclass(choice, _UNINTERESTING)
            for choice in choices
        ):
            (lists if getattr(annotation, "__origin__", None) is list else singles).append(name)
    return tuple(singles), tuple(lists), issubclass(kind, _DECISIONS)


_SHAPES = {
    kind: _shape(kind)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and hasattr(kind, "_field_types")
}


def _describe(exc: Exception) -> str:
    """Return one bounded line that is the same in every kind of worker."""
    if isinstance(exc, SyntaxError):
        where = f" (line {exc.lineno})" if exc.lineno else ""
        text = f"{exc.msg}{where}"
    elif isinstance(exc, OSError):
        text = exc.strerror or str(exc)
    elif isinstance(exc, RecursionError | MemoryError):
        text = "too deeply nested to parse"  # the runtime's own text tells the size of the thread's stack
    else:
        text = str(exc)
    first_line = text.partition("\n")[0]
    if len(first_line) > _ERROR_TEXT_LIMIT:
        first_line = first_line[: _ERROR_TEXT_LIMIT - 3] + "..."
    return f"{type(exc).__name__}: {first_line}"
