"""The demo: what it measures in one file."""

import ast
import errno
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interp_pool.demo.measure import FileMeasure, measure_file
from interp_pool.demo.sources import find_sources, sample


def measured(tmp_path: Path, source: str | bytes) -> FileMeasure:
    path = tmp_path / "source.py"
    path.write_bytes(source if isinstance(source, bytes) else textwrap.dedent(source).encode())
    return measure_file(str(path))


def complexities(tmp_path: Path, source: str) -> dict[str, int]:
    measure = measured(tmp_path, source)
    assert measure.error is None
    return {name: complexity for name, _, _, complexity in measure.functions}


class TestComplexity:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("pass", 1),
            ("if a: pass", 2),
            ("if a: pass\n    else: pass", 2),
            ("if a: pass\n    elif b: pass\n    else: pass", 3),
            ("return a if b else c", 2),
            ("for x in a: pass\n    else: pass", 2),
            ("while a: pass", 2),
            ("with a: pass", 1),
            ("assert a", 1),
            ("try: pass\n    except A: pass\n    except (B, C): pass\n    else: pass\n    finally: pass", 3),
            ("try: pass\n    except* A: pass", 2),
            ("return a and b", 2),
            ("return a and b and c", 3),
            ("return a and b or c", 3),
            ("return not a", 1),
            ("return [x for x in a]", 2),
            ("return {x for x in a if x if y}", 4),
            ("return {x: y for x in a for y in x if y and z}", 5),
            ("return any(x for x in a)", 2),
            ("return {**a, 'b': c or d}", 2),
            ("f(a, *b, c=d if e else f, **(g or h))", 3),
            ("return f'{a if b else c:{d or e}}'", 3),
            ("x: int = a or b", 2),
            ("return (y := a or b)", 2),
            ("match a:\n        case 1: pass\n        case _: pass", 2),
            ("match a:\n        case 1 | 2: pass\n        case [x, *_]: pass\n        case {'k': v}: pass", 4),
            ("match a:\n        case x if x and y: pass\n        case x: pass", 3),
            ("match a:\n        case 1 as x if x: pass", 3),
            ("return lambda x: a if b else c", 2),
        ],
    )
    def test_function_counts_its_decisions(self, tmp_path: Path, body: str, expected: int) -> None:
        assert complexities(tmp_path, f"def f():\n    {body}\n") == {"f": expected}

    def test_async_function_counts_async_loops_and_comprehensions(self, tmp_path: Path) -> None:
        source = """
            async def f():
                async for x in a:
                    async with x: pass
                return [y async for y in a if await y]
        """
        assert complexities(tmp_path, source) == {"f": 4}

    def test_nested_functions_own_their_decisions(self, tmp_path: Path) -> None:
        source = """
            if top: pass
            def outer():
                if a: pass
                def inner():
                    while b: pass
                    class Local:
                        if c: d = e or f
                        def method(self):
                            for x in y: pass
                return lambda: a or b
            class Class:
                attribute = a if b else c
                async def method(self): pass
        """
        assert complexities(tmp_path, source) == {
            "outer": 3,
            "outer.inner": 4,
            "outer.inner.Local.method": 2,
            "Class.method": 1,
        }

    def test_decorators_defaults_and_annotations_belong_to_the_function_around(self, tmp_path: Path) -> None:
        source = """
            def outer():
                @decorate(a or b)
                def inner(x=c if d else e, *, y: f or g, z=None) -> h or i:
                    pass
                @decorate(a or b)
                class Local(base or other, metaclass=m if n else o): pass
        """
        assert complexities(tmp_path, source) == {"outer": 8, "outer.inner": 1}

    def test_lines_and_place_leave_decorators_out(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "@a\n@b\ndef f():\n    x = '''\n    '''\n\ndef g(): pass\n")
        assert measure.functions == (("f", 3, 3, 1), ("g", 7, 1, 1))
        assert measure.lines == 7

    def test_standard_library_agrees_with_a_recursive_reference(self) -> None:
        files = sample(find_sources().files, count=40)
        checked = 0
        for file in files:
            measure = measure_file(file.path)
            if measure.error is None:
                tree = ast.parse(Path(file.path).read_bytes())
                assert sorted(measure.functions) == sorted(reference_functions(tree)), file.path
                checked += 1
        assert checked > 30


