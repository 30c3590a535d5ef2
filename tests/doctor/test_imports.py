"""What a file imports and where, by its text."""

from __future__ import annotations

import ast

import pytest

from interp_pool.doctor.imports import body_imports, has_guard, own_imports


def bodies(text, module="pack.file", **options):
    return [
        (each.module, each.names, each.function, each.is_guarded)
        for each in body_imports(ast.parse(text), module, **options)
    ]


def test_imports_of_functions_and_methods_are_found_with_where_they_are():
    text = (
        "import top\n"
        "def f():\n    import a.b, c\n    from d import e, g\n"
        "class K:\n    import own\n    def m(self):\n        import h\n"
        "def outer():\n    def inner():\n        import i\n"
        "async def co():\n    with x:\n        for y in z:\n            import j\n"
    )
    assert bodies(text) == [
        ("a.b", (), "f", False),
        ("c", (), "f", False),
        ("d", ("e", "g"), "f", False),
        ("h", (), "K.m", False),
        ("i", (), "outer", False),
        ("j", (), "co", False),
    ]
    assert body_imports(ast.parse(text), "m")[0].line == 3


@pytest.mark.parametrize(
    ("statement", "is_package", "module"),
    [
        ("from . import x", False, "pack.sub"),
        ("from .near import x", False, "pack.sub.near"),
        ("from ..far import x", False, "pack.far"),
        ("from . import x", True, "pack.sub.file"),
    ],
)
def test_relative_import_is_told_in_full(statement, is_package, module):
    found = bodies(f"def f():\n    {statement}\n", "pack.sub.file", is_package=is_package)
    assert found == [(module, ("x",), "f", False)]


@pytest.mark.parametrize(
    "guard",
    [
        "try:\n        import a\n    except ImportError: pass",
        "try:\n        import a\n    except (OSError, ModuleNotFoundError): pass",
        "try:\n        import a\n    except: pass",
        "with contextlib.suppress(ImportError):\n        import a",
    ],
)
def test_import_that_may_fail_is_guarded(guard):
    assert bodies(f"def f():\n    {guard}\n") == [("a", (), "f", True)]


def test_handler_that_imports_something_else_is_not_guarded():
    text = "def f():\n    try:\n        import a\n    except ImportError:\n        import b\n"
    assert bodies(text) == [("a", (), "f", True), ("b", (), "f", False)]
    assert bodies("def f():\n    try:\n        import a\n    except ValueError: pass\n") == [("a", (), "f", False)]


def test_function_defined_under_a_guard_is_not_guarded_itself():
    assert bodies("try:\n    def f():\n        import a\nexcept ImportError: pass\n") == [("a", (), "f", False)]


def test_imports_for_types_and_of_what_does_something_are_left_out():
    assert bodies("def f():\n    if TYPE_CHECKING:\n        import a\n    import antigravity\n") == []


def test_script_imports_what_stands_outside_of_its_guarded_part():
    text = (
        "import a\ntry:\n    import b\nexcept ImportError:\n    b = None\n"
        "def f():\n    import c\nif x:\n    from d import e\nif __name__ == '__main__':\n    import g\n"
    )
    assert own_imports(ast.parse(text)) == [("a", ()), ("d", ("e",))]
    assert has_guard(ast.parse(text))
    assert has_guard(ast.parse("if '__main__' == __name__: pass"))
    assert not has_guard(ast.parse("def f():\n    if __name__ == '__main__': pass\n"))
