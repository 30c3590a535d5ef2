"""Which functions of a file run in workers: read from its text.

Owns how a pool is known and what is handed to it. It knows a pool by what makes it, in the same file: whatever else
has a method `map` or `submit` is none. It runs nothing.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Function", "Handed", "Names", "functions_of", "read_file"]

POOLS = {
    *("concurrent.futures.ProcessPoolExecutor", "concurrent.futures.process.ProcessPoolExecutor"),
    *("multiprocessing.Pool", "multiprocessing.pool.Pool", "multiprocessing.get_context.Pool"),
    *("interp_pool.InterpreterPoolExecutor", "interp_pool.Pool", "concurrent.futures.InterpreterPoolExecutor"),
}
_TAKING = {
    *("submit", "map", "apply", "apply_async", "map_async", "imap", "imap_unordered", "starmap", "starmap_async"),
    *("map_unordered",),
}

type Function = ast.FunctionDef | ast.AsyncFunctionDef


class Names(ast.NodeVisitor):
    """What names of a file stand for, as far as its imports and what it binds to that say.

    Attributes:
        aliases: what each is, in full.
    """

    def __init__(self, tree: ast.Module, package: str = "") -> None:
        self.aliases: dict[str, str] = {}
        self._package = package.split(".") if package else []
        self.visit(tree)
        for node in tree.body:  # Executor = concurrent.futures.ProcessPoolExecutor
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
                full = self.full(node.value)
                self.aliases |= {each.id: full for each in node.targets if isinstance(each, ast.Name) and full}
            elif isinstance(node, ast.ClassDef):  # a pool of the program's own is one
                for full in POOLS.intersection(map(self.full, node.bases)):
                    self.aliases[node.name] = full

    def visit_Import(self, node: ast.Import) -> None:
        """Note what it binds."""
        for alias in node.names:
            self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note what it binds."""
        base = self._package[: len(self._package) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            self.aliases[alias.asname or alias.name] = f"{module}.{alias.name}"

    def full(self, node: ast.expr) -> str:
        """Return what an expression like `mp.Pool` or `get_context().Pool` is called in full; "" if it is open."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, "")
        if isinstance(node, ast.Attribute):
            base = self.full(node.value)
            return f"{base}.{node.attr}" if base else ""
        return self.full(node.func) if isinstance(node, ast.Call) else ""


@dataclass
class Handed:
    """What a file hands to pools.

    Attributes:
        names: what its names stand for.
        functions: those at its top, by name, and the methods of the classes there, as "Class.method".
        instances: the class of names that are bound to an instance of one of these, wherever.
        tasks: the names of functions, of these, that are tasks.
        initializers: likewise.
        elsewhere: tasks of other files, in full, as in "module.function".
        lambdas: those that are handed to a pool.
        has_pool: whether it makes one.
    """

    names: Names
    functions: dict[str, Function]
    instances: dict[str, str] = field(default_factory=dict[str, str])
    tasks: set[str] = field(default_factory=set[str])
    initializers: set[str] = field(default_factory=set[str])
    elsewhere: set[str] = field(default_factory=set[str])
    lambdas: list[ast.Lambda] = field(default_factory=list[ast.Lambda])
    has_pool: bool = False

    def reached(self, starts: set[str]) -> set[str]:
        """Return the functions of the file that these call, through others too, with themselves."""
        found, open_ = set[str](), [name for name in starts if name in self.functions]
        while open_:
            name = open_.pop()
            if name not in found:
                found.add(name)
                open_ += self.called_by(name)
        return found

    def called_by(self, name: str) -> set[str]:
        """Return the functions of the file that one of them calls."""
        own = {self.method(call.func, name) or ast.unparse(call.func) for call in calls_in(self.functions[name])}
        return {each if each in self.functions else f"{each}.__init__" for each in own} & self.functions.keys()

    def called_elsewhere(self, name: str) -> set[str]:
        """Return what one of them calls of other files, in full."""
        return {full for call in calls_in(self.functions[name]) if (full := self.names.full(call.func))}

    def method(self, node: ast.expr, within: str) -> str:
        """Return what method of a class of the file an expression like `self.work` is, as "Class.method"; "" if none.

        Args:
            node: the expression.
            within: the function that it stands in, by name.
        """
        if not isinstance(node, ast.Attribute):
            return ""
        owner, kind = node.value, ""
        if isinstance(owner, ast.Call):
            kind = ast.unparse(owner.func)
        elif isinstance(owner, ast.Name):
            own_class = within.rpartition(".")[0]
            first = self.functions[within].args.args[:1] if own_class else []
            is_self = bool(first) and first[0].arg == owner.id
            kind = own_class if is_self else self.instances.get(owner.id, owner.id)
        name = f"{kind}.{node.attr}"
        return name if name in self.functions else ""


def read_file(tree: ast.Module, task: str = "", package: str = "") -> Handed:
    """Return what a file hands to pools.

    Args:
        tree: of the file.
        task: the name of a function, if that alone is a task.
        package: what the file is in, for its relative imports.
    """
    functions = functions_of(tree)
    handed = Handed(Names(tree, package), functions, _instances(tree))
    if task:
        handed.tasks |= {task} & functions.keys()
        return handed
    _read_scope(tree, handed, set())
    return handed


def functions_of(tree: ast.Module) -> dict[str, Function]:
    """Return the functions at the top of a file, by name, and the methods of the classes there, as "Class.method"."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in kind.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{kind.name}.{node.name}"] = node
    return functions


