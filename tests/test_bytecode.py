"""What the compiler makes of the two packages, where an exception of a signal handler can strike between bytecodes.

Signals are handled at a call, at the beginning of a function or where a generator goes on, and at a backward jump. The
exception table says for each instruction where an exception goes on, and the compiler forgets instructions there. This
looks at each of these that stands in the body of a `try` or `with` by its place in the text, whether its entry leads to
what that statement does in the end. An entry that leads round it, to another statement outside, is none.
"""

from __future__ import annotations

import ast
import dis
from pathlib import Path
from types import CodeType

import pytest

import interp_api
import interp_pool

PROGRAMS = {"bench", "demo", "doctor", "_commands"}  # which end when they are struck
FILES = [
    path
    for package in (interp_api, interp_pool)
    for path in sorted(Path(str(package.__file__)).parent.rglob("*.py"))
    if not PROGRAMS & set(path.parts)
]
SCOPES = ast.Module | ast.FunctionDef | ast.ClassDef  # which can have statements, and are code objects
LOOPS = ast.While | ast.For | ast.ListComp | ast.SetComp | ast.DictComp


class Body:
    """What stands between two places of the text, and where that of what is to be done in the end begins."""

    def __init__(self, nodes, ends):
        self._span, self._ends = span(nodes), [span(end) for end in ends]

    def has(self, place):
        return place is not None and self._span[0] <= place < self._span[1]

    def is_end(self, place):
        return place is not None and any(first <= place < last for first, last in self._ends)


def span(nodes):
    return (nodes[0].lineno, nodes[0].col_offset), (nodes[-1].end_lineno, nodes[-1].end_col_offset)