def reference_functions(tree: ast.Module) -> list[tuple[str, int, int, int]]:
    """The same measure the simple way: recursively, asking each node for all its children."""
    found: list[tuple[str, int, int, int]] = []

    def count(node: ast.AST, prefix: str) -> int:
        """Return the node's decisions for the function around it, and note the functions inside."""
        own = 0
        if isinstance(node, ast.BoolOp):
            own = len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            own = 1 + len(node.ifs)
        elif isinstance(node, ast.match_case):
            is_open = isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
            own = (not is_open) + (node.guard is not None)
        elif isinstance(node, ast.If | ast.IfExp | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler):
            own = 1
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return own + sum(count(child, prefix) for child in ast.iter_child_nodes(node))
        name = prefix + node.name
        outside = sum(count(child, prefix) for child in ast.iter_child_nodes(node) if child not in node.body)
        inside = sum(count(child, name + ".") for child in node.body)
        if isinstance(node, ast.ClassDef):
            return outside + inside
        assert node.end_lineno is not None
        found.append((name, node.lineno, node.end_lineno - node.lineno + 1, 1 + inside))
        return outside

    count(tree, "")
    return found


class TestMeasureFile:
    def test_docstrings_are_counted_for_module_classes_and_functions(self, tmp_path: Path) -> None:
        source = '''
            """Module."""
            class A:
                """Class."""
                def f(self):
                    "Function."
                def g(self):
                    f"""Not one."""
            async def h():
                b"not one"
            class B: x = 1
        '''
        measure = measured(tmp_path, source)
        assert (measure.definitions, measure.documented) == (6, 3)

    def test_tokens_are_counted_by_type(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "x = f(1, 'a')  # why\n")
        assert dict(measure.tokens) == {
            "ENCODING": 1,
            "NAME": 2,
            "OP": 4,
            "NUMBER": 1,
            "STRING": 1,
            "COMMENT": 1,
            "NEWLINE": 1,
            "ENDMARKER": 1,
        }
        assert measure.tokens == tuple(sorted(measure.tokens))

    @pytest.mark.parametrize(
        ("source", "error"),
        [
            (b"def f(:\n", "SyntaxError: invalid syntax (line 1)"),
            (b"if 1:\n\tx\n        y\n", "TabError: "),
            (b'x = "\xff"\n', "SyntaxError: "),
            (b"# coding: nonsense\n", "SyntaxError: "),
            (b"x = 1\0\n", "SyntaxError: source code string cannot contain null bytes"),
            ("x = 1".encode("utf-16"), "SyntaxError: "),
            (b"x = " + b"9" * 5000, "SyntaxError: Exceeds the limit"),
            (b"x = '''", "SyntaxError: "),
        ],
    )
    def test_bad_source_is_told_in_one_line(self, tmp_path: Path, source: bytes, error: str) -> None:
        measure = measured(tmp_path, source)
        assert measure.error is not None
        assert measure.error.startswith(error)
        assert "\n" not in measure.error
        assert len(measure.error) < 200
        assert (measure.size, measure.lines, measure.tokens, measure.functions) == (len(source), 0, (), ())

    @pytest.mark.parametrize("source", ["x = " + "1+" * 200_000 + "1", "x = " + "-" * 200_000 + "1"])
    def test_deep_nesting_has_the_same_error_in_every_thread(self, tmp_path: Path, source: str) -> None:
        here = measured(tmp_path, source)
        assert here.error is not None
        assert here.error.endswith("too deeply nested to parse")
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(measure_file, here.path).result() == here

    def test_unreadable_file_is_told_in_one_line(self, tmp_path: Path) -> None:
        assert measure_file(str(tmp_path / "missing.py")).error == f"FileNotFoundError: {os.strerror(errno.ENOENT)}"

    @pytest.mark.parametrize(
        "source",
        [
            b"",
            b"\xef\xbb\xbfx = 1\n",
            b"# coding: latin-1\nx = '\xe9'\n",
            b"x = 1\n\x0c\ndef f(): pass",
            b"x=1\r\ny=2\r\n",
        ],
    )
    def test_unusual_source_is_measured(self, tmp_path: Path, source: bytes) -> None:
        measure = measured(tmp_path, source)
        assert measure.error is None
        assert measure.lines == len(source.splitlines())

    def test_measure_compares_by_value_and_survives_pickling(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "def f(): pass\n")
        copy: object = pickle.loads(pickle.dumps(measure, 5))
        assert copy == measure
        assert hash(copy) == hash(measure)
        assert measure != FileMeasure(measure.path)
        assert measure != measure.path
        assert repr(measure).endswith("source.py' lines=1 functions=1>")
        assert repr(FileMeasure("a.py", "no")) == "<FileMeasure 'a.py' error='no'>"

    @pytest.mark.programs
    def test_worker_side_imports_little(self) -> None:
        code = (
            "import sys; before = set(sys.modules); import interp_pool.demo.measure; "
            "print(*sorted(set(sys.modules) - before))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        imported = set(run.stdout.split())
        assert "interp_pool.demo.measure" in imported
        heavy = {"concurrent", "concurrent.futures", "dataclasses", "logging", "traceback", "typing", "threading"}
        assert imported & heavy == set()