def _instances(tree: ast.Module) -> dict[str, str]:
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return {
        target.id: node.value.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        for target in node.targets
        if isinstance(target, ast.Name) and node.value.func.id in classes
    }


def _read_scope(scope: ast.AST, handed: Handed, outer: set[str], within: str = "") -> None:
    """Note what a module or function hands to the pools that it makes, or that those around it make."""
    within = next((name for name, function in handed.functions.items() if function is scope), within)
    own = [*_own_nodes(scope)]
    pools, others = _bound(own, handed)
    pools = (outer | pools) - others
    for node in own:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
            _read_scope(node, handed, pools - arguments, within)
        elif isinstance(node, ast.Call):
            _note_call(node, handed, pools, within)


def _note_call(call: ast.Call, handed: Handed, pools: set[str], within: str) -> None:
    full = handed.names.full(call.func)
    if full in POOLS:
        handed.has_pool = True
        _note(
            handed, _argument(call, "initializer", _INITIALIZER_AT.get(full.rpartition(".")[2])), within, is_task=False
        )
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _TAKING and call.args:
        owner = call.func.value
        is_new = isinstance(owner, ast.Call) and handed.names.full(owner.func) in POOLS
        if is_new or ast.unparse(owner) in pools:
            _note(handed, call.args[0], within)
    elif _last(call.func) == "run_in_executor" and len(call.args) > 1 and ast.unparse(call.args[0]) in pools:
        _note(handed, call.args[1], within)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a scope; of functions in it only that they are there."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own_nodes(child)


_INITIALIZER_AT = {"Pool": 1, "ProcessPoolExecutor": 2, "InterpreterPoolExecutor": 2}


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in something."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _bound(nodes: Iterable[ast.AST], handed: Handed) -> tuple[set[str], set[str]]:
    """Return the names, and attributes like `self.pool`, that are bound to pools, and what is to something else."""
    pools, others = set[str](), set[str]()
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value: ast.expr = node.value
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets, value = [node.optional_vars], node.context_expr
        else:
            continue
        is_pool = isinstance(value, ast.Call) and handed.names.full(value.func) in POOLS
        (pools if is_pool else others).update(map(ast.unparse, targets))
    return pools, others


def _argument(call: ast.Call, name: str, position: int | None) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if position is not None and position < len(call.args) else None


def _note(handed: Handed, given: ast.expr | None, within: str, *, is_task: bool = True) -> None:
    if isinstance(given, ast.Call) and handed.names.full(given.func) == "functools.partial" and given.args:
        given = given.args[0]
    if isinstance(given, ast.Lambda):
        handed.lambdas.append(given)
    elif isinstance(given, ast.Name) and given.id in handed.functions:
        (handed.tasks if is_task else handed.initializers).add(given.id)
    elif given is not None and (method := handed.method(given, within)):
        (handed.tasks if is_task else handed.initializers).add(method)
    elif given is not None and is_task and (full := handed.names.full(given)):
        handed.elsewhere.add(full)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""