def inside(node):
    """Yield what is in a scope, without what is in others."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, SCOPES | ast.Lambda | ast.GeneratorExp):
            yield from inside(child)


def bodies_in(scope):
    """Yield the bodies of statements that do something in the end whatever is raised in there."""
    for node in inside(scope):
        if isinstance(node, ast.With):
            yield Body(node.body, [[item.context_expr] for item in node.items])
        elif isinstance(node, ast.Try):
            if node.finalbody:
                yield Body([*node.body, *node.handlers, *node.orelse], [node.finalbody])
            if any(one.type is None or ast.unparse(one.type) == "BaseException" for one in node.handlers):
                yield Body(node.body, [node.handlers])


def codes_in(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


class Code:
    """The instructions of a code object."""

    def __init__(self, code):
        self._all = [*dis.get_instructions(code)]
        self._index = {each.offset: n for n, each in enumerate(self._all)}
        self._table = dis._parse_exception_table(code)

    def where_signals_are_handled(self):
        for each in self._all:
            is_call = each.opname.startswith("CALL") and not each.opname.startswith("CALL_INTRINSIC")
            if (is_call or each.opname in ("JUMP_BACKWARD", "RESUME")) and place_of(each) is not None:
                yield each

    def goes_round_in(self, jump, loops, body):
        """Return whether a backward jump is that of a loop in the body, and not of one that goes on after it."""
        header = self._all[self._index[jump.jump_target]]
        own = [loop for loop in loops if loop.has(place_of(jump)) and loop.has(place_of(header))]
        return bool(own) and body.has(span([own[-1].node])[0])

    def is_protected(self, offset, body, seen=()):
        """Return whether what is raised at an offset comes to the end of a body."""
        target = next((entry.target for entry in self._table if entry.start <= offset < entry.end), None)
        if target is None:
            return False
        if target in seen:
            return True
        first = self._index[target]
        if self._all[first].opname == "PUSH_EXC_INFO":
            place = next(filter(None, map(place_of, self._all[first + 1 :])), None)
            if body.is_end(place):
                return True
            if not body.has(place):
                return False  # of something further out
        # The end of something further in, which may raise it again, or clear up behind that.
        return all(self.is_protected(each, body, (*seen, target)) for each in self._raised_again(first))

    def _raised_again(self, index):
        """Yield the offsets at which what goes on at an instruction raises the exception again."""
        ways, passed = [index], set()
        while ways:
            n = ways.pop()
            while n not in passed:
                passed.add(n)
                each = self._all[n]
                if each.opname == "RERAISE":
                    yield each.offset
                if each.opname == "RERAISE" or each.opname.startswith(("RETURN", "RAISE", "JUMP_BACKWARD")):
                    break
                if each.jump_target is not None:
                    ways.append(self._index[each.jump_target])
                n = self._index[each.jump_target] if each.opname == "JUMP_FORWARD" else n + 1


class Loop(Body):
    """A loop, by its place in the text."""

    def __init__(self, node):
        super().__init__([node], [])
        self.node = node


def place_of(instruction):
    positions = instruction.positions
    return None if positions.lineno is None else (positions.lineno, positions.col_offset)


def scopes_in(tree):
    """Return what has statements, by the name and the first line of its code."""
    scopes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scopes[node.name, min(each.lineno for each in (node, *node.decorator_list))] = node
    return scopes


def find_unprotected(text, code):
    """Return the (line, opname) of instructions at which an exception would pass by what surrounds them."""
    tree = ast.parse(text)
    scopes = scopes_in(tree)
    found = []
    for each in codes_in(code):
        scope = tree if each.co_name == "<module>" else scopes.get((each.co_name, each.co_firstlineno))
        if scope is None:
            continue  # without statements
        bodies = [*bodies_in(scope)]
        if not bodies:
            continue
        instructions = Code(each)
        loops = [Loop(node) for node in inside(scope) if isinstance(node, LOOPS)]
        for body in bodies:
            found += [
                (one.positions.lineno, one.opname)
                for one in instructions.where_signals_are_handled()
                if body.has(place_of(one))
                and (one.opname != "JUMP_BACKWARD" or instructions.goes_round_in(one, loops, body))
                and not instructions.is_protected(one.offset, body)
            ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_what_surrounds_an_instruction_is_done_if_an_exception_strikes_there(path):
    """CPython forgets backward jumps: of a `while` with a condition (3.13, gh-130279), and where a condition, an
    `assert` or a `match` ends a loop (3.13 and 3.14).

    Such a loop goes into a function of its own.
    """
    text = path.read_text(encoding="utf-8")
    assert find_unprotected(text, compile(text, path, "exec")) == []


def without_table(code):
    constants = tuple(without_table(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_exceptiontable=b"", co_consts=constants)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("g()", ["CALL"]),
        ("g(*x, **y)", ["CALL_FUNCTION_EX"]),
        ("yield 1", ["RESUME"]),
        ("while True:\n            x = y", ["JUMP_BACKWARD"]),
        ("lambda: g()", []),  # of which nothing runs here
    ],
)
@pytest.mark.parametrize("statement", ["with a:\n        {}\n", "try:\n        {}\n    finally:\n        pass\n"])
def test_an_instruction_that_is_not_protected_is_found(statement, body, found):
    text = "def f():\n    " + statement.format(body)
    code = compile(text, "text", "exec")
    assert find_unprotected(text, code) == []
    assert [name for _, name in find_unprotected(text, without_table(code))] == found


def test_an_entry_that_leads_round_a_statement_is_none():
    text = "def f():\n    with a:\n        try:\n            g()\n        finally:\n            h()\n"
    code = compile(text, "text", "exec").co_consts[0]
    (call,) = [
        each.offset for each in dis.get_instructions(code) if each.opname == "CALL" and each.positions.lineno == 4
    ]
    inner, outer = Code(code), [*bodies_in(ast.parse(text).body[0])]
    entries = inner._table
    own = next(entry for entry in entries if entry.start <= call < entry.end)
    around = max(
        (entry for entry in entries if entry.start > call and entry.target != own.target), key=lambda e: e.depth
    )
    assert all(inner.is_protected(call, body) for body in outer)
    inner._table = [own._replace(target=around.target), *(entry for entry in entries if entry is not own)]
    assert not all(inner.is_protected(call, body) for body in outer)


def test_what_goes_on_after_a_statement_is_not_in_it():
    """The jump of `continue` comes after `__exit__`, though it is written before."""
    text = "for x in y:\n    with a:\n        if x:\n            continue\n        g()\n"
    assert find_unprotected(text, compile(text, "text", "exec")) == []
